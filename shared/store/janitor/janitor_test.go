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
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/ratelimit/ratelimittest"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/janitor"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// A fixture is a database with one account, and a clock.
type fixture struct {
	*testing.T

	db    *store.DB
	owner account.ID
	now   time.Time
}

func newFixture(t *testing.T, db *store.DB) *fixture {
	t.Helper()
	f := &fixture{T: t, db: db, owner: account.NewID(), now: noon}
	a := account.Account{ID: f.owner, Email: "ada@example.org", Role: account.User, CreatedAt: noon, UpdatedAt: noon}
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.CreateAccount(t.Context(), a, "hash") }); err != nil {
		t.Fatal(err)
	}
	return f
}

// login starts a login that expires at the given time.
func (f *fixture) login(expires time.Time) {
	f.Helper()
	l := signin.Start(f.owner, "device", "203.0.113.7", expires.Add(-time.Hour), signin.Lifetimes{Idle: time.Hour})
	if err := f.db.StartLogin(f.Context(), l, "hash", audit.New(audit.LoggedIn, f.owner, audit.Origin{}, noon), nil); err != nil {
		f.Fatal(err)
	}
}

// limit counts a request of client n at the given time.
func (f *fixture) limit(n int, at time.Time) {
	f.Helper()
	if _, _, err := f.db.RateLimits().Take(f.Context(), ratelimittest.Key(n), ratelimit.PerMinute(5), at, time.UnixMicro(0)); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) want(logins, limits int) {
	f.Helper()
	var gotLogins, gotLimits int
	err := f.db.Handle().QueryRowContext(f.Context(),
		"SELECT (SELECT count(*) FROM logins), (SELECT count(*) FROM rate_limits)").Scan(&gotLogins, &gotLimits)
	if err != nil || gotLogins != logins || gotLimits != limits {
		f.Errorf("got %d logins and %d limits, %v; want %d and %d", gotLogins, gotLimits, err, logins, limits)
	}
}

func TestRunIfDue_RemovesUnneededRows(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		j := janitor.New(db, account.Rules{}, func() time.Time { return f.now })
		due := func() {
			t.Helper()
			if err := j.RunIfDue(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		f.login(noon.Add(-janitor.Retention - time.Second)) // removed
		f.login(noon.Add(-janitor.Retention + time.Second)) // a late refresh still learns the reason
		f.login(noon.Add(time.Hour))                        // live
		f.limit(1, noon.Add(-time.Hour))                    // the full burst is available again
		f.limit(2, noon)                                    // still limits
		due()
		f.want(2, 1)

		f.now = noon.Add(janitor.Interval - time.Second)
		due()
		f.want(2, 1) // although the second login could be removed by now
		f.now = noon.Add(janitor.Interval)
		due()
		f.want(1, 0)

		f.login(noon.Add(-2 * janitor.Retention))
		f.now = noon // the clock was set back
		due()
		f.want(1, 0)
	})
}

func TestRunIfDue_RemovesOldMailAndTokens(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		a, err := db.Account(t.Context(), f.owner)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Update(t.Context(), func(tx *store.Tx) error {
			_, err := new(mail.Outbox).Reset(t.Context(), tx, a, "hash", noon)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		want := func(now time.Time, mails, tokens int) {
			t.Helper()
			if err := janitor.New(db, account.Rules{}, func() time.Time { return now }).RunIfDue(t.Context()); err != nil {
				t.Fatal(err)
			}
			var gotMails, gotTokens int
			err := db.Handle().QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM mails), (SELECT count(*) FROM link_tokens)").
				Scan(&gotMails, &gotTokens)
			if err != nil || gotMails != mails || gotTokens != tokens {
				t.Errorf("at %s: got %d mails and %d tokens, %v; want %d and %d", now, gotMails, gotTokens, err, mails, tokens)
			}
		}
		want(noon.Add(2*janitor.Retention), 1, 1) // the mail waits, and needs its token
		lease := uid.New()
		list, err := db.LeaseMails(t.Context(), lease, noon, noon.Add(time.Minute), 1)
		if err != nil || len(list) != 1 {
			t.Fatalf("leased %v, %v", list, err)
		}
		if err := db.SettleMail(t.Context(), list[0], lease, mail.Outcome{Result: mail.Sent}, noon); err != nil {
			t.Fatal(err)
		}
		want(noon.Add(time.Hour), 1, 1) // the mail counts for the limit, the token is valid
		want(noon.Add(janitor.Retention+2*time.Hour), 0, 0)
	})
}

