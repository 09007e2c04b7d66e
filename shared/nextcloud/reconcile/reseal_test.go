package reconcile_test

import (
	"maps"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/seal"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/mfa"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// opened returns the content of every sealed value in the database, opened with ring, one
// value at a time.
func (f *fixture) opened(ring *keyring.Ring) map[string]secret.String {
	f.t.Helper()
	all := map[string]secret.String{}
	for i, place := range store.SealedColumns() {
		box := seal.New(ring.Derive(place.Purpose()))
		for after := ""; ; {
			values, err := f.db.SealedValues(f.t.Context(), place, after, 1)
			if err != nil {
				f.t.Fatal(err)
			}
			if len(values) == 0 {
				break
			}
			after = values[0].ID
			plain, err := box.Open(values[0].Box, string(values[0].Owner))
			if err != nil {
				plain = "cannot be opened"
			}
			all[string(rune('a'+i))+after] = plain
		}
	}
	return all
}

// setUpSecondFactor stores a second factor of the user.
func (f *fixture) setUpSecondFactor(user account.ID) {
	f.t.Helper()
	a, hash, err := f.db.AccountAndHash(f.t.Context(), user)
	if err != nil {
		f.t.Fatal(err)
	}
	l := signin.Start(a.ID, "", "", f.time(), signin.Lifetimes{Idle: time.Hour})
	if err := f.db.StartLogin(f.t.Context(), l, hash, audit.New(audit.LoggedIn, a.ID, audit.Origin{}, f.time()), nil); err != nil {
		f.t.Fatal(err)
	}
	factor := mfa.Factor{ID: mfa.NewID(), User: user, Sealed: mfa.NewBox(f.ring).Seal("KEY", string(user)), CreatedAt: f.time()}
	err = f.db.UpdateAs(f.t.Context(), signin.NewProof(user, l.ID).AsFresh(), f.time(), func(tx *store.Tx, by store.Actor) error {
		return tx.SetUpSecondFactor(f.t.Context(), by, factor, nil)
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

func TestReseal_LeavesNothingSealedWithTheOldSecret(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, nil)
		ada := f.register("ada@example.org")
		f.batch(f.reconciler())
		f.register("bob@example.org") // has a pending password
		f.issue(ada, adasPassword, 1)
		f.withdraw(ada, "")
		f.issue(ada, adasPassword, 1)
		f.setUpSecondFactor(ada.ID)
		before := f.opened(f.ring)
		kinds := map[byte]int{}
		for place, plain := range before {
			kinds[place[0]]++
			if plain == "cannot be opened" {
				t.Fatalf("%s cannot be opened with the secret that sealed it", place)
			}
		}
		if len(kinds) != len(store.SealedColumns()) {
			t.Fatalf("values in %v of %d columns", kinds, len(store.SealedColumns()))
		}

		other := keyring.Generate()
		both, err1 := keyring.New(other, f.secret)
		alone, err2 := keyring.New(other)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if n, lost, err := reconcile.Reseal(t.Context(), db, alone, func(int) {}); n != 0 || lost != len(before) || err != nil {
			t.Errorf("without the old secret: %d sealed, %d lost, %v", n, lost, err)
		}
		for _, want := range []int{len(before), 0} { // the second run has nothing to do
			if n, lost, err := reconcile.Reseal(t.Context(), db, both, func(int) {}); n != want || lost != 0 || err != nil {
				t.Errorf("%d sealed, %d lost, %v; want %d", n, lost, err, want)
			}
		}
		if after := f.opened(alone); !maps.Equal(after, before) {
			t.Errorf("with only the new secret: got %d values that differ", len(after))
		}
	})
}

func TestReplaceSealed_KeepsConcurrentChanges(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, nil)
		f.register("ada@example.org")
		place := store.SealedColumns()[0]
		read := func() store.SealedValue {
			t.Helper()
			values, err := db.SealedValues(t.Context(), place, "", 1)
			if err != nil || len(values) != 1 {
				t.Fatal(values, err)
			}
			return values[0]
		}
		v := read()
		for _, want := range []bool{true, false} { // the second writer read a stale value
			if ok, err := db.ReplaceSealed(t.Context(), place, v, []byte("new")); ok != want || err != nil {
				t.Errorf("replaced: %v, %v; want %v", ok, err, want)
			}
		}
		if got := string(read().Box); got != "new" {
			t.Errorf("got value %q", got)
		}
	})
}
