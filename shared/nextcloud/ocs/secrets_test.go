package ocs_test

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

// No error contains a password, the user's ID or data that the server sent.
func TestError_ContainsNothingPrivate(t *testing.T) {
	t.Parallel()
	const body = `{"password":"Very-Strong-1234"} <html>secret-body`
	faults := map[string]nextcloudtest.Fault{
		"none":       nil,
		"cut":        nextcloudtest.CutAfter(),
		"cut inside": nextcloudtest.CutInside(),
		"crash":      nextcloudtest.CrashAfter(),
		"HTML":       nextcloudtest.Answer(http.StatusOK, "text/html", body, 0),
		"bad JSON":   nextcloudtest.Answer(http.StatusOK, "application/json", body, 0),
		"bad XML":    nextcloudtest.Answer(http.StatusUnauthorized, "text/xml", body, 0),
		"429":        nextcloudtest.Answer(http.StatusTooManyRequests, "text/plain", body, time.Minute),
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, client := open(t)
			server.AddUser(ada().ID, "somebody-elses", "")
			server.Fail(func(*http.Request) nextcloudtest.Fault { return fault })
			_, err1 := client.User(t.Context(), "nobody@example.org")
			_, err2 := client.Authenticate(t.Context(), ada().ID, adaPassword)
			_, err3 := client.AppPassword(t.Context(), ada().ID, adaPassword)
			all := []error{
				err1, err2, err3, client.CreateUser(t.Context(), ada()),
				client.Edit(t.Context(), "nobody@example.org", ocs.KeyPassword, adaPassword.Reveal()),
			}
			for _, err := range all {
				if err == nil {
					t.Error("a call succeeded, want an error")
				}
				text := fmt.Sprintf("%v %+v %#v", err, err, err)
				for _, private := range []string{
					adaPassword.Reveal(), adminPassword.Reveal(), "@example.org", "secret-body", "127.0.0.1:0/",
				} {
					if strings.Contains(text, private) {
						t.Errorf("an error contains %q: %s", private, text)
					}
				}
			}
		})
	}
}

func TestClient_ChecksTheCertificate(t *testing.T) {
	t.Parallel()
	server := nextcloudtest.New(nextcloudtest.Options{AdminPassword: adminPassword})
	listening := httptest.NewTLSServer(server)
	t.Cleanup(listening.Close)
	base, err := url.Parse(listening.URL)
	must(t, err)
	trusted := x509.NewCertPool()
	trusted.AddCert(listening.Certificate())
	for name, tt := range map[string]struct {
		roots *x509.CertPool
		want  error
	}{
		"signed by the configured root": {trusted, nil},
		"signed by another root":        {x509.NewCertPool(), ocs.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := ocs.New(ocs.Config{URL: base, AdminUser: "admin", AdminPassword: adminPassword, Roots: tt.roots})
			t.Cleanup(client.Close)
			_, err := client.User(t.Context(), "admin")
			wantError(t, err, tt.want)
		})
	}
}

func TestClient_IsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	server, client := open(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			u := ada()
			u.ID = fmt.Sprintf("user%d", i)
			if err := client.CreateUser(t.Context(), u); err != nil {
				t.Error(err)
			}
			if _, err := client.AppPassword(t.Context(), u.ID, u.Password); err != nil {
				t.Error(err)
			}
			if _, err := client.User(t.Context(), u.ID); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := len(server.Users()); got != 21 {
		t.Errorf("got %d users, want 20 and the administrator", got)
	}
}

// If many calls create one account concurrently, exactly one succeeds.
func TestClient_CreateUser_ExactlyOneConcurrentCallWins(t *testing.T) {
	t.Parallel()
	_, client := open(t)
	results := make(chan error, 10)
	for range cap(results) {
		go func() { results <- client.CreateUser(t.Context(), ada()) }()
	}
	won := 0
	for range cap(results) {
		switch err := <-results; {
		case err == nil:
			won++
		default:
			wantError(t, err, ocs.ErrExists)
		}
	}
	if won != 1 {
		t.Errorf("%d calls created the user, want 1", won)
	}
}
