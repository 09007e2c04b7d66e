package operator_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/cmd/gateway/internal/operator"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/apikey"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// addKey gives the account of the login an API key.
func addKey(t *testing.T, o *operator.Operator, l signin.Login) {
	t.Helper()
	_, digest, prefix := apikey.New()
	k := apikey.Key{ID: apikey.NewID(), UserID: l.UserID, Name: "a script", Prefix: prefix, Scopes: apikey.AllScopes(), CreatedAt: noon}
	err := o.DB.UpdateAs(t.Context(), signin.NewProof(l.UserID, l.ID).AsFresh(), noon, func(tx *store.Tx, by store.Actor) error {
		return tx.CreateAPIKey(t.Context(), by, k, digest)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSetDisabled(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o, _ := newOperator(t)
		o.DB = db
		a := add(t, o, "ada@example.org", account.User, true)
		l := logIn(t, o, a.ID)
		addKey(t, o, l)
		for n := range 2 { // the second call changes nothing
			if got, changed, err := o.SetDisabled(t.Context(), a.Email.Lookup(), true); err != nil || changed != (n == 0) || !got.Disabled() {
				t.Errorf("call %d: %+v, changed %v, %v", n+1, got, changed, err)
			}
		}
		d, err := o.Show(t.Context(), a.Email.Lookup())
		if err != nil || !d.Disabled() || d.Logins != 0 || d.APIKeys != 0 || d.Nextcloud == nil || d.Nextcloud.State != desired.Disabled {
			t.Errorf("disabled: %+v, %v", d, err)
		}
		if _, err := db.SignedIn(t.Context(), a.ID, l.ID, noon); !errors.Is(err, signin.ErrRevoked) {
			t.Errorf("the login: %v", err)
		}
		if got, changed, err := o.SetDisabled(t.Context(), a.Email.Lookup(), false); err != nil || !changed || got.Disabled() {
			t.Errorf("enabled: %+v, changed %v, %v", got, changed, err)
		}
		if d, err := o.Show(t.Context(), a.Email.Lookup()); err != nil || d.Nextcloud.State != desired.Present {
			t.Errorf("enabled: %+v, %v", d, err)
		}
		got := slices.DeleteFunc(events(t, o), func(e entry) bool { return e.Device != "command line" })
		want := []entry{
			{audit.Enabled, a.ID, "", "", "command line"}, {audit.Disabled, a.ID, "", "", "command line"},
			{audit.KeyRevoked, a.ID, "", audit.AllKeys, "command line"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if _, _, err := o.SetDisabled(t.Context(), account.Email("nobody@example.org").Lookup(), true); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("an unknown address: %v", err)
		}
	})
}

func TestDelete(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o, _ := newOperator(t)
		o.DB = db
		a := add(t, o, "ada@example.org", account.User, true)
		logIn(t, o, a.ID)
		if got, err := o.Delete(t.Context(), a.Email.Lookup()); err != nil || got.ID != a.ID {
			t.Fatalf("%+v, %v", got, err)
		}
		if _, err := db.Account(t.Context(), a.ID); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("the account: %v", err)
		}
		if n, err := db.NextcloudAccount(t.Context(), a.ID); err != nil || n.State != desired.Disabled || n.DueAt == nil {
			t.Errorf("in Nextcloud: %+v, %v", n, err)
		}
		if got := events(t, o)[0]; got != (entry{audit.Deleted, a.ID, "", "", "command line"}) {
			t.Errorf("the event is %+v", got)
		}
		if _, err := o.Delete(t.Context(), a.Email.Lookup()); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("once more: %v", err)
		}
	})
}

func TestOperator_KeepsTheLastAdministrator(t *testing.T) {
	t.Parallel()
	o, _ := newOperator(t)
	root := add(t, o, "root@example.org", account.Admin, false)
	other := add(t, o, "other@example.org", account.Admin, false)
	if _, _, err := o.SetDisabled(t.Context(), other.Email.Lookup(), true); err != nil {
		t.Fatal(err)
	}
	if _, _, err := o.SetDisabled(t.Context(), root.Email.Lookup(), true); !errors.Is(err, account.ErrLastAdmin) {
		t.Errorf("disable: %v", err)
	}
	if _, err := o.Delete(t.Context(), root.Email.Lookup()); !errors.Is(err, account.ErrLastAdmin) {
		t.Errorf("delete: %v", err)
	}
	if a, err := o.DB.Account(t.Context(), root.ID); err != nil || a.Disabled() {
		t.Errorf("the last administrator: %+v, %v", a, err)
	}
}

// TestList has more accounts than one statement reads.
func TestList(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o, _ := newOperator(t)
		o.DB = db
		const users = 450
		var newest []account.Email
		for n := range users {
			role := account.User
			if n%100 == 0 {
				role = account.Admin
			}
			a := add(t, o, account.Email(fmt.Sprintf("user%03d@example.org", n)), role, false)
			newest = append([]account.Email{a.Email}, newest...)
		}
		for _, email := range []account.Email{"user001@example.org", "user100@example.org", "user449@example.org"} {
			if _, _, err := o.SetDisabled(t.Context(), email.Lookup(), true); err != nil {
				t.Fatal(err)
			}
		}
		disabled := store.AccountFilter{Disabled: true}
		for _, test := range []struct {
			name  string
			f     operator.ListFilter
			limit int
			want  []account.Email
			more  bool
		}{
			{"all", operator.ListFilter{}, users, newest, false},
			{"one fewer", operator.ListFilter{}, users - 1, newest[:users-1], true},
			{"the newest", operator.ListFilter{}, 2, newest[:2], true},
			{"administrators", operator.ListFilter{AccountFilter: store.AccountFilter{Role: account.Admin}}, 10,
				[]account.Email{"user400@example.org", "user300@example.org", "user200@example.org", "user100@example.org", "user000@example.org"}, false},
			{"disabled", operator.ListFilter{AccountFilter: disabled}, 10,
				[]account.Email{"user449@example.org", "user100@example.org", "user001@example.org"}, false},
			{"a search through several pages", operator.ListFilter{Search: "USER", AccountFilter: disabled}, 10,
				[]account.Email{"user001@example.org", "user100@example.org", "user449@example.org"}, false},
			{"a search", operator.ListFilter{Search: "user44"}, 2, []account.Email{"user440@example.org", "user441@example.org"}, true},
			{"a search for nobody", operator.ListFilter{Search: "nobody"}, 2, nil, false},
		} {
			list, more, err := o.List(t.Context(), test.f, test.limit)
			if err != nil {
				t.Fatal(err)
			}
			var got []account.Email
			for _, a := range list {
				got = append(got, a.Email)
			}
			if diff := cmp.Diff(test.want, got); diff != "" || more != test.more {
				t.Errorf("%s: more %v, want %v; (-want +got):\n%s", test.name, more, test.more, diff)
			}
		}
	})
}
