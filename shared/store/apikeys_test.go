package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/apikey"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// newKey creates a key of a that expires in an hour.
func newKey(t *testing.T, db *store.DB, a account.Account) apikey.Key {
	t.Helper()
	_, digest, prefix := apikey.New()
	expires := noon.Add(time.Hour)
	k := apikey.Key{ID: apikey.NewID(), UserID: a.ID, Name: "a script", Prefix: prefix, Scopes: apikey.AllScopes(), CreatedAt: noon, ExpiresAt: &expires}
	err := db.UpdateAs(t.Context(), signedIn(t, db, a).AsFresh(), noon, func(tx *store.Tx, by store.Actor) error {
		return tx.CreateAPIKey(t.Context(), by, k, digest)
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestUpdateAs_ChecksTheKey writes with keys that have ended since they were checked.
func TestUpdateAs_ChecksTheKey(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for i, test := range []struct {
			name, ending string
			other        bool
			now          time.Time
			want         error
		}{
			{name: "valid", now: noon},
			{name: "of another user", other: true, now: noon, want: apikey.ErrInvalid},
			{name: "expired", now: noon.Add(time.Hour), want: apikey.ErrInvalid},
			{name: "revoked", ending: "revoked", now: noon, want: apikey.ErrInvalid},
			{name: "the account was disabled", ending: "disabled", now: noon, want: apikey.ErrInvalid},
			{name: "the account was deleted", ending: "deleted", now: noon, want: apikey.ErrInvalid},
		} {
			t.Run(test.name, func(t *testing.T) {
				a := someone(t, db, fmt.Sprintf("key%d@example.org", i))
				k := newKey(t, db, a)
				by := signin.NewKeyProof(a.ID, k.ID)
				if test.other {
					by = signin.NewKeyProof(someone(t, db, "other@example.org").ID, k.ID)
				}
				switch test.ending {
				case "":
				case "revoked":
					storetest.AsOperator(t, db, func(tx *store.Tx, console store.Actor) error {
						return tx.DeleteAPIKey(t.Context(), console, a.ID, k.ID)
					})
				default:
					endings(db, a, by)[test.ending](t)
				}
				ran := false
				err := db.UpdateAs(t.Context(), by, test.now, func(*store.Tx, store.Actor) error {
					ran = true
					return nil
				})
				if !errors.Is(err, test.want) || ran != (test.want == nil) {
					t.Errorf("got %v, function ran = %t; want %v", err, ran, test.want)
				}
			})
		}
	})
}

// TestCreateAPIKey_RequiresAFreshLogin calls as a function with a bug would.
func TestCreateAPIKey_RequiresAFreshLogin(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a, other := someone(t, db, "ada@example.org"), someone(t, db, "bob@example.org")
		held := newKey(t, db, a)
		for name, by := range map[string]signin.Proof{
			"an old login":          signedIn(t, db, a),
			"a key":                 signin.NewKeyProof(a.ID, held.ID).AsFresh(),
			"the login of somebody": signedIn(t, db, other).AsFresh(),
		} {
			k := held
			k.ID = apikey.NewID()
			_, digest, _ := apikey.New()
			err := db.UpdateAs(t.Context(), by, noon, func(tx *store.Tx, by store.Actor) error {
				return tx.CreateAPIKey(t.Context(), by, k, digest)
			})
			if err == nil {
				t.Errorf("%s creates a key", name)
			}
		}
		if list, err := db.APIKeys(t.Context(), a.ID); err != nil || len(list) != 1 {
			t.Errorf("got %d keys, %v; want 1", len(list), err)
		}
	})
}
