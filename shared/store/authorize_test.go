package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/conversation"
	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// signedIn returns the proof of a live login of a.
func signedIn(t testing.TB, db *store.DB, a account.Account) signin.Proof {
	t.Helper()
	l := signin.Start(a.ID, "device", "192.0.2.1", noon, signin.Lifetimes{Idle: time.Hour})
	if err := db.StartLogin(t.Context(), l, "hash", audit.New(audit.LoggedIn, a.ID, audit.Origin{}, noon), nil); err != nil {
		t.Fatal(err)
	}
	return signin.NewProof(a.ID, l.ID)
}

// endings returns the ways in which a proof becomes invalid.
func endings(db *store.DB, a account.Account, by signin.Proof) map[string]func(t *testing.T) {
	change := func(c store.Changes) func(t *testing.T) {
		return func(t *testing.T) {
			t.Helper()
			storetest.AsOperator(t, db, func(tx *store.Tx, console store.Actor) error {
				was, err := tx.Account(t.Context(), a.ID)
				if err != nil {
					return err
				}
				_, err = tx.ChangeAccount(t.Context(), console, was, c, noon)
				return err
			})
		}
	}
	disabled, user := true, account.User
	return map[string]func(t *testing.T){
		"disabled": change(store.Changes{Disabled: &disabled}),
		"demoted":  change(store.Changes{Role: &user}),
		"logged out": func(t *testing.T) {
			t.Helper()
			if ok, err := db.RevokeLogin(t.Context(), a.ID, by.Login(), "logout", noon); !ok || err != nil {
				t.Fatal(ok, err)
			}
		},
		"another password": func(t *testing.T) {
			t.Helper()
			if err := db.ReplaceHash(t.Context(), a.ID, "hash", "another hash"); err != nil {
				t.Fatal(err)
			}
		},
		"deleted": func(t *testing.T) {
			t.Helper()
			storetest.AsOperator(t, db, func(tx *store.Tx, console store.Actor) error {
				return tx.DeleteAccount(t.Context(), console, a.ID)
			})
		},
	}
}

func TestUpdateAs_ChecksTheProof(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for i, test := range []struct {
			name   string
			proof  func(signin.Proof) signin.Proof
			ending string
			now    time.Time
			want   error
		}{
			{name: "everything is valid", proof: everything},
			{name: "no login", proof: func(signin.Proof) signin.Proof { return signin.Proof{} }, want: signin.ErrRevoked},
			{name: "the login of another user", proof: func(p signin.Proof) signin.Proof {
				return signin.NewProof(account.NewID(), p.Login())
			}, want: signin.ErrRevoked},
			{name: "the login expired", proof: plainly, now: noon.Add(time.Hour), want: signin.ErrRevoked},
			{name: "the login was logged out", proof: plainly, ending: "logged out", want: signin.ErrRevoked},
			{name: "the account was disabled", proof: plainly, ending: "disabled", want: signin.ErrRevoked},
			{name: "the account was deleted", proof: plainly, ending: "deleted", want: signin.ErrRevoked},
			{name: "the administrator was demoted", proof: signin.Proof.AsAdmin, ending: "demoted", want: signin.ErrAdminRequired},
			{name: "demoted, without acting as administrator", proof: plainly, ending: "demoted"},
			{name: "the password changed", proof: everything, ending: "another password", want: account.ErrIncorrectPassword},
			{name: "the password changed, but was not proved", proof: plainly, ending: "another password"},
		} {
			t.Run(test.name, func(t *testing.T) {
				a := someone(t, db, fmt.Sprintf("a%d@example.org", i))
				admin := account.Admin
				created := a
				storetest.AsOperator(t, db, func(tx *store.Tx, by store.Actor) (err error) {
					a, err = tx.ChangeAccount(t.Context(), by, created, store.Changes{Role: &admin}, noon)
					return err
				})
				by := signedIn(t, db, a)
				if test.ending != "" {
					endings(db, a, by)[test.ending](t)
				}
				now := test.now
				if now.IsZero() {
					now = noon
				}
				ran := false
				err := db.UpdateAs(t.Context(), test.proof(by), now, func(_ *store.Tx, c store.Actor) error {
					ran = c.Account.ID == a.ID
					return nil
				})
				if !errors.Is(err, test.want) || ran != (test.want == nil) {
					t.Errorf("got %v, function ran = %t; want %v", err, ran, test.want)
				}
			})
		}
	})
}

func plainly(p signin.Proof) signin.Proof    { return p }
func everything(p signin.Proof) signin.Proof { return p.AsAdmin().WithPassword("hash") }

