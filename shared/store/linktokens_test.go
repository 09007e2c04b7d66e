package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// put stores a token as a request for it does, and returns the id of the valid one.
func put(t testing.TB, db *store.DB, token linktoken.Token) (id linktoken.ID) {
	t.Helper()
	err := db.Update(t.Context(), func(tx *store.Tx) (err error) {
		id, err = tx.PutLinkToken(t.Context(), token)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// resetToken returns a new token that resets the password "hash" of a.
func resetToken(a account.Account, now time.Time) linktoken.Token {
	return linktoken.New(a.ID, linktoken.Reset, "", linktoken.StateOf("hash", a.Email), now)
}

// redeem spends the token, and sets the hash if it may.
func redeem(t testing.TB, db *store.DB, id linktoken.ID, p linktoken.Purpose, to secret.String, now time.Time) error {
	t.Helper()
	return db.Update(t.Context(), func(tx *store.Tx) error {
		by, _, err := tx.RedeemLinkToken(t.Context(), id, p, now)
		if err != nil {
			return err
		}
		return tx.ChangePassword(t.Context(), by, to)
	})
}

func TestLinkToken_WorksOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ada := someone(t, db, "ada@example.org")
		id := put(t, db, resetToken(ada, noon))
		errs := make([]error, 5)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() { errs[i] = redeem(t, db, id, linktoken.Reset, "new", noon.Add(time.Minute)) })
		}
		all.Wait()
		succeeded := 0
		for _, err := range errs {
			switch {
			case err == nil:
				succeeded++
			case !errors.Is(err, linktoken.ErrBad):
				t.Errorf("got %v, want %v", err, linktoken.ErrBad)
			}
		}
		if succeeded != 1 {
			t.Errorf("%d of %d concurrent uses succeeded, want 1", succeeded, len(errs))
		}
		if _, hash, _ := db.AccountAndHash(t.Context(), ada.ID); hash != "new" {
			t.Errorf("got hash %q, want %q", hash.Reveal(), "new")
		}
	})
}

func TestLinkToken_IsRefusedAlike(t *testing.T) {
	t.Parallel()
	later := noon.Add(time.Minute)
	tests := map[string]func(t *testing.T, db *store.DB, ada account.Account, id linktoken.ID) error{
		"of another purpose": func(t *testing.T, db *store.DB, _ account.Account, id linktoken.ID) error {
			t.Helper()
			return redeem(t, db, id, linktoken.Undo, "new", later)
		},
		"expired": func(t *testing.T, db *store.DB, _ account.Account, id linktoken.ID) error {
			t.Helper()
			return redeem(t, db, id, linktoken.Reset, "new", noon.Add(linktoken.ResetLifetime))
		},
		"unknown": func(t *testing.T, db *store.DB, ada account.Account, _ linktoken.ID) error {
			t.Helper()
			return redeem(t, db, resetToken(ada, noon).ID, linktoken.Reset, "new", later)
		},
		"of another password": func(t *testing.T, db *store.DB, ada account.Account, id linktoken.ID) error {
			t.Helper()
			if err := db.ReplaceHash(t.Context(), ada.ID, "hash", "changed"); err != nil {
				t.Fatal(err)
			}
			return redeem(t, db, id, linktoken.Reset, "new", later)
		},
		"of another address": func(t *testing.T, db *store.DB, ada account.Account, id linktoken.ID) error {
			t.Helper()
			changeAs(t, db, ada, store.Changes{Email: new(account.Email("eve@example.org"))})
			return redeem(t, db, id, linktoken.Reset, "new", later)
		},
		"of a disabled account": func(t *testing.T, db *store.DB, ada account.Account, id linktoken.ID) error {
			t.Helper()
			changeAs(t, db, ada, store.Changes{Disabled: new(true)})
			return redeem(t, db, id, linktoken.Reset, "new", later)
		},
		"replaced": func(t *testing.T, db *store.DB, ada account.Account, id linktoken.ID) error {
			t.Helper()
			if put(t, db, linktoken.New(ada.ID, linktoken.Reset, "", "another state", noon)) == id {
				t.Error("a token with another state kept its id")
			}
			return redeem(t, db, id, linktoken.Reset, "new", later)
		},
	}
	for name, use := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				ada := someone(t, db, "ada@example.org")
				if err := use(t, db, ada, put(t, db, resetToken(ada, noon))); !errors.Is(err, linktoken.ErrBad) {
					t.Errorf("got %v, want %v", err, linktoken.ErrBad)
				}
				if _, hash, _ := db.AccountAndHash(t.Context(), ada.ID); hash == "new" {
					t.Error("the password was replaced")
				}
			})
		})
	}
}

// changeAs changes the account as the operator.
func changeAs(t testing.TB, db *store.DB, was account.Account, c store.Changes) (a account.Account) {
	t.Helper()
	storetest.AsOperator(t, db, func(tx *store.Tx, by store.Actor) (err error) {
		a, err = tx.ChangeAccount(t.Context(), by, was, c, noon)
		return err
	})
	return a
}

