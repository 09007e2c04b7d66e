package trail_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/audit/trail"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// copyOf makes a copy of a table and returns the statements that put it back.
const (
	keepCopy = `CREATE TABLE events_copy AS SELECT * FROM audit_events; CREATE TABLE chain_copy AS SELECT * FROM audit_chain`
	putBack  = `DELETE FROM audit_events; INSERT INTO audit_events SELECT * FROM events_copy;
		DELETE FROM audit_chain; INSERT INTO audit_chain SELECT * FROM chain_copy`
	dropCopy = `DROP TABLE events_copy; DROP TABLE chain_copy`
)

// TestVerify_ReportsTheFirstBreak tampers with the trail in each way that is possible with the
// database but without the secret, and checks that verify reports each place.
func TestVerify_ReportsTheFirstBreak(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, 0)
		f.happen(9)
		f.kept()
		f.whole(9)
		f.sql(keepCopy)
		other, third := string(account.NewID()), string(account.NewID())
		for _, test := range []struct {
			name string
			sql  string
			seq  int64
			want string
		}{
			{"time", `UPDATE audit_events SET at = (SELECT MAX(at) FROM audit_events) WHERE seq = 5`, 5, "changed"},
			{"event", `UPDATE audit_events SET event = 'logged_in' WHERE seq = 5`, 5, "changed"},
			{"user", `UPDATE audit_events SET user_id = '` + other + `' WHERE seq = 5`, 5, "changed"},
			{"user removed", `UPDATE audit_events SET user_id = NULL WHERE seq = 5`, 5, "changed"},
			{"actor", `UPDATE audit_events SET actor_id = NULL WHERE seq = 5`, 5, "changed"},
			{"actor and user exchanged", `UPDATE audit_events SET actor_id = user_id, user_id = actor_id WHERE seq = 5`, 5, "changed"},
			{"login", `UPDATE audit_events SET login_id = NULL WHERE seq = 5`, 5, "changed"},
			{"address", `UPDATE audit_events SET address = '203.0.113.9' WHERE seq = 5`, 5, "changed"},
			{"device", `UPDATE audit_events SET device = '' WHERE seq = 5`, 5, "changed"},
			{"address moved into device", `UPDATE audit_events SET device = address || device, address = '' WHERE seq = 5`, 5, "changed"},
			{"correlation id", `UPDATE audit_events SET correlation_id = 'x' WHERE seq = 5`, 5, "changed"},
			{"detail", `UPDATE audit_events SET detail = 'user' WHERE seq = 5`, 5, "changed"},
			{"id", `UPDATE audit_events SET id = '` + other + `' WHERE seq = 5`, 5, "changed"},
			{"hash", `UPDATE audit_events SET hash = mac WHERE seq = 5`, 5, "changed"},
			{"hash removed", `UPDATE audit_events SET hash = NULL WHERE seq = 5`, 5, "changed"},
			{"MAC of another event", `UPDATE audit_events SET mac = (SELECT mac FROM audit_events e WHERE e.seq = 4) WHERE seq = 5`, 5, "forged"},
			{"one removed", `DELETE FROM audit_events WHERE seq = 5`, 5, "1 events are missing"},
			{"several removed", `DELETE FROM audit_events WHERE seq IN (4, 5, 7)`, 4, "2 events are missing"},
			{"the first removed", `DELETE FROM audit_events WHERE seq = 1`, 1, "1 events are missing"},
			{"the last removed", `DELETE FROM audit_events WHERE seq = 9`, 9, "the last 1 events"},
			{"the tail removed", `DELETE FROM audit_events WHERE seq > 6`, 7, "the last 3 events"},
			{"the tail removed, the head set back", `DELETE FROM audit_events WHERE seq > 6;
				UPDATE audit_chain SET seq = 6, hash = (SELECT hash FROM audit_events WHERE seq = 6), mac = (SELECT mac FROM audit_events WHERE seq = 6)`, 6, "the head of the chain is forged"},
			{"all removed", `DELETE FROM audit_events`, 1, "the last 9 events"},
			{"one removed, the others renumbered", `DELETE FROM audit_events WHERE seq = 5; UPDATE audit_events SET seq = 5 WHERE seq = 6;
				UPDATE audit_events SET seq = 6 WHERE seq = 7; UPDATE audit_events SET seq = 7 WHERE seq = 8; UPDATE audit_events SET seq = 8 WHERE seq = 9`, 5, "changed"},
			{"two exchanged", `UPDATE audit_events SET seq = 100 WHERE seq = 5; UPDATE audit_events SET seq = 5 WHERE seq = 6; UPDATE audit_events SET seq = 6 WHERE seq = 100`, 5, "changed"},
			{"one unchained", `UPDATE audit_events SET seq = NULL WHERE seq = 5`, 5, "1 events are missing"},
			{"one added after the last", `INSERT INTO audit_events (id, at, event, address, device, correlation_id, detail, seq, hash, mac)
				SELECT '` + third + `', at, event, address, device, correlation_id, detail, 10, hash, mac FROM audit_events WHERE seq = 9`, 10, "behind the last"},
			{"the head removed", `DELETE FROM audit_chain`, 1, "behind the last"},
			{"the head emptied", `UPDATE audit_chain SET seq = 0, hash = NULL, mac = NULL`, 1, "behind the last"},
			{"the head unsealed", `UPDATE audit_chain SET mac = NULL`, 9, "not among DATA_SECRET"},
			{"pruned manually", `DELETE FROM audit_events WHERE seq < 5; UPDATE audit_chain SET pruned_seq = 4, pruned_hash = (SELECT hash FROM events_copy WHERE seq = 4)`, 9, "the head of the chain is forged"},
		} {
			f.sql(test.sql)
			r := f.verify(audit.Link{})
			if r.OK || r.Broken == nil || r.Broken.Seq != test.seq || !strings.Contains(r.Broken.Reason, test.want) {
				t.Errorf("%s: got %+v, want sequence number %d and %q", test.name, r.Broken, test.seq, test.want)
			}
			f.sql(putBack)
			f.whole(9)
		}
	})
}

