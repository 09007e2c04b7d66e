package trail_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/audit/trail"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

const (
	first  = secret.String("0123456789abcdefghijklmnopqrstuv")
	second = secret.String("vutsrqponmlkjihgfedcba9876543210")
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 123_456_789, time.UTC)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func ring(t *testing.T, current secret.String, previous ...secret.String) *keyring.Ring {
	t.Helper()
	r, err := keyring.New(current, previous...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A world is a database with a trail of events, one minute apart.
type world struct {
	*testing.T

	db    *store.DB
	trail *trail.Trail
	n     int
}

func newWorld(t *testing.T, db *store.DB, keep time.Duration) *world {
	t.Helper()
	db.LogTo(slog.New(slog.DiscardHandler))
	return &world{T: t, db: db, trail: trail.New(db, ring(t, first), keep, at(noon.Add(24*time.Hour)))}
}

// happen writes n events with a value in every column.
func (w *world) happen(n int) {
	w.Helper()
	for range n {
		w.n++
		e := audit.New(audit.RoleChanged, account.NewID(), audit.Origin{
			Address: "192.0.2.1", Device: "a device", CorrelationID: fmt.Sprintf("c-%d", w.n),
		}, noon.Add(time.Duration(w.n)*time.Minute))
		e.Actor, e.Login, e.Detail = account.NewID(), signin.NewID(), "admin"
		if err := w.db.Audit(w.Context(), e); err != nil {
			w.Fatal(err)
		}
	}
}

func (w *world) kept() {
	w.Helper()
	if _, _, err := w.trail.Keep(w.Context()); err != nil {
		w.Fatalf("keep: %v", err)
	}
}

func (w *world) verify(witness audit.Link) trail.Report {
	w.Helper()
	r, err := w.trail.Verify(w.Context(), witness)
	if err != nil {
		w.Fatalf("verify: %v", err)
	}
	return r
}

func (w *world) whole(events int64) {
	w.Helper()
	if r := w.verify(audit.Link{}); !r.OK || r.Events != events || r.Unchained != 0 || r.Broken != nil {
		w.Fatalf("got %+v %+v, want %d events and no break", r, r.Broken, events)
	}
}

// sql changes the database as an attacker without the secret can.
func (w *world) sql(text string, args ...any) {
	w.Helper()
	for statement := range strings.SplitSeq(text, ";") {
		if _, err := w.db.Handle().ExecContext(w.Context(), statement, args...); err != nil {
			w.Fatalf("%s: %v", statement, err)
		}
	}
}

// TestKeep_RunsConcurrently lets several processes write and chain at once.
func TestKeep_RunsConcurrently(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, 0)
		const writers, each = 4, 60
		var writing, keeping sync.WaitGroup
		done := make(chan struct{})
		for range writers {
			writing.Go(func() {
				for range each {
					if err := db.Audit(t.Context(), audit.New(audit.LoggedIn, account.NewID(), audit.Origin{}, noon)); err != nil {
						t.Errorf("audit: %v", err)
					}
				}
			})
		}
		for range 3 {
			other := trail.New(db, ring(t, first), 0, at(noon))
			keeping.Go(func() {
				for {
					if _, _, err := other.Keep(t.Context()); err != nil && !errors.Is(err, store.ErrUnavailable) {
						t.Errorf("keep: %v", err)
						return
					}
					select {
					case <-done:
						return
					default:
					}
				}
			})
		}
		writing.Wait()
		close(done)
		keeping.Wait()
		w.kept()
		w.whole(writers * each)
		if chained, pruned, err := w.trail.Keep(t.Context()); chained != 0 || pruned != 0 || err != nil {
			t.Errorf("with nothing to do: chained %d, pruned %d, %v", chained, pruned, err)
		}
	})
}

func TestKeep_SurvivesInterruptionAnywhere(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, 0)
		w.happen(5)
		w.kept()
		for stop := range 12 { // before each statement of a round
			w.happen(2)
			ctx, cancel := context.WithCancel(t.Context())
			n := 0
			db.Observe(func(time.Duration) {
				if n++; n > stop {
					cancel()
				}
			})
			w.trail.Keep(ctx)
			cancel()
			if r := w.verify(audit.Link{}); r.Broken != nil {
				t.Fatalf("interrupted before statement %d: %v", stop, r.Broken)
			}
		}
		w.kept()
		w.whole(5 + 12*2)
	})
}