// TestConfirmed_IsRequired writes for callers that have not proved their right to, as a
// function with a bug would.
func TestConfirmed_IsRequired(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	ada, bob := someone(t, db, "ada@example.org"), someone(t, db, "bob@example.org")
	by := signedIn(t, db, ada)
	name, email, role, enabled := "Ada", account.Email("new@example.org"), account.Admin, false
	change := func(a account.Account, c store.Changes) func(context.Context, *store.Tx, store.Actor) error {
		return func(ctx context.Context, tx *store.Tx, by store.Actor) error {
			_, err := tx.ChangeAccount(ctx, by, a, c, noon)
			return err
		}
	}
	for _, test := range []struct {
		name  string
		by    signin.Proof
		write func(ctx context.Context, tx *store.Tx, by store.Actor) error
	}{
		{"another user's name", by, change(bob, store.Changes{FullName: &name})},
		{"own address without the password", by, change(ada, store.Changes{Email: &email})},
		{"own role", by.WithPassword("hash"), change(ada, store.Changes{Role: &role})},
		{"own state", by.WithPassword("hash"), change(ada, store.Changes{Disabled: &enabled})},
		{"own deletion without the password", by, func(ctx context.Context, tx *store.Tx, by store.Actor) error {
			return tx.DeleteAccount(ctx, by, ada.ID)
		}},
		{"another user's deletion", by.WithPassword("hash"), func(ctx context.Context, tx *store.Tx, by store.Actor) error {
			return tx.DeleteAccount(ctx, by, bob.ID)
		}},
		{"own password without the current one", by, func(ctx context.Context, tx *store.Tx, by store.Actor) error {
			return tx.ChangePassword(ctx, by, "new")
		}},
		{"another user's logins", by, func(ctx context.Context, tx *store.Tx, by store.Actor) error {
			_, err := tx.RevokeLogins(ctx, by, bob.ID, "", "x", noon)
			return err
		}},
		{"a desired state in Nextcloud", by, func(ctx context.Context, tx *store.Tx, by store.Actor) error {
			_, err := tx.RetryNextcloud(ctx, by, ada.ID, noon)
			return err
		}},
		{"without a caller", by, func(ctx context.Context, tx *store.Tx, _ store.Actor) error {
			return change(ada, store.Changes{FullName: &name})(ctx, tx, store.Actor{})
		}},
	} {
		err := db.UpdateAs(t.Context(), test.by, noon, func(tx *store.Tx, by store.Actor) error {
			return test.write(t.Context(), tx, by)
		})
		if err == nil || errors.Is(err, account.ErrNotFound) {
			t.Errorf("%s: written without proof: %v", test.name, err)
		}
	}
	var kept store.Actor
	err := db.UpdateAs(t.Context(), by, noon, func(_ *store.Tx, by store.Actor) error { kept = by; return nil })
	if err == nil {
		err = db.Update(t.Context(), func(tx *store.Tx) error {
			return change(ada, store.Changes{FullName: &name})(t.Context(), tx, kept)
		})
	}
	if err == nil {
		t.Error("a confirmation is valid in another transaction")
	}
}

// TestSessions_RefuseACallerWithAnEndedLogin checks the conditions of the statements that run
// outside a transaction.
func TestSessions_RefuseACallerWithAnEndedLogin(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for i, ending := range []string{"", "logged out", "disabled", "deleted"} {
			t.Run("ended: "+ending, func(t *testing.T) {
				a := someone(t, db, fmt.Sprintf("a%d@example.org", i))
				by := signedIn(t, db, a)
				s := conversation.Session{
					ID: conversation.NewID(), UserID: a.ID, Title: "x", Context: document.Empty, CreatedAt: noon, UpdatedAt: noon,
				}
				if err := db.CreateSession(t.Context(), by, s, 10); err != nil {
					t.Fatal(err)
				}
				var want error
				if ending != "" {
					endings(db, a, by)[ending](t)
					want = signin.ErrRevoked
				}
				title, another := "y", s
				another.ID = conversation.NewID()
				if err := db.CreateSession(t.Context(), by, another, 10); !errors.Is(err, want) {
					t.Errorf("create: %v, want %v", err, want)
				}
				if _, err := db.ChangeSession(t.Context(), by, s.ID, &title, nil, noon); !errors.Is(err, want) {
					t.Errorf("change: %v, want %v", err, want)
				}
				if err := db.DeleteSession(t.Context(), by, s.ID, noon); !errors.Is(err, want) {
					t.Errorf("delete: %v, want %v", err, want)
				}
				if ending == "" {
					if err := db.DeleteSession(t.Context(), by, s.ID, noon); !errors.Is(err, conversation.ErrNotFound) {
						t.Errorf("delete again: %v, want not found", err)
					}
				}
			})
		}
	})
}

// TestStartLogin_DuringAPasswordChange starts logins with the old password while it is
// changed. None of them survives.
func TestStartLogin_DuringAPasswordChange(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for round := range 20 {
			a := someone(t, db, fmt.Sprintf("a%d@example.org", round))
			by := signedIn(t, db, a).WithPassword("hash")
			var wg sync.WaitGroup
			begin := make(chan struct{})
			const logins = 4
			for range logins {
				wg.Go(func() {
					<-begin
					l := signin.Start(a.ID, "late", "192.0.2.2", noon, signin.Lifetimes{Idle: time.Hour})
					err := db.StartLogin(t.Context(), l, "hash", audit.New(audit.LoggedIn, a.ID, audit.Origin{}, noon), nil)
					if err != nil && !errors.Is(err, store.ErrChanged) && !errors.Is(err, store.ErrUnavailable) {
						t.Errorf("start login: %v", err)
					}
				})
			}
			wg.Go(func() {
				<-begin
				err := db.UpdateAs(t.Context(), by, noon, func(tx *store.Tx, who store.Actor) error {
					if err := tx.ChangePassword(t.Context(), who, "new hash"); err != nil {
						return err
					}
					_, err := tx.RevokeLogins(t.Context(), who, a.ID, by.Login(), "password_changed", noon)
					return err
				})
				if err != nil {
					t.Errorf("change password: %v", err)
				}
			})
			close(begin)
			wg.Wait()
			live, err := db.Logins(t.Context(), a.ID, store.Page{Limit: 100}, noon)
			if err != nil || len(live) != 1 {
				t.Fatalf("round %d: %d logins are live, %v; want only the one that changed the password", round, len(live), err)
			}
		}
	})
}
