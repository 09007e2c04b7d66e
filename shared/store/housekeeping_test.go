package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/ratelimit/ratelimittest"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// insertRows inserts n rows into columns of a table.
func insertRows(t testing.TB, db *store.DB, table, columns string, n int, row func(i int) []any) {
	t.Helper()
	const together = 500
	for first := 0; first < n; first += together {
		var rows []string
		var args []any
		for i := range min(together, n-first) {
			values := row(first + i)
			list := make([]string, len(values))
			for k := range values {
				list[k] = fmt.Sprintf("$%d", len(args)+k+1)
			}
			rows, args = append(rows, "("+strings.Join(list, ", ")+")"), append(args, values...)
		}
		_, err := db.Handle().ExecContext(t.Context(), "INSERT INTO "+table+" ("+columns+") VALUES "+strings.Join(rows, ", "), args...)
		if err != nil {
			t.Fatal(err)
		}
	}
}

const loginColumns = "id, user_id, counter, device, address, created_at, rotated_at, expires_at, sweep_at"

// insertLogins inserts n logins that expire at the given time.
func insertLogins(t testing.TB, db *store.DB, user account.ID, n int, expires time.Time) {
	t.Helper()
	insertRows(t, db, "logins", loginColumns, n, func(int) []any {
		return []any{uid.New(), string(user), 0, "", "", noon, noon, expires, expires}
	})
}

func countRows(t testing.TB, db *store.DB, table string) (n int) {
	t.Helper()
	if err := db.Handle().QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestHousekeeping_WorksInBatches has several batches of rows to delete in each table, and
// some rows to keep.
func TestHousekeeping_WorksInBatches(t *testing.T) {
	t.Parallel()
	const young, old = 100, store.SweepBatch + store.HousekeepingBatch/2
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := newAccount("ada@example.org")
		if err := create(t.Context(), db, a); err != nil {
			t.Fatal(err)
		}
		user := string(a.ID)
		long, soon := noon.Add(-365*24*time.Hour), noon.Add(time.Hour)
		for _, c := range []struct {
			table, columns string
			row            func(i int, at time.Time) []any
			run            func(ctx context.Context, db *store.DB) error
		}{
			{"logins", loginColumns, func(i int, at time.Time) []any {
				return []any{uid.New(), user, 0, "", "", noon, noon, at, at}
			}, func(ctx context.Context, db *store.DB) error {
				_, err := db.DeleteExpiredLogins(ctx, noon)
				return err
			}},
			{"login_challenges", "id, user_id, tries, expires_at", func(i int, at time.Time) []any {
				return []any{uid.New(), user, 0, at}
			}, func(ctx context.Context, db *store.DB) error { return db.DeleteExpiredChallenges(ctx, noon) }},
			{"link_tokens", "id, user_id, purpose, slot, bound, created_at, expires_at", func(i int, at time.Time) []any {
				return []any{uid.New(), user, "undo", fmt.Sprint(at, i), "", noon, at}
			}, func(ctx context.Context, db *store.DB) error {
				_, err := db.DeleteExpiredLinkTokens(ctx, noon)
				return err
			}},
			{"mails", "id, user_id, kind, recipient, mailbox, language, data, created_at, outcome, finished_at", func(i int, at time.Time) []any {
				return []any{uid.New(), user, "reset", "", "", "en", "{}", noon, []string{"sent", "dead"}[i%2], at}
			}, func(ctx context.Context, db *store.DB) error {
				_, err := db.DeleteOldMails(ctx, noon)
				return err
			}},
			{"rate_limits", "key, kept, allowed", func(i int, at time.Time) []any {
				key := ratelimittest.Key(i)
				key[0] = byte(at.Unix())
				return []any{key[:], at.UnixMicro(), true}
			}, func(ctx context.Context, db *store.DB) error { return db.RateLimits().SweepAll(ctx, noon) }},
		} {
			insertRows(t, db, c.table, c.columns, old, func(i int) []any { return c.row(i, long) })
			insertRows(t, db, c.table, c.columns, young, func(i int) []any { return c.row(i, soon) })
			changes, err := store.CountChanges(db, func(db *store.DB) error { return c.run(t.Context(), db) })
			if err != nil {
				t.Fatalf("%s: %v", c.table, err)
			}
			if n := countRows(t, db, c.table); n != young {
				t.Errorf("%s: %d rows are left, want %d", c.table, n, young)
			}
			batch := int64(store.HousekeepingBatch)
			if c.table == "rate_limits" {
				batch = store.SweepBatch
			}
			if most := slices.Max(changes); most > batch {
				t.Errorf("%s: one statement changed %d rows, want at most %d", c.table, most, batch)
			}
		}
	})
}