// TestRunIfDue_RemovesAnsweredChallenges keeps a challenge for an [janitor.Interval] after its
// end: until then, the same challenge must not start a second login.
func TestRunIfDue_RemovesAnsweredChallenges(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		for _, expires := range []time.Time{noon.Add(-janitor.Interval - time.Second), noon.Add(-janitor.Interval + time.Second), noon} {
			if _, err := db.Handle().ExecContext(t.Context(),
				"INSERT INTO login_challenges (id, user_id, tries, expires_at) VALUES ($1, $2, 1, $3)", uid.New(), string(f.owner), expires); err != nil {
				t.Fatal(err)
			}
		}
		if err := janitor.New(db, account.Rules{}, func() time.Time { return noon }).RunIfDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		var left int
		if err := db.Handle().QueryRowContext(t.Context(), "SELECT count(*) FROM login_challenges").Scan(&left); err != nil || left != 2 {
			t.Errorf("%d challenges are left, %v; want 2", left, err)
		}
	})
}

func TestRunIfDue_RetriesAfterAFailure(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t))
	j := janitor.New(f.db, account.Rules{}, func() time.Time { return f.now })
	f.login(noon.Add(-2 * janitor.Retention))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.RunIfDue(gone); err == nil {
		t.Error("RunIfDue succeeded, want a failure")
	}
	f.want(1, 0)
	if err := j.RunIfDue(t.Context()); err != nil {
		t.Error(err)
	}
	f.want(0, 0)
}

func TestLoop_RunsAtOnceAndEnds(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t))
	f.login(noon.Add(-2 * janitor.Retention))
	ctx, cancel := context.WithCancel(t.Context())
	done, asked := make(chan struct{}), make(chan struct{}, 1)
	go func() {
		defer close(done)
		janitor.New(f.db, account.Rules{}, func() time.Time { asked <- struct{}{}; return noon }).Loop(ctx)
	}()
	<-asked
	for deadline := time.After(time.Minute); ; {
		var n int
		if err := f.db.Handle().QueryRowContext(t.Context(), "SELECT count(*) FROM logins").Scan(&n); err != nil {
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
	f := newFixture(t, storetest.SQLite(t))
	olderCode := func(email string) account.ID {
		id := account.NewID()
		if _, err := f.db.Handle().ExecContext(t.Context(), `
			INSERT INTO users (id, email, full_name, role, preferences, password_hash, search, disabled_at, created_at, updated_at)
			VALUES ($1, $2, '', 'user', '{}', '', '', NULL, $3, $3)`, string(id), email, noon); err != nil {
			t.Fatal(err)
		}
		return id
	}
	keeper, twin := olderCode("bob@bücher.example"), olderCode("bob@xn--bcher-kva.example")
	j := janitor.New(f.db, account.Rules{}, func() time.Time { return f.now })
	for round, want := range []string{string(twin) + " of " + string(keeper), "", "count=0"} {
		log.Reset()
		if round == 2 {
			storetest.AsOperator(t, f.db, func(tx *store.Tx, by store.Actor) error {
				return tx.DeleteAccount(t.Context(), by, keeper)
			})
		}
		if err := j.RunIfDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := log.String(); !strings.Contains(got, want) || want == "" && got != "" || strings.Contains(got, "example") {
			t.Errorf("round %d: logged %q, want %q", round, got, want)
		}
		f.now = f.now.Add(janitor.Interval)
	}
}
