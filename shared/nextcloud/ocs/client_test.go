package ocs_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

const (
	adminPassword secret.String = "admin-Secret-123"
	adaPassword   secret.String = "Very-Strong-1234"
)

// folder is the path of the test server's installation: most mistakes with paths do not show
// at the root of a host.
const folder = "/cloud/nextcloud"

// open starts a server and returns it with a client for it.
func open(t *testing.T) (*nextcloudtest.Server, *ocs.Client) {
	t.Helper()
	server := nextcloudtest.New(nextcloudtest.Options{AdminPassword: adminPassword, BasePath: folder})
	return server, dial(t, server, time.Minute)
}

// dial serves h until the test ends and returns a client for it.
func dial(t *testing.T, h http.Handler, timeout time.Duration) *ocs.Client {
	t.Helper()
	listening := httptest.NewServer(h)
	t.Cleanup(listening.Close)
	client := clientOf(t, listening.URL+folder, timeout)
	t.Cleanup(client.Close)
	return client
}

func clientOf(t *testing.T, base string, timeout time.Duration) *ocs.Client {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	return ocs.New(ocs.Config{URL: u, AdminUser: "admin", AdminPassword: adminPassword, Timeout: timeout})
}

// must fails the test unless err is nil.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError fails the test unless err is want.
func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func ada() ocs.NewUser {
	return ocs.NewUser{
		ID: "ada@example.org", Password: adaPassword,
		Email: "ada@example.org", DisplayName: "Ada Lovelace", Quota: "50 MB",
	}
}

func TestClient_CreateUser_SendsEverythingInOneCall(t *testing.T) {
	t.Parallel()
	server, client := open(t)
	must(t, client.CreateUser(t.Context(), ada()))
	got, err := client.User(t.Context(), "ADA@example.org")
	must(t, err)
	want := ocs.User{
		ID: "ada@example.org", Enabled: true, Email: "ada@example.org", DisplayName: "Ada Lovelace", Backend: ocs.OwnBackend,
		Quota: 50 << 20, Free: -1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("user (-want +got):\n%s", diff)
	}
	if !server.ValidCredentials("ada@example.org", adaPassword) {
		t.Error("the password does not work")
	}
	if calls := server.Calls(); len(calls) != 2 {
		t.Errorf("got %v, want one POST and one GET", calls)
	}
}

func TestClient_CreateUser_Refusals(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*ocs.NewUser)
		want   error
	}{
		{"taken ID", func(u *ocs.NewUser) { u.ID = "Taken" }, ocs.ErrExists},
		{"taken ID in another letter case", func(u *ocs.NewUser) { u.ID = "tAKEN" }, ocs.ErrExists},
		{"ID with a plus", func(u *ocs.NewUser) { u.ID = "a+b@example.org" }, ocs.ErrInvalid},
		{"ID too long", func(u *ocs.NewUser) { u.ID = strings.Repeat("a", 65) }, ocs.ErrInvalid},
		{"no ID", func(u *ocs.NewUser) { u.ID = "" }, ocs.ErrInvalid},
		{"short password", func(u *ocs.NewUser) { u.Password = "Ab1-" }, ocs.ErrWeakPassword},
		{"a weak password is also a refusal", func(u *ocs.NewUser) { u.Password = "Ab1-" }, ocs.ErrRefused},
		{"no password and no e-mail", func(u *ocs.NewUser) { u.Password, u.Email = "", "" }, ocs.ErrRefused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, client := open(t)
			server.AddUser("Taken", "x", "")
			u := ada()
			tt.change(&u)
			wantError(t, client.CreateUser(t.Context(), u), tt.want)
			if len(server.Users()) != 2 {
				t.Errorf("got %v, want no new user", server.Users())
			}
		})
	}
}

