package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// named creates an account with that name and an address of "x-" and number.
func named(t *testing.T, db *store.DB, number int, name string) account.Account {
	t.Helper()
	a := newAccount(fmt.Sprintf("x-%d@example.org", number))
	a.FullName = name
	if err := create(t.Context(), db, a); err != nil {
		t.Fatal(err)
	}
	return a
}

// search returns the keys by which a search finds accounts, without what follows "@".
func search(t *testing.T, db *store.DB, q string) []string {
	t.Helper()
	found, err := db.SearchAccounts(t.Context(), account.SearchPrefix(q), store.Page{Limit: 200})
	if err != nil {
		t.Fatalf("search for %q: %v", q, err)
	}
	keys := []string{}
	for _, f := range found {
		key, _, _ := strings.Cut(f.Key, "@")
		keys = append(keys, key)
	}
	return keys
}

func wantFound(t *testing.T, db *store.DB, q string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), search(t, db, q)); diff != "" {
		t.Errorf("search for %q (-want +got):\n%s", q, diff)
	}
}

func TestSearchAccounts(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		named(t, db, 1, "Ada Lovelace")
		named(t, db, 2, "Ada Byron")
		named(t, db, 3, "Grace_Hopper 100%")
		someone(t, db, "ada@bücher.example")
		someone(t, db, "a%b_c'\\@example.org")
		for q, want := range map[string][]string{
			"ADA":         {"ada byron", "ada lovelace", "ada lovelace", "ada lovelace"}, // two of newAccount
			"ada l":       {"ada lovelace", "ada lovelace", "ada lovelace"},
			"lovelace, a": {},
			"lovelace a":  {"lovelace ada", "lovelace ada", "lovelace ada"},
			"x-1@":        {"x-1"},
			"x":           {"x-1", "x-2", "x-3"},
			"ada@BÜ":      {"ada"},
			"ada@xn--":    {"ada"},
			"example.org": {},
			"da":          {},
			"%":           {},
			"_":           {},
			"a%":          {"a%b_c'\\"},
			"a_":          {},
			"a%b_c'\\@":   {"a%b_c'\\"},
			"grace_":      {"grace_hopper 100%"},
			"grace%":      {},
			"hopper 100%": {"hopper 100% grace_"},
			"100%":        {"100% grace_hopper"},
			"\xff":        {},
			"zzz":         {},
			"\U0010ffff":  {},
		} {
			wantFound(t, db, q, want...)
		}
	})
}

// TestSearchAccounts_Pages walks through accounts of which many have several keys that
// match, and whose documents fill pages.
func TestSearchAccounts_Pages(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const all = 30
		for i := range all {
			named(t, db, i, fmt.Sprintf("Ann Anna Ana-%02d", i%7))
		}
		for _, p := range []store.Page{{Limit: 1}, {Limit: 7}, {Limit: all}, {Limit: 200}, {Limit: 200, Bytes: 10}} {
			seen := map[account.ID]bool{}
			var keys []string
			for pages := 0; ; pages++ {
				found, err := db.SearchAccounts(t.Context(), "an", p)
				if err != nil || len(found) > p.Limit || pages > all {
					t.Fatalf("page %d has %d accounts, %v", pages, len(found), err)
				}
				if len(found) == 0 {
					break
				}
				for _, f := range found {
					if seen[f.ID] {
						t.Errorf("%+v: %s is on two pages", p, f.ID)
					}
					seen[f.ID] = true
					keys = append(keys, f.Key)
				}
				last := found[len(found)-1]
				p.Key, p.Before = last.Key, string(last.ID)
			}
			if len(seen) != all || !slices.IsSorted(keys) || !strings.HasPrefix(keys[0], "ana-00") {
				t.Errorf("%+v: got %d accounts by %q, want %d in order", p, len(seen), keys, all)
			}
		}
		skipped, err := db.SearchAccounts(t.Context(), "an", store.Page{Limit: 200, Skip: 25})
		if err != nil || len(skipped) != 5 {
			t.Errorf("after 25: got %d accounts, %v", len(skipped), err)
		}
		for _, key := range []string{"", "a", "zzz"} { // of other searches
			found, err := db.SearchAccounts(t.Context(), "an", store.Page{Limit: 200, Key: key, Before: string(account.NewID())})
			if want := map[bool]int{true: all, false: 0}[key < "an"]; err != nil || len(found) != want {
				t.Errorf("cursor of %q: got %d accounts, %v; want %d", key, len(found), err, want)
			}
		}
	})
}