// TestHousekeeping_MayStop ends the work after the first batch.
func TestHousekeeping_MayStop(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := newAccount("ada@example.org")
		if err := create(t.Context(), db, a); err != nil {
			t.Fatal(err)
		}
		insertLogins(t, db, a.ID, 2*store.HousekeepingBatch+1, noon)
		ctx, stop := context.WithCancel(t.Context())
		statements := 0
		db.Observe(func(time.Duration) {
			if statements++; statements == 4 { // the DELETE
				stop()
			}
		})
		n, err := db.DeleteExpiredLogins(ctx, noon.Add(time.Second))
		if n != store.HousekeepingBatch || !errors.Is(err, context.Canceled) {
			t.Errorf("deleted %d, %v; want one batch", n, err)
		}
		n, err = db.DeleteExpiredLogins(t.Context(), noon.Add(time.Second))
		if n != store.HousekeepingBatch+1 || err != nil {
			t.Errorf("then deleted %d, %v; want the others", n, err)
		}
	})
}

// TestDeleteExpiredLogins_InSeveralProcesses lets four do the same work at once.
func TestDeleteExpiredLogins_InSeveralProcesses(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var a account.Account
		for i := range 50 {
			a = named(t, db, i, "Ada")
			insertLogins(t, db, a.ID, 100, noon)
		}
		insertLogins(t, db, a.ID, 1, noon.Add(time.Hour))
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if _, err := db.DeleteExpiredLogins(t.Context(), noon.Add(time.Second)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if _, err := db.DeleteExpiredLogins(t.Context(), noon.Add(time.Second)); err != nil { // rows that were locked
			t.Error(err)
		}
		if n := countRows(t, db, "logins"); n != 1 {
			t.Errorf("%d logins are left, want the live one", n)
		}
	})
}

// TestDeleteExpiredLogins_PutsLiveLoginsOff refreshes a login, which moves the time at which
// it expires and not that at which to look at it.
func TestDeleteExpiredLogins_PutsLiveLoginsOff(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := newAccount("ada@example.org")
		if err := create(t.Context(), db, a); err != nil {
			t.Fatal(err)
		}
		l := signin.Start(a.ID, "device", "192.0.2.1", noon, signin.Lifetimes{Idle: time.Hour})
		if err := db.StartLogin(t.Context(), l, "hash", audit.New(audit.LoggedIn, a.ID, audit.Origin{}, noon), nil); err != nil {
			t.Fatal(err)
		}
		expires := kept(noon).Add(48 * time.Hour)
		if _, ok, err := db.RotateLogin(t.Context(), l.ID, 0, "192.0.2.1", noon, expires); !ok || err != nil {
			t.Fatal(ok, err)
		}
		// One that was stored by a release without the column.
		insertRows(t, db, "logins", strings.TrimSuffix(loginColumns, ", sweep_at"), 1, func(int) []any {
			return []any{uid.New(), string(a.ID), 0, "", "", noon, noon, expires}
		})
		for _, step := range []struct {
			before        time.Time
			deleted, left int64
			changed       int64
		}{
			{expires, 0, 2, 2},
			{expires, 0, 2, 0}, // they are not looked at again
			{expires.Add(time.Microsecond), 2, 0, 3},
		} {
			var deleted int64
			changes, err := store.CountChanges(db, func(db *store.DB) (err error) {
				deleted, err = db.DeleteExpiredLogins(t.Context(), step.before)
				return err
			})
			var changed int64
			for _, n := range changes {
				changed += n
			}
			if err != nil || deleted != step.deleted || int64(countRows(t, db, "logins")) != step.left || changed != step.changed {
				t.Errorf("before %s: deleted %d and changed %d rows, %v; want %+v", step.before, deleted, changed, err, step)
			}
		}
	})
}