// Nextcloud would create the account, store 5 bytes for "5 GiB" and answer 200, or answer 102
// for "lots" as if the user existed.
func TestClient_CreateUser_RejectsMisreadQuotasBeforeSending(t *testing.T) {
	t.Parallel()
	for _, quota := range []string{"5 GiB", "lots", "-3", "5", "5GB", "1.5 GB", " 5 GB", "-5 GB"} {
		t.Run(quota, func(t *testing.T) {
			t.Parallel()
			server, client := open(t)
			u := ada()
			u.Quota = quota
			wantError(t, client.CreateUser(t.Context(), u), ocs.ErrInvalid)
			wantError(t, client.Edit(t.Context(), "admin", ocs.KeyQuota, quota), ocs.ErrInvalid)
			if calls := server.Calls(); len(calls) != 0 {
				t.Errorf("sent %v, want nothing", calls)
			}
		})
	}
}

func TestClient_UnknownUser(t *testing.T) {
	t.Parallel()
	calls := map[string]func(*ocs.Client, string) error{
		"get":     func(c *ocs.Client, id string) error { _, err := c.User(t.Context(), id); return err },
		"enable":  func(c *ocs.Client, id string) error { return c.Enable(t.Context(), id) },
		"disable": func(c *ocs.Client, id string) error { return c.Disable(t.Context(), id) },
		"delete":  func(c *ocs.Client, id string) error { return c.DeleteUser(t.Context(), id) },
		"edit": func(c *ocs.Client, id string) error {
			return c.Edit(t.Context(), id, ocs.KeyEmail, "x@example.org")
		},
	}
	for name, call := range calls {
		// The last ones would change the path of the URL.
		for _, id := range []string{"nobody", "nobody@example.org", "a b", "a%2Fb", "a?b#c", "", ".", "..", "a/b", `a\b`} {
			t.Run(name+" "+id, func(t *testing.T) {
				t.Parallel()
				server, client := open(t)
				wantError(t, call(client, id), ocs.ErrNoUser)
				unsafe := id == "" || id == "." || id == ".." || strings.ContainsAny(id, `/\`)
				if sent := len(server.Calls()) > 0; sent == unsafe {
					t.Errorf("sent = %v, want %v", sent, !unsafe)
				}
			})
		}
	}
}

func TestClient_EnableDisableDelete(t *testing.T) {
	t.Parallel()
	server, client := open(t)
	server.AddUser("ada o'hara", adaPassword, "")
	for _, want := range []bool{false, false, true, true} { // each twice: the calls are idempotent
		change := client.Disable
		if want {
			change = client.Enable
		}
		must(t, change(t.Context(), "ada o'hara"))
		got, err := client.User(t.Context(), "ada o'hara")
		must(t, err)
		if got.Enabled != want {
			t.Errorf("enabled = %v, want %v", got.Enabled, want)
		}
	}
	must(t, client.DeleteUser(t.Context(), "ada o'hara"))
	wantError(t, client.DeleteUser(t.Context(), "ada o'hara"), ocs.ErrNoUser)
}

// A user is deleted while the server builds a page of users.
func TestClient_UserDetails_RepeatsAPageAfterADeletion(t *testing.T) {
	t.Parallel()
	server, client := open(t)
	gone := nextcloudtest.Answer(http.StatusNotFound, "application/json",
		`{"ocs":{"meta":{"status":"failure","statuscode":404,"message":"User does not exist"},"data":[]}}`, 0)
	page := nextcloudtest.On(http.MethodGet, "/users/details")
	server.Fail(nextcloudtest.Times(2, gone, page))
	users, err := client.UserDetails(t.Context(), 5, 0)
	if err != nil || len(users) != 1 || users[0].ID != "admin" {
		t.Errorf("got %v, %v; want the administrator", users, err)
	}
	server.Fail(nextcloudtest.Times(1000, gone, page))
	_, err = client.UserDetails(t.Context(), 5, 0)
	wantError(t, err, ocs.ErrNoUser)
	if calls := len(server.Calls()); calls > 20 {
		t.Errorf("got %d calls, want a bounded number", calls)
	}
}

func TestClient_DoesNotChangeItsOwnAccount(t *testing.T) {
	t.Parallel()
	server, client := open(t)
	wantError(t, client.DeleteUser(t.Context(), "Admin"), ocs.ErrInvalid)
	wantError(t, client.Disable(t.Context(), "ADMIN"), ocs.ErrInvalid)
	if calls := server.Calls(); len(calls) != 0 {
		t.Errorf("sent %v, want nothing", calls)
	}
}

func TestClient_Edit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, key, value string
		want             error
	}{
		{"an e-mail", ocs.KeyEmail, "new@example.org", nil},
		{"no e-mail", ocs.KeyEmail, "", nil},
		{"an invalid e-mail", ocs.KeyEmail, "not an address", ocs.ErrInvalid},
		{"a name", ocs.KeyDisplayName, "Ada & Köppen + Söhne", nil},
		{"a name that is too long", ocs.KeyDisplayName, strings.Repeat("x", 65), ocs.ErrInvalid},
		{"a quota", ocs.KeyQuota, "2 GB", nil},
		{"no limit", ocs.KeyQuota, "none", nil},
		{"a password", ocs.KeyPassword, "Other-Strong-1234", nil},
		{"a weak password", ocs.KeyPassword, "Ab1-", ocs.ErrWeakPassword},
		{"an unknown key", "groups", "admin", ocs.ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, client := open(t)
			server.AddUser("ada", adaPassword, "ada@example.org")
			err := client.Edit(t.Context(), "ada", tt.key, tt.value)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if tt.want != nil {
				return
			}
			got, _ := server.User("ada")
			have := map[string]string{
				ocs.KeyEmail: got.Email, ocs.KeyDisplayName: got.DisplayName,
				ocs.KeyQuota: got.Quota, ocs.KeyPassword: tt.value,
			}
			if have[tt.key] != tt.value || (tt.key == ocs.KeyPassword && !server.ValidCredentials("ada", secret.String(tt.value))) {
				t.Errorf("got %s %q, want %q", tt.key, have[tt.key], tt.value)
			}
		})
	}
}

func TestClient_Edit_ReportsTheRateLimit(t *testing.T) {
	t.Parallel()
	server, client := open(t)
	server.AddUser("ada", adaPassword, "")
	for range 50 {
		must(t, client.Edit(t.Context(), "ada", ocs.KeyQuota, "1 GB"))
	}
	err := client.Edit(t.Context(), "ada", ocs.KeyQuota, "2 GB")
	wantError(t, err, ocs.ErrRateLimited)
	if got := ocs.RetryAfter(err); got != 10*time.Minute {
		t.Errorf("got retry after %v, want the whole window, because the server sends none", got)
	}
	u := ada()
	u.Quota = "2 GB" // the limit applies to edits only
	must(t, client.CreateUser(t.Context(), u))
}

func TestClient_Users(t *testing.T) {
	t.Parallel()
	server, client := open(t)
	for _, id := range []string{"ada", "Bob", "12345", "007", "0", "carol"} {
		server.AddUser(id, adaPassword, id+"@example.org")
	}
	tests := []struct {
		name, search  string
		limit, offset int
		want          []string
	}{
		{"all, numeric IDs unchanged", "", 0, 0, []string{"0", "007", "12345", "ada", "admin", "Bob", "carol"}},
		{"a page", "", 2, 1, []string{"007", "12345"}},
		{"a search by e-mail", "bob@example.org", 0, 0, []string{"Bob"}},
		{"a search with special characters of queries", "a&b=c+d %", 0, 0, []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := client.Users(t.Context(), tt.search, tt.limit, tt.offset)
			must(t, err)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("ids (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClient_User_ReadsTheUsageAfterALogin(t *testing.T) {
	t.Parallel()
	server, client := open(t)
	must(t, client.CreateUser(t.Context(), ada()))
	_, err := client.Authenticate(t.Context(), "ada@example.org", adaPassword)
	must(t, err)
	server.SetUsed("ada@example.org", 10<<20)
	got, err := client.User(t.Context(), "ada@example.org")
	must(t, err)
	want := ocs.User{
		ID: "ada@example.org", Enabled: true, Email: "ada@example.org", DisplayName: "Ada Lovelace", Backend: ocs.OwnBackend,
		Quota: 50 << 20, Used: 10 << 20, Free: 40 << 20,
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(ocs.User{}, "LastLogin")); diff != "" {
		t.Errorf("user (-want +got):\n%s", diff)
	}
	if got.LastLogin.IsZero() {
		t.Error("got no last login after a login")
	}
}

func TestClient_WrongAdministrator(t *testing.T) {
	t.Parallel()
	t.Run("a wrong password, answered in XML", func(t *testing.T) {
		t.Parallel()
		server, client := open(t)
		server.SetPassword("admin", "Another-Secret-456")
		wantError(t, client.CreateUser(t.Context(), ada()), ocs.ErrUnauthorized)
		if got := server.FailedLogins(); got != 1 {
			t.Errorf("%d failed logins, want 1: a call must not be repeated", got)
		}
	})
	t.Run("not an administrator", func(t *testing.T) {
		t.Parallel()
		server, _ := open(t)
		server.AddUser("ada", adaPassword, "")
		server.AddUser("bob", adaPassword, "")
		listening := httptest.NewServer(server)
		t.Cleanup(listening.Close)
		u, err := url.Parse(listening.URL + folder)
		must(t, err)
		client := ocs.New(ocs.Config{URL: u, AdminUser: "bob", AdminPassword: adaPassword})
		t.Cleanup(client.Close)
		_, err = client.Users(t.Context(), "", 0, 0)
		wantError(t, err, ocs.ErrForbidden)
		_, err = client.User(t.Context(), "ada") // answered with 998, which must not be reported as ErrNoUser
		wantError(t, err, ocs.ErrForbidden)
	})
}

func TestClient_Maintenance(t *testing.T) {
	t.Parallel()
	server, client := open(t)
	server.SetMaintenance(true)
	_, err := client.User(t.Context(), "admin")
	wantError(t, err, ocs.ErrMaintenance)
	wantError(t, err, ocs.ErrUnavailable)
}

func TestClient_Throttle(t *testing.T) {
	t.Parallel()
	server, client := open(t)
	server.AddFailedLogins("127.0.0.1", "victim", 11)
	got, err := client.Throttle(t.Context())
	must(t, err)
	if want := (ocs.Throttle{Delay: 25 * time.Second}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	_, err = client.User(t.Context(), "admin") // locked out: a 500 without effect
	wantError(t, err, ocs.ErrUnavailable)
	wantError(t, client.CreateUser(t.Context(), ada()), ocs.ErrUncertain)
}

func TestClient_WebDAVURL(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, base, id, want string }{
		{"at the root", "https://host", "ada", "https://host/remote.php/dav/files/ada/"},
		{"in a folder", "https://host/nextcloud/", "ada", "https://host/nextcloud/remote.php/dav/files/ada/"},
		{"with an e-mail address", "https://host", "a@b.c", "https://host/remote.php/dav/files/a@b.c/"},
		{"with a blank", "https://host", "a b", "https://host/remote.php/dav/files/a%20b/"},
		{"with a plus, which Nextcloud reads as a blank", "https://host", "a+b", "https://host/remote.php/dav/files/a%2Bb/"},
		{"with a slash and dots", "https://host/x%20y", "../a", "https://host/x%20y/remote.php/dav/files/..%2Fa/"},
		{"without the password of the base", "https://u:p@host", "ada", "https://host/remote.php/dav/files/ada/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := clientOf(t, tt.base, 0).WebDAVURL(tt.id); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
