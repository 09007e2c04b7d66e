package operator_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/cmd/gateway/internal/operator"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/apikey"
	"github.com/voiceassist/gateway/shared/identity/revocation"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// logIn starts a login of the account.
func logIn(t *testing.T, o *operator.Operator, id account.ID) signin.Login {
	t.Helper()
	l := signin.Start(id, "a device", "192.0.2.1", noon, signin.Lifetimes{Idle: signin.DefaultIdle})
	if err := o.DB.StartLogin(t.Context(), l, "hash", audit.New(audit.LoggedIn, id, audit.Origin{}, noon), nil); err != nil {
		t.Fatal(err)
	}
	return l
}

func (e entry) isLogout() bool { return e.Name == audit.LoggedOutAll }

func TestLogOut(t *testing.T) {
	t.Parallel()
	o, _ := newOperator(t)
	a, other := add(t, o, "ada@example.org", account.User, true), add(t, o, "grace@example.org", account.User, true)
	l, kept := logIn(t, o, a.ID), logIn(t, o, other.ID)
	for n := range 2 { // the second call finds nothing to end
		if _, ended, err := o.LogOut(t.Context(), a.Email.Lookup(), revocation.Keep{}); err != nil || ended != (n == 0) {
			t.Errorf("call %d: ended %v, %v", n+1, ended, err)
		}
	}
	if _, err := o.DB.SignedIn(t.Context(), a.ID, l.ID, noon); !errors.Is(err, signin.ErrRevoked) {
		t.Errorf("the login: %v", err)
	}
	if _, err := o.DB.SignedIn(t.Context(), other.ID, kept.ID, noon); err != nil {
		t.Errorf("the login of another user: %v", err)
	}
	got := slices.DeleteFunc(events(t, o), func(e entry) bool { return !e.isLogout() })
	if diff := cmp.Diff([]entry{{audit.LoggedOutAll, a.ID, "", "", "command line"}}, got); diff != "" {
		t.Error(diff)
	}
	if _, _, err := o.LogOut(t.Context(), account.Email("nobody@example.org").Lookup(), revocation.Keep{}); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("an unknown address: %v", err)
	}
}

// TestLogOutAll interrupts the command after its first transaction and runs it again.
func TestLogOutAll(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o, _ := newOperator(t)
		o.DB = db
		const users = 45
		logins := map[account.ID]signin.ID{}
		for n := range users {
			a := add(t, o, account.Email(fmt.Sprintf("user%d@example.org", n)), account.User, false)
			logIn(t, o, a.ID)
			logins[a.ID] = logIn(t, o, a.ID).ID
		}
		add(t, o, "idle@example.org", account.User, false) // has nothing to end

		ctx, interrupt := context.WithCancel(t.Context())
		first, err := o.LogOutAll(ctx, revocation.Keep{}, func(int) { interrupt() })
		if !errors.Is(err, context.Canceled) || first == 0 || first == users {
			t.Fatalf("interrupted: %d users, %v; want some", first, err)
		}
		var steps []int
		rest, err := o.LogOutAll(t.Context(), revocation.Keep{}, func(done int) { steps = append(steps, done) })
		if err != nil || first+rest != users || len(steps) < 2 {
			t.Errorf("then: %d users in steps %v, %v; want the other %d in several steps", rest, steps, err, users-first)
		}
		for user, login := range logins {
			if _, err := db.SignedIn(t.Context(), user, login, noon); !errors.Is(err, signin.ErrRevoked) {
				t.Errorf("a login is left: %v", err)
			}
		}
		seen := map[account.ID]int{}
		list, err := db.AuditEvents(t.Context(), store.AuditFilter{Names: []audit.Name{audit.LoggedOutAll}, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			seen[e.User]++
		}
		if len(list) != users || len(seen) != users {
			t.Errorf("%d events for %d users, want one for each of %d", len(list), len(seen), users)
		}
	})
}

// TestLogOutAll_PassesWhatItKeeps has users with nothing but keys, which it finds and
// leaves alone. It must get past them, to the user after them.
func TestLogOutAll_PassesWhatItKeeps(t *testing.T) {
	t.Parallel()
	o, _ := newOperator(t)
	const users = 45
	ids := make([]account.ID, users)
	for n := range ids {
		ids[n] = add(t, o, account.Email(fmt.Sprintf("user%d@example.org", n)), account.User, false).ID
		_, digest, prefix := apikey.New()
		k := apikey.Key{ID: apikey.NewID(), UserID: ids[n], Name: "a script", Prefix: prefix, Scopes: apikey.AllScopes(), CreatedAt: noon}
		l := logIn(t, o, ids[n])
		err := o.DB.UpdateAs(t.Context(), signin.NewProof(ids[n], l.ID).AsFresh(), noon, func(tx *store.Tx, by store.Actor) error {
			return tx.CreateAPIKey(t.Context(), by, k, digest)
		})
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := o.DB.RevokeLogin(t.Context(), ids[n], l.ID, "logout", noon); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	last := add(t, o, "last@example.org", account.User, false)
	logIn(t, o, last.ID)

	ctx, stop := context.WithCancel(t.Context())
	steps := 0
	done, err := o.LogOutAll(ctx, revocation.Keep{APIKeys: true}, func(int) {
		if steps++; steps > users { // it would go on forever
			stop()
		}
	})
	if err != nil || done != 1 {
		t.Errorf("logged out %d users in %d steps, %v; want 1", done, steps, err)
	}
	for _, id := range ids {
		if keys, err := o.DB.APIKeys(t.Context(), id); err != nil || len(keys) != 1 {
			t.Errorf("%d keys are left, %v; want 1", len(keys), err)
		}
	}
}
