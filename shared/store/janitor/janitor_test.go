package janitor_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/ratelimit/ratelimittest"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/janitor"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// A world is a database with one account, and a clock.
type world struct {
	*testing.T

	db    *store.DB
	owner account.ID
	now   time.Time
}

func newWorld(t *testing.T, db *store.DB) *world {
	t.Helper()
	w := &world{T: t, db: db, owner: account.NewID(), now: noon}
	a := account.Account{ID: w.owner, Email: "ada@example.org", Role: account.User, CreatedAt: noon, UpdatedAt: noon}
	if err := db.CreateAccount(t.Context(), a, secret.String("hash")); err != nil {
		t.Fatal(err)
	}
	return w
}

// login starts a login that expires at the given time.
func (w *world) login(expires time.Time) {
	w.Helper()
	l := signin.Start(w.owner, "device", "203.0.113.7", expires.Add(-time.Hour), signin.Lifetimes{Idle: time.Hour})
	if err := w.db.StartLogin(w.Context(), l, "hash", audit.New(audit.LoggedIn, w.owner, audit.Origin{}, noon)); err != nil {
		w.Fatal(err)
	}
}

// limit counts a request of client n at the given time.
func (w *world) limit(n int, at time.Time) {
	w.Helper()
	if _, _, err := w.db.RateLimits().Take(w.Context(), ratelimittest.Key(n), ratelimit.PerMinute(5), at); err != nil {
		w.Fatal(err)
	}
}

func (w *world) want(logins, limits int) {
	w.Helper()
	var gotLogins, gotLimits int
	err := w.db.Handle().QueryRowContext(w.Context(),
		"SELECT (SELECT count(*) FROM logins), (SELECT count(*) FROM rate_limits)").Scan(&gotLogins, &gotLimits)
	if err != nil || gotLogins != logins || gotLimits != limits {
		w.Errorf("got %d logins and %d limits, %v; want %d and %d", gotLogins, gotLimits, err, logins, limits)
	}
}

func TestRunIfDue_RemovesUnneededRows(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		j := janitor.New(db, func() time.Time { return w.now })
		due := func() {
			t.Helper()
			if err := j.RunIfDue(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		w.login(noon.Add(-janitor.Retention - time.Second)) // removed
		w.login(noon.Add(-janitor.Retention + time.Second)) // a late refresh still learns the reason
		w.login(noon.Add(time.Hour))                        // live
		w.limit(1, noon.Add(-time.Hour))                    // the full burst is available again
		w.limit(2, noon)                                    // still limits
		due()
		w.want(2, 1)

		w.now = noon.Add(janitor.Interval - time.Second)
		due()
		w.want(2, 1) // although the second login could be removed by now
		w.now = noon.Add(janitor.Interval)
		due()
		w.want(1, 0)

		w.login(noon.Add(-2 * janitor.Retention))
		w.now = noon // the clock was set back
		due()
		w.want(1, 0)
	})
}

func TestRunIfDue_RetriesAfterAFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	j := janitor.New(w.db, func() time.Time { return w.now })
	w.login(noon.Add(-2 * janitor.Retention))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.RunIfDue(gone); err == nil {
		t.Error("RunIfDue succeeded, want a failure")
	}
	w.want(1, 0)
	if err := j.RunIfDue(t.Context()); err != nil {
		t.Error(err)
	}
	w.want(0, 0)
}

func TestLoop_RunsAtOnceAndEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	w.login(noon.Add(-2 * janitor.Retention))
	ctx, cancel := context.WithCancel(t.Context())
	done, asked := make(chan struct{}), make(chan struct{}, 1)
	go func() {
		defer close(done)
		janitor.New(w.db, func() time.Time { asked <- struct{}{}; return noon }).Loop(ctx)
	}()
	<-asked
	for deadline := time.After(time.Minute); ; {
		var n int
		if err := w.db.Handle().QueryRowContext(t.Context(), "SELECT count(*) FROM logins").Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		select {
		case <-time.After(time.Millisecond):
		case <-deadline:
			t.Fatal("the login was not removed")
		}
	}
	cancel()
	<-done
}

func TestRunIfDue_LogsAddressesInTwoSpellings(t *testing.T) {
	var log bytes.Buffer
	usual := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { slog.SetDefault(usual) })
	w := newWorld(t, storetest.SQLite(t))
	olderCode := func(email string) account.ID {
		id := account.NewID()
		if _, err := w.db.Handle().ExecContext(t.Context(), `
			INSERT INTO users (id, email, full_name, role, preferences, password_hash, search, disabled_at, created_at, updated_at)
			VALUES ($1, $2, '', 'user', '{}', '', '', NULL, $3, $3)`, string(id), email, noon); err != nil {
			t.Fatal(err)
		}
		return id
	}
	keeper, twin := olderCode("bob@bücher.example"), olderCode("bob@xn--bcher-kva.example")
	j := janitor.New(w.db, func() time.Time { return w.now })
	for round, want := range []string{string(twin) + " of " + string(keeper), "", "count=0"} {
		log.Reset()
		if round == 2 {
			storetest.AtConsole(t, w.db, func(tx *store.Tx, by store.Actor) error {
				return tx.DeleteAccount(t.Context(), by, keeper)
			})
		}
		if err := j.RunIfDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := log.String(); !strings.Contains(got, want) || want == "" && got != "" || strings.Contains(got, "example") {
			t.Errorf("round %d: logged %q, want %q", round, got, want)
		}
		w.now = w.now.Add(janitor.Interval)
	}
}
