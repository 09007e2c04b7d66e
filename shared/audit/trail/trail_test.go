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

// A fixture is a database with a trail of events, one minute apart.
type fixture struct {
	*testing.T

	db    *store.DB
	trail *trail.Trail
	n     int
}

func newFixture(t *testing.T, db *store.DB, keep time.Duration) *fixture {
	t.Helper()
	db.LogTo(slog.New(slog.DiscardHandler))
	return &fixture{T: t, db: db, trail: trail.New(db, ring(t, first), keep, at(noon.Add(24*time.Hour)))}
}

// happen writes n events with a value in every column.
func (f *fixture) happen(n int) {
	f.Helper()
	for range n {
		f.n++
		e := audit.New(audit.RoleChanged, account.NewID(), audit.Origin{
			Address: "192.0.2.1", Device: "a device", CorrelationID: fmt.Sprintf("c-%d", f.n),
		}, noon.Add(time.Duration(f.n)*time.Minute))
		e.Actor, e.Login, e.Detail = account.NewID(), signin.NewID(), "admin"
		if err := f.db.Audit(f.Context(), e); err != nil {
			f.Fatal(err)
		}
	}
}

func (f *fixture) kept() {
	f.Helper()
	if _, _, err := f.trail.Keep(f.Context()); err != nil {
		f.Fatalf("keep: %v", err)
	}
}

func (f *fixture) verify(witness audit.Link) trail.Report {
	f.Helper()
	r, err := f.trail.Verify(f.Context(), witness)
	if err != nil {
		f.Fatalf("verify: %v", err)
	}
	return r
}

func (f *fixture) whole(events int64) {
	f.Helper()
	if r := f.verify(audit.Link{}); !r.OK || r.Events != events || r.Unchained != 0 || r.Broken != nil {
		f.Fatalf("got %+v %+v, want %d events and no break", r, r.Broken, events)
	}
}

// sql changes the database as an attacker without the secret can.
func (f *fixture) sql(text string, args ...any) {
	f.Helper()
	for statement := range strings.SplitSeq(text, ";") {
		if _, err := f.db.Handle().ExecContext(f.Context(), statement, args...); err != nil {
			f.Fatalf("%s: %v", statement, err)
		}
	}
}

// TestKeep_RunsConcurrently lets several processes write and chain at once.
func TestKeep_RunsConcurrently(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, 0)
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
		f.kept()
		f.whole(writers * each)
		if chained, pruned, err := f.trail.Keep(t.Context()); chained != 0 || pruned != 0 || err != nil {
			t.Errorf("with nothing to do: chained %d, pruned %d, %v", chained, pruned, err)
		}
	})
}

func TestKeep_SurvivesInterruptionAnywhere(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, 0)
		f.happen(5)
		f.kept()
		for stop := range 12 { // before each statement of a round
			f.happen(2)
			ctx, cancel := context.WithCancel(t.Context())
			n := 0
			db.Observe(func(time.Duration) {
				if n++; n > stop {
					cancel()
				}
			})
			f.trail.Keep(ctx)
			cancel()
			if r := f.verify(audit.Link{}); r.Broken != nil {
				t.Fatalf("interrupted before statement %d: %v", stop, r.Broken)
			}
		}
		f.kept()
		f.whole(5 + 12*2)
	})
}

func TestVerify_ReportsUnchainedEvents(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, 0)
		f.happen(3)
		r := f.verify(audit.Link{})
		if !r.OK || r.Events != 0 || r.Unchained != 3 || !r.Oldest.Equal(noon.Add(time.Minute).Truncate(time.Microsecond)) || !r.Stale {
			t.Errorf("got %+v", r)
		}
		f.kept()
		f.whole(3)
	})
}