func TestSearchAccounts_FollowsChanges(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := named(t, db, 1, "Ada Lovelace")
		name, address := "Grace Hopper", account.Email("grace@example.org")
		a, err := change(t, db, a, store.Changes{FullName: &name})
		if err != nil {
			t.Fatal(err)
		}
		wantFound(t, db, "lovelace")
		wantFound(t, db, "hopper", "hopper grace")
		wantFound(t, db, "x-1", "x-1")
		if a, err = change(t, db, a, store.Changes{Email: &address}); err != nil {
			t.Fatal(err)
		}
		wantFound(t, db, "x-1")
		wantFound(t, db, "grace@", "grace")
		if _, err := change(t, db, a, store.Changes{Preferences: &a.Preferences}); err != nil {
			t.Fatal(err)
		}
		wantFound(t, db, "hopper", "hopper grace")
		remove(t, db, a.ID)
		wantFound(t, db, "grace")
		var left int
		if err := db.Handle().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM search_keys`).Scan(&left); err != nil || left != 0 {
			t.Errorf("the deleted account has %d keys, %v", left, err)
		}
	})
}

// TestSearchAccounts_ConcurrentChanges renames an account from several requests, beside
// others that index it. The keys are those of the name that won.
func TestSearchAccounts_ConcurrentChanges(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		id := insertOld(t, db, "x-1@example.org", "Ada Lovelace")
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				name := fmt.Sprintf("Name%d Family%d", i, i)
				for {
					a, err := db.Account(t.Context(), id)
					if err == nil {
						err = db.Update(t.Context(), func(tx *store.Tx) error {
							_, err := tx.ChangeAccount(t.Context(), tx.Operator(), a, store.Changes{FullName: &name}, noon)
							return err
						})
					}
					if !errors.Is(err, store.ErrChanged) {
						if err != nil {
							t.Error(err)
						}
						return
					}
				}
			})
			wg.Go(func() {
				if err := db.IndexAccounts(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		a, err := db.Account(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		wantFound(t, db, a.FullName, strings.ToLower(a.FullName))
		if got := search(t, db, "name"); len(got) != 1 {
			t.Errorf("keys of former names remain: %q", got)
		}
	})
}

func TestIndexAccounts_AfterOlderCode(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const many = 450 // more than two batches
		for i := range many {
			insertOld(t, db, fmt.Sprintf("old-%d@example.org", i), "Old Person")
		}
		index := func() {
			t.Helper()
			if err := db.IndexAccounts(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		olderCode := func(query string, args ...any) {
			t.Helper()
			if _, err := db.Handle().ExecContext(t.Context(), query, args...); err != nil {
				t.Fatal(err)
			}
		}
		wantFound(t, db, "old")
		index()
		if got := search(t, db, "person"); len(got) != 200 { // the limit
			t.Errorf("found %d accounts, want 200", len(got))
		}
		wantFound(t, db, "old-449", "old-449")
		who := named(t, db, 1, "Ada Lovelace")
		olderCode(`UPDATE users SET full_name = 'Grace Hopper', search = 'x-1@example.org grace hopper' WHERE id = $1`, string(who.ID))
		index()
		wantFound(t, db, "lovelace")
		wantFound(t, db, "hopper", "hopper grace")
		// A change of something else does not hide that the keys are old.
		olderCode(`UPDATE users SET full_name = 'Grace Brewster', search = 'x-1@example.org grace brewster' WHERE id = $1`, string(who.ID))
		who, err := db.Account(t.Context(), who.ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := change(t, db, who, store.Changes{Preferences: &who.Preferences}); err != nil {
			t.Fatal(err)
		}
		index()
		wantFound(t, db, "hopper")
		wantFound(t, db, "brewster", "brewster grace")
		olderCode(`DELETE FROM users WHERE id = $1`, string(who.ID))
		wantFound(t, db, "hopper")
		index()
	})
}