func TestVerify_ReportsUnchainedEvents(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, 0)
		w.happen(3)
		r := w.verify(audit.Link{})
		if !r.OK || r.Events != 0 || r.Unchained != 3 || !r.Oldest.Equal(noon.Add(time.Minute).Truncate(time.Microsecond)) || !r.Stale {
			t.Errorf("got %+v", r)
		}
		w.kept()
		w.whole(3)
	})
}

func TestKeep_PrunesFromTheFrontAndAnchors(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, 24*time.Hour-5*time.Minute-30*time.Second) // five events are too old
		w.happen(8)
		w.kept()
		w.whole(3)
		if r := w.verify(audit.Link{}); r.Pruned != 5 {
			t.Errorf("%d events were pruned, want 5", r.Pruned)
		}
		w.happen(2)
		w.kept()
		w.whole(5)

		w.sql(`UPDATE audit_events SET at = (SELECT MIN(at) FROM audit_events) WHERE seq < 9`)
		w.trail = trail.New(db, ring(t, first), time.Hour, at(noon.Add(70*time.Minute)))
		var broken *trail.Broken
		if _, _, err := w.trail.Keep(t.Context()); !errors.As(err, &broken) || broken.Seq != 7 {
			t.Errorf("events with forged times were pruned: %v", err)
		}
		if r := w.verify(audit.Link{}); r.OK || r.Broken.Seq != 7 {
			t.Errorf("got %+v", r.Broken)
		}
	})
}

func TestKeep_KeepsForever(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), 0)
	w.trail = trail.New(w.db, ring(t, first), 0, at(noon.AddDate(50, 0, 0)))
	w.happen(3)
	w.kept()
	w.whole(3)
}

// TestRotation adds a new secret and then drops the old one: events chained under the old
// secret stay covered by later ones.
func TestRotation(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, 0)
		w.happen(5)
		w.kept()
		both := func() { w.trail = trail.New(db, ring(t, second, first), 0, at(noon)) }
		only := func() { w.trail = trail.New(db, ring(t, second), 0, at(noon)) }

		only()
		if r := w.verify(audit.Link{}); r.OK || !strings.Contains(r.Broken.Reason, "not among DATA_SECRET") {
			t.Errorf("lost secret: got %+v", r.Broken)
		}
		both()
		w.whole(5)
		w.kept() // the head is sealed again although there are no new events
		only()
		w.whole(5)
		w.happen(2)
		w.kept()
		w.whole(7)
		if r := w.verify(audit.Link{}); r.OlderSecret != 5 {
			t.Errorf("%d events under the older secret, want 5", r.OlderSecret)
		}
		w.sql(`UPDATE audit_events SET detail = 'user' WHERE seq = 3`)
		if r := w.verify(audit.Link{}); r.OK || r.Broken.Seq != 3 {
			t.Errorf("change of an event under the older secret: got %+v", r.Broken)
		}
	})
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, wrong := range []string{
			`UPDATE audit_events SET detail = 'user' WHERE seq = 3`, `DELETE FROM audit_chain`, `UPDATE audit_chain SET mac = NULL`,
		} {
			w := newWorld(t, db, 0)
			w.happen(5)
			w.kept()
			if _, err := w.trail.Adopt(t.Context(), audit.Origin{}); !errors.Is(err, trail.ErrNotBroken) {
				t.Fatalf("an intact trail was adopted: %v", err)
			}
			w.sql(wrong)
			was, err := w.trail.Adopt(t.Context(), audit.Origin{Device: "command line"})
			if err != nil {
				t.Fatalf("%s: %v", wrong, err)
			}
			w = newWorld(t, db, 0)
			w.kept()
			if r := w.verify(audit.Link{}); !r.OK {
				t.Errorf("%s: after adoption: got %v", wrong, r.Broken)
			}
			events, err := db.AuditEvents(t.Context(), store.AuditFilter{Name: audit.TrailAdopted, Since: time.Unix(0, 0), Limit: 1})
			if err != nil || len(events) != 1 || events[0].Detail != was.Broken.Error() || events[0].Origin.Device == "" {
				t.Errorf("got events %+v, %v; want %v", events, err, was.Broken)
			}
		}
	})
}

func TestKeep_DoesNotContinueAChainOfALostSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), 0)
	w.happen(2)
	w.kept()
	w.trail = trail.New(w.db, ring(t, second), 0, at(noon))
	for range 2 {
		var broken *trail.Broken
		if _, _, err := w.trail.Keep(t.Context()); !errors.As(err, &broken) {
			t.Errorf("got %v", err)
		}
		w.happen(1)
	}
	if r := w.verify(audit.Link{}); r.Unchained != 2 {
		t.Errorf("got %+v", r)
	}
}
