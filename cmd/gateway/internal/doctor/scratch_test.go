package doctor_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/cmd/gateway/internal/doctor"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

// TestScratch lets each step fail; the account is gone every time.
func TestScratch(t *testing.T) {
	t.Parallel()
	html := func(status int) nextcloudtest.Fault {
		return nextcloudtest.Answer(status, "text/html", bodyWords, 0)
	}
	on := nextcloudtest.On
	for _, c := range []struct {
		name  string
		fault nextcloudtest.Fault
		match func(*http.Request) bool
		check string
		words []string
	}{
		{"the search for leftovers fails", html(502), func(r *http.Request) bool { return r.URL.Query().Get("search") != "" },
			"leftovers", []string{"no usable response (status 502)"}},
		{"making is forbidden", html(403), on("POST", "/cloud/users"), "scratch-account", []string{"creating a scratch account"}},
		{"making crashes, and made it", nextcloudtest.CrashAfter(), on("POST", "/cloud/users"), "scratch-account", []string{"the connection broke (status 500)"}},
		{"making is cut off, and made it", nextcloudtest.CutAfter(), on("POST", "/cloud/users"), "scratch-account", []string{"the connection broke"}},
		{"no app password", nextcloudtest.Crash(), func(r *http.Request) bool {
			user, _, _ := r.BasicAuth()
			return user != "admin" && strings.HasSuffix(r.URL.Path, "/getapppassword")
		}, "scratch-login", []string{"requesting an app password"}},
		{"a proxy knows no PROPFIND", html(405), on("PROPFIND", ""), "dav-list", []string{"listing the folder"}},
		{"a proxy without WebDAV", html(404), on("PROPFIND", ""), "dav-list", []string{"not found", "/remote.php/"}},
		{"a proxy that limits bodies", html(413), on("PUT", ".txt"), "dav-put", []string{"too large (status 413)", "client_max_body_size"}},
		{"a full disk", html(507), on("PUT", ".txt"), "dav-put", []string{"storage is full", "disk"}},
		{"other bytes arrive", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			r.Body = io.NopCloser(strings.NewReader(strings.Repeat("x", int(r.ContentLength))))
			next.ServeHTTP(w, r)
		}, on("PUT", ".txt"), "dav-put", []string{"other bytes"}},
		{"other bytes come back", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("ETag", `"1"`)
			_, _ = w.Write([]byte(bodyWords))
		}, on("GET", ".txt"), "dav-get", []string{"differs", "proxy"}},
		{"the file breaks off", nextcloudtest.CutInside(), on("GET", ".txt"), "dav-get", []string{"reading the file"}},
		{"deleting is forbidden", html(403), on("DELETE", ".txt"), "dav-delete", []string{"forbidden (status 403)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.cloud.Fail(nextcloudtest.Times(10, c.fault, c.match))
			f.examine(t).only(t, doctor.Failed, c.check, c.words...)
			f.cleared(t)
			if f.cloud.FailedLogins() != 0 {
				t.Errorf("got %d failed logins", f.cloud.FailedLogins())
			}
		})
	}
}

func TestScratch_NamesTheAccountThatItCannotRemove(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.cloud.Fail(nextcloudtest.Times(9, nextcloudtest.Crash(), func(r *http.Request) bool {
		return r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/cloud/users/")
	}))
	r := f.examine(t)
	for _, u := range f.cloud.Users() {
		if strings.HasPrefix(u.ID, "va-doctor-") {
			r.only(t, doctor.Failed, "scratch-removal", u.ID, "may still exist", "occ user:delete "+u.ID)
			return
		}
	}
	t.Errorf("no account is left:\n%s", r)
}

// TestScratch_LostAnswerToTheRemoval looks whether the account is
// there before it says so.
func TestScratch_LostAnswerToTheRemoval(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.cloud.Fail(nextcloudtest.Times(1, nextcloudtest.CutAfter(), func(r *http.Request) bool {
		return r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/cloud/users/")
	}))
	f.examine(t).without(t, doctor.Failed)
	f.cleared(t)
}

// TestAdmin_RefusedCredentialsAreNotRetried changes the password while we
// examine.
func TestAdmin_RefusedCredentialsAreNotRetried(t *testing.T) {
	t.Parallel()
	const old = "va-doctor-20260102030405-abcdefghijklm"
	for _, c := range []struct{ method, suffix, check string }{
		{http.MethodGet, "/cloud/users", "admin-rights"},
		{http.MethodGet, "/getapppassword", "admin-password"},
		{http.MethodDelete, old, "leftovers"},
		{http.MethodPost, "/cloud/users", "scratch-account"},
	} {
		t.Run(c.check, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.cloud.AddUser(old, "hunter2", "")
			f.cloud.Fail(nextcloudtest.Times(1, func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
				f.cloud.SetPassword("admin", "another one")
				next.ServeHTTP(rw, r)
			}, nextcloudtest.On(c.method, c.suffix)))
			f.examine(t).only(t, doctor.Failed, c.check, "rejected")
			if f.cloud.FailedLogins() != 1 {
				t.Errorf("got %d failed logins, want one", f.cloud.FailedLogins())
			}
		})
	}
}

func TestLeftovers(t *testing.T) {
	t.Parallel()
	const (
		old     = "va-doctor-20260102030405-abcdefghijklm"
		young   = "va-doctor-20260102095500-abcdefghijklm"
		foreign = "va-doctor-bob"
	)
	now := func(c *doctor.Config) {
		c.Now = func() time.Time { return time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC) }
	}
	f := newFixture(t)
	for _, id := range []string{old, young, foreign} {
		f.cloud.AddUser(id, "hunter2", "")
	}
	r := f.examine(t, now)
	r.without(t, doctor.Failed)
	r.want(t, doctor.OK, "leftovers", "removed "+old)
	for id, want := range map[string]bool{old: false, young: true, foreign: true} {
		if _, there := f.cloud.User(id); there != want {
			t.Errorf("%s is there: %t, want %t", id, there, want)
		}
	}
	f.cloud.AddUser(old, "hunter2", "")
	f.cloud.Fail(nextcloudtest.Times(2, nextcloudtest.Crash(), nextcloudtest.On(http.MethodDelete, old)))
	f.examine(t, now).want(t, doctor.Warning, "leftovers", old, "occ user:delete "+old)
}