// TestVerify_DetectsARebuiltChain has an attacker who knows how the chain is built and only
// lacks the secret.
func TestVerify_DetectsARebuiltChain(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, 0)
		f.happen(9)
		f.kept()
		f.sql(`UPDATE audit_events SET detail = 'user' WHERE seq = 5`)
		rows, err := db.ChainedEvents(t.Context(), 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		guess := keyring.Key{ID: [4]byte(rows[0].MAC[:4])} // the ID is not secret
		link := audit.Link{}
		for _, row := range rows {
			link = link.Next(row.Event)
			mac := row.MAC
			if row.Hash != link.Hash {
				mac = link.Seal(guess)
			}
			f.sql(`UPDATE audit_events SET hash = $2, mac = $3 WHERE seq = $1`, link.Seq, link.Hash[:], mac[:])
		}
		if r := f.verify(audit.Link{}); r.OK || r.Broken.Seq != 5 || !strings.Contains(r.Broken.Reason, "forged") {
			t.Errorf("got %+v", r.Broken)
		}
	})
}

// TestKeep_DetectsARestoredChain plays the two attacks that the seal alone does not detect: an
// earlier state restored unchanged, and a chain rebuilt by the gateway. A party that saw a
// later head detects both: a running process, and verify with a head from the log.
func TestKeep_DetectsARestoredChain(t *testing.T) {
	t.Parallel()
	for name, attack := range map[string]string{
		"restored": putBack,
		"rebuilt":  `DELETE FROM audit_events WHERE seq = 2; UPDATE audit_events SET seq = NULL, hash = NULL, mac = NULL; UPDATE audit_chain SET seq = 0, hash = NULL, mac = NULL`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				f := newFixture(t, db, 0)
				f.happen(5)
				f.kept()
				f.sql(keepCopy)
				f.happen(3)
				f.kept()
				f.whole(8)
				witness, err := trail.ParseLink(f.trail.Seen())
				if err != nil || witness.Seq != 8 {
					t.Fatal(witness, err)
				}
				if r := f.verify(witness); !r.OK {
					t.Fatalf("verify with the recorded head: got %+v", r.Broken)
				}
				f.sql(attack)
				f.sql(dropCopy)
				f.happen(1)

				var broken *trail.Broken
				if _, _, err := f.trail.Keep(t.Context()); !errors.As(err, &broken) {
					t.Errorf("Keep in the process that knows event 8: got %v", err)
				}
				f.trail = trail.New(db, ring(t, first), 0, at(noon)) // after a restart
				f.kept()
				f.happen(4)
				f.kept()
				if r := f.verify(audit.Link{}); !r.OK {
					t.Errorf("without a witness: got %+v", r.Broken)
				}
				if r := f.verify(witness); r.OK || r.Broken == nil {
					t.Error("verify with the recorded head reports nothing")
				}
			})
		})
	}
}

func TestParseLink(t *testing.T) {
	t.Parallel()
	good := audit.Link{}.Next(audit.Event{ID: "x"})
	if got, err := trail.ParseLink(trail.FormatLink(good)); err != nil || got != good {
		t.Errorf("got %v, %v", got, err)
	}
	text := trail.FormatLink(good)
	for _, bad := range []string{"", "1", ":", "x:" + text[2:], "0:" + text[2:], "-1:" + text[2:], text + "00", text[:20], text + "x"} {
		if _, err := trail.ParseLink(bad); err == nil {
			t.Errorf("%q is accepted as a head", bad)
		}
	}
}
