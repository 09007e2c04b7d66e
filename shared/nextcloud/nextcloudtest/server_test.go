package nextcloudtest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

// ask makes one call with the password of the administrator or of a user.
func ask(t *testing.T, s *nextcloudtest.Server, method, path, user, password string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	req.Header.Set("OCS-APIRequest", "true")
	req.SetBasicAuth(user, password)
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, req)
	return rec
}

// A real server returned these values after each quota was set (section 2.1 of its recorded
// behavior); no recorded exchange shows it.
func TestServer_RoundsQuotasLikeNextcloud(t *testing.T) {
	t.Parallel()
	tests := []struct {
		set, want string
	}{
		{"none", `"none"`},
		{"default", `"none"`},
		{"0", "0"},
		{"5 GB", "5368709120"},
		{"5G", "5368709120"},
		{"5 gb", "5368709120"},
		{"1 TB", "1099511627776"},
		{"1.5 GB", "1610612736"},
		{"1,5 GB", "1073741824"},
		{"5GiB", "5"},
		{"5 GiB", "5"},
		{"5242880", "5242880"},
		{"10737418240", "10737418240"},
		{"5000000", "5033165"},
		{"1234567890", "1181116006"},
		{"1e9", "1000026931"}, // 953.7 MB
	}
	for _, tt := range tests {
		t.Run(tt.set, func(t *testing.T) {
			t.Parallel()
			s := nextcloudtest.New(nextcloudtest.Options{AdminPassword: "secret"})
			s.AddUser("ada", "x", "")
			if !s.Set("ada", "quota", tt.set) {
				t.Fatal("the quota was refused")
			}
			rec := ask(t, s, http.MethodGet, "/ocs/v2.php/cloud/users/ada?format=json", "admin", "secret")
			var doc struct {
				OCS struct {
					Data struct {
						Quota struct{ Quota json.RawMessage }
					}
				}
			}
			if err := json.Unmarshal(rec.Body.Bytes(), &doc); err != nil {
				t.Fatal(err)
			}
			if got := string(doc.OCS.Data.Quota.Quota); got != tt.want {
				t.Errorf("%s: got %s, want %s", tt.set, got, tt.want)
			}
		})
	}
}

// The delay doubles with each failed login, for all clients at the address.
func TestServer_DelaysTheAddress(t *testing.T) {
	t.Parallel()
	var got []time.Duration
	s := nextcloudtest.New(nextcloudtest.Options{
		AdminPassword: "secret",
		Delay:         func(_ context.Context, d time.Duration) { got = append(got, d) },
	})
	for range 3 {
		ask(t, s, http.MethodGet, "/ocs/v2.php/cloud/user", "somebody", "wrong")
	}
	ask(t, s, http.MethodGet, "/ocs/v2.php/cloud/user", "admin", "secret")
	s.AddFailedLogins("192.0.2.1", "somebody", 6)
	ask(t, s, http.MethodGet, "/ocs/v2.php/cloud/user", "admin", "secret")
	want := []time.Duration{0, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond, 25 * time.Second}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("delays (-want +got):\n%s", diff)
	}
}

func TestServer_FilesBelongToTheirOwner(t *testing.T) {
	t.Parallel()
	s := nextcloudtest.New(nextcloudtest.Options{AdminPassword: "secret"})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	s.AddUser("Ada", "lovelace", "")
	tests := []struct {
		name, method, path, user, password string
		want                               int
	}{
		{"the owner stores", "PUT", "/remote.php/dav/files/ada/a.txt", "Ada", "lovelace", 201},
		{"the owner reads", "GET", "/remote.php/dav/files/ada/a.txt", "Ada", "lovelace", 200},
		{"another user finds nothing", "GET", "/remote.php/dav/files/ada/a.txt", "admin", "secret", 404},
		{"another user stores nothing", "PUT", "/remote.php/dav/files/ada/b.txt", "admin", "secret", 403},
		{"a wrong password", "GET", "/remote.php/dav/files/ada/a.txt", "Ada", "byron", 401},
	}
	for _, tt := range tests {
		if got := ask(t, s, tt.method, tt.path, tt.user, tt.password).Code; got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
	if got := s.Paths("ada"); len(got) != 1 || got[0] != "a.txt" {
		t.Errorf("got content %q", got)
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	s := nextcloudtest.New(nextcloudtest.Options{AdminPassword: "secret"})
	s.Fail(nextcloudtest.Times(2, nextcloudtest.Crash(), nextcloudtest.On(http.MethodGet, "/cloud/user")))
	var got []int
	for range 3 {
		ask(t, s, http.MethodGet, "/status.php", "admin", "secret")
		got = append(got, ask(t, s, http.MethodGet, "/ocs/v2.php/cloud/user", "admin", "secret").Code)
	}
	if diff := cmp.Diff([]int{500, 500, 200}, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	if calls := s.Calls(); len(calls) != 6 || calls[1].User != "admin" || calls[1].Status != 500 {
		t.Errorf("got %v, want all six calls", calls)
	}
}
