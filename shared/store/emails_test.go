package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/migrations"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// insertOld inserts an account as older versions did, without a canonical address.
func insertOld(t *testing.T, db *store.DB, email, name string) account.ID {
	t.Helper()
	id := account.NewID()
	_, err := db.Handle().ExecContext(t.Context(), `
		INSERT INTO users (id, email, full_name, role, preferences, password_hash, search, disabled_at, created_at, updated_at)
		VALUES ($1, $2, $3, 'user', '{}', 'hash', $4, NULL, $5, $5)`, string(id), email, name, email+" "+name, kept(noon))
	if err != nil {
		t.Fatalf("insert %s: %v", email, err)
	}
	return id
}

// find returns the account that a typed address finds, or "" for none.
func find(t *testing.T, db *store.DB, typed string) account.ID {
	t.Helper()
	l, err := account.ParseEmailLookup(typed)
	if err != nil {
		t.Fatalf("%q: %v", typed, err)
	}
	a, hash, err := db.AccountByEmail(t.Context(), l)
	switch again, sameHash, _, errAgain := db.AccountForLogin(t.Context(), l, "192.0.2.7"); {
	case errors.Is(err, account.ErrNotFound) && errors.Is(errAgain, account.ErrNotFound):
		return ""
	case err != nil || errAgain != nil || again.ID != a.ID || hash != sameHash || hash != "hash":
		t.Fatalf("%q: %v, %v; %v, %v", typed, a, err, again, errAgain)
	}
	return a.ID
}

func canonicalize(t *testing.T, db *store.DB) []store.EmailConflict {
	t.Helper()
	twins, err := db.CanonicalizeEmails(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return twins
}

// change applies c to the account.
func change(t *testing.T, db *store.DB, a account.Account, c store.Changes) (after account.Account, err error) {
	t.Helper()
	err = db.Update(t.Context(), func(tx *store.Tx) error {
		after, err = tx.ChangeAccount(t.Context(), tx.Operator(), a, c, noon)
		return err
	})
	return after, err
}

func remove(t *testing.T, db *store.DB, id account.ID) {
	t.Helper()
	storetest.AsOperator(t, db, func(tx *store.Tx, by store.Actor) error { return tx.DeleteAccount(t.Context(), by, id) })
}

func email(t *testing.T, db *store.DB, id account.ID) account.Email {
	t.Helper()
	a, err := db.Account(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return a.Email
}

func TestEmails_OlderRowsAreFoundInEverySpelling(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		u := insertOld(t, db, "bob@bücher.example", "Bob")
		a := insertOld(t, db, "ada@xn--bcher-kva.example", "Ada")
		wide := insertOld(t, db, "ｃｅｅ@example.org", "Cee")
		strange := insertOld(t, db, "😀@example.org", "No longer an address")
		dotless := insertOld(t, db, "i@istanbul.example", "Typed with the capital of Turkish")
		found := func(when string) {
			t.Helper()
			for typed, want := range map[string]account.ID{
				"bob@bücher.example": u, "Bob@BÜCHER.example": u, "bob@xn--bcher-kva.example": u,
				"ada@bücher.example": a, "ada@xn--bcher-kva.example": a, "ADA@XN--BCHER-KVA.example": a,
				"ｃｅｅ@example.org": wide, "😀@example.org": strange,
				"İ@İstanbul.example": dotless, "nobody@example.org": "",
			} {
				if got := find(t, db, typed); got != want {
					t.Errorf("%s: %s finds %q, want %q", when, typed, got, want)
				}
			}
		}
		found("not canonical")
		if got := email(t, db, a); got != "ada@xn--bcher-kva.example" {
			t.Errorf("before canonicalization: got address %s", got)
		}
		if n, err := migrations.Up(t.Context(), db, migrations.LockWait{}); err != nil || n != 0 {
			t.Fatal(n, err)
		}
		found("canonicalized")
		for _, typed := range []string{"ada@ｂücher。example", "ＡＤＡ＠bücher.example"} {
			if got := find(t, db, typed); got != a {
				t.Errorf("%s finds %q", typed, got)
			}
		}
		if got := find(t, db, "cee@example.org"); got != wide {
			t.Errorf("cee finds %q", got)
		}
		if got := email(t, db, a); got != "ada@bücher.example" {
			t.Errorf("got address %s", got)
		}
		if got := email(t, db, strange); got != "😀@example.org" {
			t.Errorf("got address %s", got)
		}
		if twins := canonicalize(t, db); len(twins) != 0 {
			t.Errorf("got conflicts %v", twins)
		}
	})
}

