// Package contract runs the contract suites, which check what the Nextcloud
// clients rely on: against the test server always, and against a real Nextcloud
// if the environment names one (make test-nextcloud). It removes what it creates
// there.
package contract

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

// A Server is one server that a contract is checked against.
type Server struct {
	URL   *url.URL
	Admin *ocs.Client

	user     string
	password secret.String
}

// A User is an account that only one case uses.
type User struct {
	ID       string
	Password secret.String
}

// Run runs every case, by name, against every server in parallel. A real server
// needs the variables of the gateway, and NEXTCLOUD_CONTRACT=1.
func Run(t *testing.T, cases map[string]func(*testing.T, Server)) {
	t.Helper()
	t.Parallel()
	for where, s := range servers(t) {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			for name, try := range cases {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					try(t, s)
				})
			}
		})
	}
}

func servers(t *testing.T) map[string]Server {
	t.Helper()
	const password = "the administrator's own password"
	fake := nextcloudtest.New(nextcloudtest.Options{AdminPassword: password})
	listening := httptest.NewServer(fake)
	behind := httptest.NewServer(behindNginx(fake))
	t.Cleanup(func() {
		listening.Close()
		behind.Close()
		if err := fake.Close(); err != nil {
			t.Error(err)
		}
	})
	all := map[string]Server{
		"nextcloudtest":              connect(t, listening.URL, "admin", password),
		"nextcloudtest behind nginx": connect(t, behind.URL, "admin", password),
	}
	if os.Getenv("NEXTCLOUD_CONTRACT") == "1" {
		all["real"] = connect(t, set(t, "NEXTCLOUD_URL"), set(t, "NEXTCLOUD_ADMIN_USER"),
			secret.String(set(t, "NEXTCLOUD_ADMIN_PASSWORD")))
	}
	return all
}

// behindNginx answers as nginx and PHP-FPM do: an empty body has no
// Content-Length.
func behindNginx(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(&lengthless{w}, r) })
}

type lengthless struct{ http.ResponseWriter }

// WriteHeader sends the header at once: net/http would add the length.
func (w *lengthless) WriteHeader(status int) {
	if w.Header().Get("Content-Length") == "0" {
		w.Header().Del("Content-Length")
	}
	w.ResponseWriter.WriteHeader(status)
	_ = http.NewResponseController(w.ResponseWriter).Flush() // of net/http; it can
}

// Unwrap is for [http.ResponseController].
func (w *lengthless) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func set(t *testing.T, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		t.Fatalf("%s is not set: it takes a real Nextcloud to try the contract there", variable)
	}
	return value
}

func connect(t *testing.T, base, user string, password secret.String) Server {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	admin := ocs.New(ocs.Config{URL: u, AdminUser: user, AdminPassword: password})
	t.Cleanup(admin.Close)
	return Server{u, admin, user, password}
}

// As returns a client with these credentials, valid or not.
func (s Server) As(t *testing.T, user string, password secret.String) *ocs.Client {
	t.Helper()
	return connect(t, s.URL.String(), user, password).Admin
}

// NewID returns an unused id. If the test creates the account, it is removed at
// the end.
func (s Server) NewID(t *testing.T) string {
	t.Helper()
	id := "contract-" + strings.ToLower(rand.Text())
	s.Remove(t, id)
	return id
}

// Remove removes an account at the end of the test.
func (s Server) Remove(t *testing.T, id string) {
	t.Helper()
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if _, err := s.Admin.User(ctx, id); err != nil {
			return
		}
		if err := s.Admin.DeleteUser(ctx, id); err != nil {
			t.Error(err)
		}
	})
}

// NewGroup returns the name of a group that does not exist. If the test creates
// the group, it is removed at the end.
func (s Server) NewGroup(t *testing.T) string {
	t.Helper()
	group := "contract-" + strings.ToLower(rand.Text())
	t.Cleanup(func() { // a call that no client of ours makes
		r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodDelete,
			s.URL.JoinPath("ocs/v2.php/cloud/groups", group).String(), http.NoBody)
		if err != nil {
			t.Error(err)
			return
		}
		r.Header.Set("OCS-APIRequest", "true")
		r.SetBasicAuth(s.user, s.password.Reveal())
		if answer, err := http.DefaultClient.Do(r); err != nil {
			t.Error(err)
		} else {
			answer.Body.Close()
		}
	})
	return group
}

// NewUser makes a user with that quota; "" is the server's default.
func (s Server) NewUser(t *testing.T, quota string) User {
	t.Helper()
	u := User{s.NewID(t), NewPassword()}
	err := s.Admin.CreateUser(t.Context(), ocs.NewUser{ID: u.ID, Password: u.Password, Quota: quota})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// NewPassword returns a password that satisfies password policies.
func NewPassword() secret.String { return secret.String("va-" + rand.Text() + "-7!") }