func TestPutLinkToken_AnotherRequestKeepsTheTokenValid(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ada := someone(t, db, "ada@example.org")
		first := put(t, db, resetToken(ada, noon))
		if again := put(t, db, resetToken(ada, noon.Add(time.Minute))); again != first {
			t.Errorf("a second request replaced token %s by %s", first, again)
		}
		if after := put(t, db, resetToken(ada, noon.Add(2*time.Hour))); after == first {
			t.Error("an expired token stayed")
		}
		if id := put(t, db, resetToken(newAccount("nobody@example.org"), noon)); id != "" {
			t.Errorf("an unknown account got token %s", id)
		}
	})
}

func TestRedeemLinkToken_VerifyMayNotTakeOver(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ada := someone(t, db, "ada@example.org")
		id := put(t, db, linktoken.New(ada.ID, linktoken.Verify, "", "ada@example.org", noon))
		if err := redeem(t, db, id, linktoken.Verify, "new", noon); err == nil {
			t.Error("a token that verifies an address replaced the password")
		}
	})
}

func TestConfirmEmail_ReplacesThePendingAddress(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ada := someone(t, db, "ada@example.org")
		ada = changeAs(t, db, ada, store.Changes{Email: new(account.Email("countess@example.org")), Confirm: true})
		if ada.Email != "ada@example.org" || ada.PendingEmail != "countess@example.org" {
			t.Fatalf("got %s and pending %s", ada.Email, ada.PendingEmail)
		}
		id := put(t, db, linktoken.New(ada.ID, linktoken.Verify, "", "countess@example.org", noon))
		ada = confirm(t, db, id, linktoken.Verify, (*store.Tx).ConfirmEmail)
		if ada.Email != "countess@example.org" || ada.PendingEmail != "" || ada.EmailVerifiedAt == nil {
			t.Errorf("got %+v", ada)
		}
		if found, _, err := db.AccountByEmail(t.Context(), account.Email("countess@example.org").Lookup()); err != nil || found.ID != ada.ID {
			t.Errorf("by the new address: got %s, %v", found.ID, err)
		}
	})
}

type redeeming = func(tx *store.Tx, ctx context.Context, by store.Actor, t linktoken.Token, now time.Time) (account.Account, error)

// confirm redeems the token with the method.
func confirm(t testing.TB, db *store.DB, id linktoken.ID, p linktoken.Purpose, method redeeming) (a account.Account) {
	t.Helper()
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		by, token, err := tx.RedeemLinkToken(t.Context(), id, p, noon.Add(time.Second))
		if err != nil {
			return err
		}
		a, err = method(tx, t.Context(), by, token, noon.Add(time.Second))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A thief who knows the password changes the address twice. The owner's link restores
// the first address, and nothing that the thief got since works.
func TestRestoreEmail_EndsWhatTheThiefGot(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ada := someone(t, db, "ada@example.org")
		owner := put(t, db, linktoken.New(ada.ID, linktoken.Undo, "ada@example.org", "ada@example.org", noon))
		ada = changeAs(t, db, ada, store.Changes{Email: new(account.Email("thief@example.org"))})
		thief := put(t, db, linktoken.New(ada.ID, linktoken.Undo, "thief@example.org", "thief@example.org", noon.Add(time.Millisecond)))
		ada = changeAs(t, db, ada, store.Changes{Email: new(account.Email("thief2@example.org"))})
		reset := put(t, db, resetToken(ada, noon.Add(time.Millisecond)))

		ada = confirm(t, db, owner, linktoken.Undo, (*store.Tx).RestoreEmail)
		if ada.Email != "ada@example.org" || ada.EmailVerifiedAt == nil {
			t.Errorf("got %+v", ada)
		}
		if _, hash, _ := db.AccountAndHash(t.Context(), ada.ID); hash != "" {
			t.Error("the account still has the password that the thief knows")
		}
		for name, id := range map[linktoken.Purpose]linktoken.ID{linktoken.Undo: thief, linktoken.Reset: reset} {
			if err := redeem(t, db, id, name, "new", noon.Add(time.Minute)); !errors.Is(err, linktoken.ErrBad) {
				t.Errorf("%s: got %v, want %v", name, err, linktoken.ErrBad)
			}
		}
	})
}

func TestChangeAccount_NewAddressIsNotVerified(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ada := someone(t, db, "ada@example.org")
		ada = confirm(t, db, put(t, db, linktoken.New(ada.ID, linktoken.Verify, "", "ada@example.org", noon)), linktoken.Verify,
			(*store.Tx).ConfirmEmail)
		if ada.EmailVerifiedAt == nil {
			t.Fatal("the address is not verified")
		}
		if ada = changeAs(t, db, ada, store.Changes{Email: new(account.Email("eve@example.org"))}); ada.EmailVerifiedAt != nil {
			t.Error("the new address counts as verified")
		}
	})
}