func TestCanonicalizeEmails_LeavesTheYoungerDuplicate(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		older := insertOld(t, db, "bob@xn--bcher-kva.example", "")
		younger := insertOld(t, db, "bob@bücher.example", "")
		third := insertOld(t, db, "ｂｏｂ@bücher.example", "")
		want := []store.EmailConflict{{Account: younger, Holder: older}, {Account: third, Holder: older}}
		for range 2 {
			if diff := cmp.Diff(want, canonicalize(t, db)); diff != "" {
				t.Errorf("conflicts (-want +got):\n%s", diff)
			}
		}
		for typed, want := range map[string]account.ID{
			"bob@xn--bcher-kva.example": older, "Bob@Bücher.example": younger, "ｂｏｂ@bücher.example": third, "bob@ｂücher.example": older,
		} {
			if got := find(t, db, typed); got != want {
				t.Errorf("%s finds %q, want %q", typed, got, want)
			}
		}
		if e := email(t, db, older); e != "bob@bücher.example" {
			t.Errorf("got address %s of the older account", e)
		}
		if e := email(t, db, third); e != "ｂｏｂ@bücher.example" {
			t.Errorf("got address %s of the younger account", e)
		}
		// The younger account may change anything else, and keeps its spelling.
		a, err := db.Account(t.Context(), younger)
		if err != nil {
			t.Fatal(err)
		}
		name := "Robert"
		if a, err = change(t, db, a, store.Changes{FullName: &name}); err != nil || a.Email != "bob@bücher.example" {
			t.Errorf("change of the name: got %v, %v", a, err)
		}
		other := account.Email("robert@example.org")
		if _, err := change(t, db, a, store.Changes{Email: &other}); err != nil {
			t.Error(err)
		}
		remove(t, db, older)
		if twins := canonicalize(t, db); len(twins) != 0 || email(t, db, third) != "bob@bücher.example" || find(t, db, "bob@xn--bcher-kva.example") != third {
			t.Errorf("after the others are deleted: got %v, %s", twins, email(t, db, third))
		}
	})
}

func TestCanonicalizeEmails_ManyAccounts(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const many = 450 // more than two batches
		ids := make([]account.ID, many)
		for i := range ids {
			ids[i] = insertOld(t, db, fmt.Sprintf("user%d@xn--bcher-kva.example", i), "A\u00a0B")
		}
		twin := insertOld(t, db, "user7@bücher.example", "")
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if twins, err := db.CanonicalizeEmails(t.Context()); err != nil || !slices.Equal(twins, []store.EmailConflict{{Account: twin, Holder: ids[7]}}) {
					t.Errorf("got conflicts %v, %v", twins, err)
				}
			})
		}
		wg.Wait()
		if err := db.IndexAccounts(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, q := range []string{"user449@bü", "user449@XN--"} {
			if all, err := db.SearchAccounts(t.Context(), account.SearchPrefix(q), store.Page{Limit: 10}); err != nil || len(all) != 1 || all[0].ID != ids[449] {
				t.Errorf("search for %q: got %v, %v", q, all, err)
			}
		}
	})
}

// TestCanonicalizeEmails_AfterOlderCode simulates instances that are not replaced yet: they
// insert and change rows without canonical addresses.
func TestCanonicalizeEmails_AfterOlderCode(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		who := someone(t, db, "ada@bücher.example")
		olderCode := func(query string, args ...any) {
			t.Helper()
			if _, err := db.Handle().ExecContext(t.Context(), query, args...); err != nil {
				t.Fatal(err)
			}
		}
		olderCode(`UPDATE users SET email = 'ada@xn--mnchen-3ya.example' WHERE id = $1`, string(who.ID))
		for typed, want := range map[string]account.ID{
			"ada@xn--mnchen-3ya.example": who.ID, "ada@münchen.example": who.ID, "ada@bücher.example": "", "ada@xn--bcher-kva.example": "",
		} {
			if got := find(t, db, typed); got != want {
				t.Errorf("%s finds %q, want %q", typed, got, want)
			}
		}
		if got := email(t, db, who.ID); got != "ada@xn--mnchen-3ya.example" {
			t.Errorf("got address %s", got)
		}
		// Another user wants the address that it had, and an older account moves to it.
		mover := insertOld(t, db, "ada@xn--bcher-kva.example", "")
		if twins := canonicalize(t, db); len(twins) != 0 {
			t.Errorf("got conflicts %v", twins)
		}
		if find(t, db, "ada@bücher.example") != mover || find(t, db, "ada@ｍünchen.example") != who.ID {
			t.Error("rows of older code are not canonical")
		}
		olderCode(`UPDATE users SET email = 'x@example.org', updated_at = updated_at WHERE id = $1`, string(mover))
		canonicalize(t, db)
		someone(t, db, "ada@bücher.example") // free again
	})
}

func TestCreateAccount_RejectsEverySpellingOfATakenAddress(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		insertOld(t, db, "bob@xn--bcher-kva.example", "")
		insertOld(t, db, "ada@bücher.example", "")
		canonicalize(t, db)
		for _, address := range []string{"bob@bücher.example", "ada@bücher.example"} {
			a := account.Account{ID: account.NewID(), Email: account.Email(address), Role: account.User, Preferences: document.Empty, CreatedAt: noon, UpdatedAt: noon}
			if err := create(t.Context(), db, a); !errors.Is(err, account.ErrEmailTaken) {
				t.Errorf("create %s: got %v", address, err)
			}
			other := someone(t, db, "other-"+address)
			if _, err := change(t, db, other, store.Changes{Email: &a.Email}); !errors.Is(err, account.ErrEmailTaken) {
				t.Errorf("change to %s: got %v", address, err)
			}
		}
	})
}

// TestChangeAccount_KeepsTheSpellingThatOlderCodeFinds checks that a change of another
// field leaves the stored address as it is.
func TestChangeAccount_KeepsTheSpellingThatOlderCodeFinds(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		id := insertOld(t, db, "bob@xn--bcher-kva.example", "")
		canonicalize(t, db)
		a, err := db.Account(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		same := a.Email
		if _, err := change(t, db, a, store.Changes{Email: &same}); err != nil {
			t.Fatal(err)
		}
		var stored string
		if err := db.Handle().QueryRowContext(t.Context(), `SELECT email FROM users WHERE id = $1`, string(id)).Scan(&stored); err != nil || stored != "bob@xn--bcher-kva.example" {
			t.Errorf("stored as %s, %v", stored, err)
		}
	})
}
