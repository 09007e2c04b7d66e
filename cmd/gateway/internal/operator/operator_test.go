package operator_test

import (
	"errors"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/cmd/gateway/internal/operator"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// newOperator returns an operator of a gateway with a Nextcloud.
func newOperator(t *testing.T) (*operator.Operator, *nextcloudtest.Server) {
	t.Helper()
	return newOperatorOn(t, storetest.SQLite(t))
}

// newOperatorOn is [newOperator] with db.
func newOperatorOn(t *testing.T, db *store.DB) (*operator.Operator, *nextcloudtest.Server) {
	t.Helper()
	now := func() time.Time { return noon }
	const password = "the administrator's own password"
	cloud := nextcloudtest.New(nextcloudtest.Options{AdminPassword: password, Now: now})
	server := httptest.NewServer(cloud)
	t.Cleanup(server.Close)
	env := config.Map(map[string]string{
		"JWT_SECRET":    keyring.Generate().Reveal(),
		"NEXTCLOUD_URL": server.URL, "NEXTCLOUD_ADMIN_USER": "admin", "NEXTCLOUD_ADMIN_PASSWORD": password,
		"NEXTCLOUD_DEFAULT_QUOTA": "5 GB",
	})
	keys, settings := setting.Of[keyring.Settings](env), setting.Of[reconcile.Settings](env)
	if err := env.Err(); err != nil {
		t.Fatal(err)
	}
	ring := keys.Ring()
	return &operator.Operator{
		DB: db, Now: now, Desired: desired.NewRecorder(settings.Policy, ring),
		Reconciler: reconcile.New(db, *settings, ring, now),
	}, cloud
}

// add creates an account; unless managed, as before Nextcloud was configured.
func add(t *testing.T, o *operator.Operator, email account.Email, role account.Role, managed bool) account.Account {
	t.Helper()
	a := account.Account{
		ID: account.NewID(), Email: email, FullName: "Ada", Role: role,
		Preferences: document.Empty, CreatedAt: noon, UpdatedAt: noon,
	}
	err := o.DB.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.CreateAccount(t.Context(), a, "hash"); err != nil || !managed {
			return err
		}
		return o.Desired.Registered(t.Context(), tx, a, "SecurePass123!", noon)
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// An entry is what the tests compare of an event.
type entry struct {
	Name   audit.Name
	User   account.ID
	Actor  account.ID
	Detail string
	Device string
}

func events(t *testing.T, o *operator.Operator) (all []entry) {
	t.Helper()
	list, err := o.DB.AuditEvents(t.Context(), store.AuditFilter{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		all = append(all, entry{e.Name, e.User, e.Actor, e.Detail, e.Origin.Device})
	}
	return all
}

func TestSetRole(t *testing.T) {
	t.Parallel()
	o, _ := newOperator(t)
	a := add(t, o, "ada@example.org", account.Admin, false) // the only administrator
	for range 2 {                                           // the second call changes nothing
		if _, err := o.SetRole(t.Context(), a.Email.Lookup(), account.User); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := o.DB.Account(t.Context(), a.ID); err != nil || got.Role != account.User {
		t.Errorf("the role is %q, %v", got.Role, err)
	}
	want := []entry{{audit.RoleChanged, a.ID, "", "user", "command line"}}
	if diff := cmp.Diff(want, events(t, o)); diff != "" {
		t.Error(diff)
	}
	if _, err := o.SetRole(t.Context(), account.Email("grace@example.org").Lookup(), account.Admin); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("an unknown address: %v", err)
	}
}

func TestSetQuota(t *testing.T) {
	t.Parallel()
	o, _ := newOperator(t)
	for _, managed := range []bool{true, false} {
		email := map[bool]account.Email{true: "ada@example.org", false: "grace@example.org"}[managed]
		a := add(t, o, email, account.User, managed)
		n, err := o.NextcloudAccount(t.Context(), email.Lookup())
		if err != nil || n.Status != desired.Pending || n.EffectiveQuota() != "5 GB" {
			t.Errorf("before, managed is %t: %+v, %v", managed, n, err)
		}
		if err := o.SetQuota(t.Context(), email.Lookup(), "20 GB"); err != nil {
			t.Fatal(err)
		}
		n, err = o.NextcloudAccount(t.Context(), email.Lookup())
		if err != nil || n.EffectiveQuota() != "20 GB" || n.DueAt == nil {
			t.Errorf("after, managed is %t: %+v, %v", managed, n, err)
		}
		if got := events(t, o)[0]; got != (entry{audit.QuotaChanged, a.ID, "", "20 GB", "command line"}) {
			t.Errorf("managed is %t: the event is %+v", managed, got)
		}
	}
}

// TestAdopt links the account that has the user's e-mail address in Nextcloud.
func TestAdopt(t *testing.T) {
	t.Parallel()
	o, cloud := newOperator(t)
	cloud.AddUser("Countess", "a password from before", "ada@example.org")
	a := add(t, o, "ada@example.org", account.User, true)
	if _, err := o.Reconciler.RunBatch(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	got, n, err := o.Adopt(t.Context(), a.Email.Lookup(), "")
	if err != nil || got.ID != a.ID || n.NextcloudID != "Countess" || n.Link != desired.Adopted {
		t.Errorf("%+v, %+v, %v", got, n, err)
	}
	if got := events(t, o)[0]; got != (entry{audit.Adopted, a.ID, "", "Countess", "command line"}) {
		t.Errorf("the event is %+v", got)
	}
}

func TestFindUser(t *testing.T) {
	t.Parallel()
	o, _ := newOperator(t)
	a := add(t, o, "ada@example.org", account.User, false)
	deleted := account.NewID()
	for _, test := range []struct {
		name string
		want account.ID
		err  string
	}{
		{"ada@example.org", a.ID, ""},
		{"Ada@Example.org", a.ID, ""},
		{string(a.ID), a.ID, ""},
		{string(deleted), deleted, ""},
		{"grace@example.org", "", "no user has the address grace@example.org; use the id to find the events of a deleted account"},
		{"ada", "", operator.ErrNotAUser.Error()},
	} {
		got, err := operator.FindUser(t.Context(), o.DB, test.name)
		if text := errorText(err); got != test.want || text != test.err {
			t.Errorf("%q: %q, %q", test.name, got, text)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