// TestDeleteExpiredLogins_KeepsTheTimeOfTheLast deletes the newest login in the first batch,
// since it expired first, and older ones in the second.
func TestDeleteExpiredLogins_KeepsTheTimeOfTheLast(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := newAccount("ada@example.org")
		if err := create(t.Context(), db, a); err != nil {
			t.Fatal(err)
		}
		last := kept(noon).Add(time.Minute)
		insertRows(t, db, "logins", loginColumns, store.HousekeepingBatch+1, func(i int) []any {
			created, expires := kept(noon).Add(-time.Duration(i)*time.Second), noon.Add(2*time.Hour)
			if i == 0 {
				created, expires = last, noon.Add(time.Hour)
			}
			return []any{uid.Since(created), string(a.ID), 0, "", "", created, created, expires, expires}
		})
		if n, err := db.DeleteExpiredLogins(t.Context(), noon.Add(3*time.Hour)); n != store.HousekeepingBatch+1 || err != nil {
			t.Fatal(n, err)
		}
		got, err := db.Account(t.Context(), a.ID)
		if err != nil || got.LastLogin == nil || !got.LastLogin.Equal(last) {
			t.Errorf("last login at %v, %v; want %s", got.LastLogin, err, last)
		}
	})
}

// TestSweep_IsBounded sweeps many rows at once.
func TestSweep_IsBounded(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const rows = 5 * store.SweepBatch / 2
		insertRows(t, db, "rate_limits", "key, kept, allowed", rows, func(i int) []any {
			key := ratelimittest.Key(i)
			return []any{key[:], noon.Add(-time.Hour).UnixMicro(), true}
		})
		left := rows
		for left > 0 {
			if err := db.RateLimits().Sweep(t.Context(), noon); err != nil {
				t.Fatal(err)
			}
			n := countRows(t, db, "rate_limits")
			if n >= left || left-n > 2*store.SweepBatch {
				t.Fatalf("of %d rows, one sweep left %d", left, n)
			}
			left = n
		}
	})
}

// TestDeleteExpiredLogins_PostgresReadsByIndex has logins of before the column sweep_at, which
// all have the same value in it. A batch must not read the whole table.
func TestDeleteExpiredLogins_PostgresReadsByIndex(t *testing.T) {
	t.Parallel()
	db := storetest.Postgres(t)
	for _, query := range []string{
		`INSERT INTO users (id, email, full_name, role, preferences, password_hash, search, created_at, updated_at)
			VALUES ('01a22511-d1fa-7740-a38b-eefc091155fd', 'ada@example.org', '', 'user', '{}', '', '', now(), now())`,
		`INSERT INTO logins (id, user_id, counter, device, address, created_at, rotated_at, expires_at)
			SELECT gen_random_uuid(), '01a22511-d1fa-7740-a38b-eefc091155fd', 1, '', '', now(), now(), now() + interval '1 day'
			FROM generate_series(1, 20000)`,
		`ANALYZE logins`,
	} {
		if _, err := db.Handle().ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	var plan string
	err := db.Handle().QueryRowContext(t.Context(), `EXPLAIN (FORMAT JSON) `+store.SweptLogins+` SELECT * FROM batch`,
		"1970-01-01T00:00:00Z", "ffffffff-ffff-ffff-ffff-ffffffffffff", "2026-01-01T00:00:00Z").Scan(&plan)
	if err != nil || strings.Contains(plan, "Seq Scan") || !strings.Contains(plan, "logins_sweep_at_idx") {
		t.Errorf("the batch is found by %s, %v", plan, err)
	}
}