func TestKeep_PrunesFromTheFrontAndAnchors(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, 24*time.Hour-5*time.Minute-30*time.Second) // five events are too old
		f.happen(8)
		f.kept()
		f.whole(3)
		if r := f.verify(audit.Link{}); r.Pruned != 5 {
			t.Errorf("%d events were pruned, want 5", r.Pruned)
		}
		f.happen(2)
		f.kept()
		f.whole(5)

		f.sql(`UPDATE audit_events SET at = (SELECT MIN(at) FROM audit_events) WHERE seq < 9`)
		f.trail = trail.New(db, ring(t, first), time.Hour, at(noon.Add(70*time.Minute)))
		var broken *trail.Broken
		if _, _, err := f.trail.Keep(t.Context()); !errors.As(err, &broken) || broken.Seq != 7 {
			t.Errorf("events with forged times were pruned: %v", err)
		}
		if r := f.verify(audit.Link{}); r.OK || r.Broken.Seq != 7 {
			t.Errorf("got %+v", r.Broken)
		}
	})
}

func TestKeep_KeepsForever(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), 0)
	f.trail = trail.New(f.db, ring(t, first), 0, at(noon.AddDate(50, 0, 0)))
	f.happen(3)
	f.kept()
	f.whole(3)
}

// TestRotation adds a new secret and then drops the old one: events chained under the old
// secret stay covered by later ones.
func TestRotation(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, 0)
		f.happen(5)
		f.kept()
		both := func() { f.trail = trail.New(db, ring(t, second, first), 0, at(noon)) }
		only := func() { f.trail = trail.New(db, ring(t, second), 0, at(noon)) }

		only()
		if r := f.verify(audit.Link{}); r.OK || !strings.Contains(r.Broken.Reason, "not among DATA_SECRET") {
			t.Errorf("lost secret: got %+v", r.Broken)
		}
		both()
		f.whole(5)
		f.kept() // the head is sealed again although there are no new events
		only()
		f.whole(5)
		f.happen(2)
		f.kept()
		f.whole(7)
		if r := f.verify(audit.Link{}); r.OlderSecret != 5 {
			t.Errorf("%d events under the older secret, want 5", r.OlderSecret)
		}
		f.sql(`UPDATE audit_events SET detail = 'user' WHERE seq = 3`)
		if r := f.verify(audit.Link{}); r.OK || r.Broken.Seq != 3 {
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
			f := newFixture(t, db, 0)
			f.happen(5)
			f.kept()
			if _, err := f.trail.Adopt(t.Context(), audit.Origin{}); !errors.Is(err, trail.ErrNotBroken) {
				t.Fatalf("an intact trail was adopted: %v", err)
			}
			f.sql(wrong)
			was, err := f.trail.Adopt(t.Context(), audit.Origin{Device: "command line"})
			if err != nil {
				t.Fatalf("%s: %v", wrong, err)
			}
			f = newFixture(t, db, 0)
			f.kept()
			if r := f.verify(audit.Link{}); !r.OK {
				t.Errorf("%s: after adoption: got %v", wrong, r.Broken)
			}
			events, err := db.AuditEvents(t.Context(), store.AuditFilter{Names: []audit.Name{audit.TrailAdopted}, Since: time.Unix(0, 0), Limit: 1})
			if err != nil || len(events) != 1 || events[0].Detail != was.Broken.Error() || events[0].Origin.Device == "" {
				t.Errorf("got events %+v, %v; want %v", events, err, was.Broken)
			}
		}
	})
}

func TestKeep_DoesNotContinueAChainOfALostSecret(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), 0)
	f.happen(2)
	f.kept()
	f.trail = trail.New(f.db, ring(t, second), 0, at(noon))
	for range 2 {
		var broken *trail.Broken
		if _, _, err := f.trail.Keep(t.Context()); !errors.As(err, &broken) {
			t.Errorf("got %v", err)
		}
		f.happen(1)
	}
	if r := f.verify(audit.Link{}); r.Unchained != 2 {
		t.Errorf("got %+v", r)
	}
}
