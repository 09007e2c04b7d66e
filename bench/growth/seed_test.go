package growth_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/voiceassist/gateway/bench/seed"
	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// fill fills the tables for so many users, whose password is [functionstest.Password].
func fill(tb testing.TB, db *store.DB, users int, now time.Time) {
	tb.Helper()
	if err := seed.Fill(tb.Context(), db, users, hashOf(tb), now); err != nil {
		tb.Fatal(err)
	}
}

// hashOf returns a hash of [functionstest.Password], which costs as little as those of
// functionstest.
func hashOf(tb testing.TB) secret.String {
	tb.Helper()
	db := storetest.SQLite(tb)
	g := functionstest.New(tb, db)
	g.Register(functionstest.Email, functionstest.Password)
	_, hash, _, err := db.AccountForLogin(tb.Context(), account.Email(functionstest.Email).Lookup(), "")
	if err != nil {
		tb.Fatal(err)
	}
	return hash
}

// TestFill checks that the tables contain what the gateway would have written.
func TestFill(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const users = 40
		now := time.Now()
		fill(t, db, users, now)
		ctx := context.Background()
		found, err := db.SearchAccounts(ctx, "given", store.Page{Limit: users + 1})
		if err != nil || len(found) != users {
			t.Fatalf("found %d accounts, %v; want %d", len(found), err, users)
		}
		for n := 1; n <= users; n++ {
			a, _, err := db.AccountByEmail(ctx, account.Email(seed.Email(n)).Lookup())
			if err != nil || a.FullName != seed.Name(n) {
				t.Fatalf("account %d is %+v, %v", n, a, err)
			}
			if want := seed.User(n, users, now); a.ID != want {
				t.Errorf("account %d has the id %s, want %s", n, a.ID, want)
			}
			list, err := db.Logins(ctx, a.ID, store.Page{Limit: 5}, now)
			if err != nil || len(list) != 1 || list[0].ID != seed.Login(n, users, now) || list[0].Counter != seed.Counter {
				t.Errorf("account %d has the logins %+v, %v", n, list, err)
			}
			var keys []string
			for _, prefix := range account.SearchKeys(a.Email, a.FullName) {
				list, err := db.SearchAccounts(ctx, prefix, store.Page{Limit: users})
				if err != nil || !slices.ContainsFunc(list, func(f store.Found) bool { return f.ID == a.ID }) {
					t.Errorf("a search for %q does not find account %d: %v", prefix, n, err)
				}
				keys = append(keys, prefix)
			}
			if len(keys) != 3 {
				t.Errorf("account %d has the keys %q, want three", n, keys)
			}
		}
		if err := db.IndexAccounts(ctx); err != nil {
			t.Fatal(err)
		}
		if lacking, err := db.CanonicalizeEmails(ctx); err != nil || len(lacking) > 0 {
			t.Errorf("got %v, %v", lacking, err)
		}
	})
}
