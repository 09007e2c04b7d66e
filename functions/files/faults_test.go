package files_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestStorage_TranslatesNextcloudErrors(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t))
	f.do("PUT", "a", "before").Want(http.StatusCreated, "")
	dav := func(status int, class string) nextcloudtest.Fault {
		return nextcloudtest.Answer(status, "application/xml; charset=utf-8",
			`<d:error xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns"><s:exception>OCA\DAV\`+class+`</s:exception><s:message>upstream words</s:message></d:error>`, 0)
	}
	for _, tt := range []struct {
		name   string
		fault  nextcloudtest.Fault
		status int
		code   string
		retry  bool
	}{
		{"locked", dav(423, "FileLocked"), 409, "locked", true},
		{"locked, by exception name", dav(500, "LockedException"), 409, "locked", true},
		{"full", dav(507, "InsufficientStorage"), 507, "quota_exceeded", false},
		{"too large", dav(413, ""), 413, "file_too_large", false},
		{"not allowed", dav(403, "Forbidden"), 403, "storage_forbidden", false},
		{"an invalid name", dav(400, "InvalidPath"), 422, "validation_failed", false},
		{"maintenance", nextcloudtest.Maintenance(), 503, "storage_unavailable", true},
		{"a crash", nextcloudtest.Crash(), 503, "storage_unavailable", true},
		{"error page of a proxy", nextcloudtest.Answer(502, "text/html", "<h1>Bad Gateway</h1>", 0), 503, "storage_unavailable", true},
		{"a login page", nextcloudtest.Answer(200, "text/html", "<h1>Log in</h1>", 0), 503, "storage_unavailable", true},
		{"locked out", dav(429, "TooManyRequests"), 503, "storage_unavailable", true},
		{"cut before the effect", nextcloudtest.CutBefore(), 503, "storage_unavailable", true},
		{"cut after the effect", nextcloudtest.CutAfter(), 503, "storage_unavailable", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := f.In(t)
			g.Undescribed = true // a Nextcloud answers some of these to uploads only
			f.cloud.Fail(func(*http.Request) nextcloudtest.Fault { return tt.fault })
			defer f.cloud.Fail(nil)
			for method, path := range map[string]string{"GET": "a/", "PUT": "a", "DELETE": "b"} {
				body := any(nil)
				if method == "PUT" {
					body = "after"
				}
				got := g.Do(method, "/api/files/"+path, body, f.ada).Want(tt.status, tt.code)
				if (got.Header.Get("Retry-After") != "") != tt.retry {
					t.Errorf("%s: got Retry-After %q", method, got.Header.Get("Retry-After"))
				}
				if strings.Contains(got.Body, "upstream") || strings.Contains(got.Body, "Sabre") || strings.Contains(got.Body, "<h1>") {
					t.Errorf("%s: response reveals the cause: %s", method, got.Body)
				}
			}
		})
	}
	if got := f.do("GET", "a", nil).Body; got != "before" {
		t.Errorf("got content %q", got)
	}
	f.want("a")
	if n := f.cloud.Uploads(functionstest.Email); n != 0 {
		t.Errorf("%d uploads were left over", n)
	}
}

func TestStorage_NextcloudDown(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t))
	f.server.Close()
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		if got := f.do(method, "a", nil).Want(http.StatusServiceUnavailable, "storage_unavailable"); got.Header.Get("Retry-After") == "" {
			t.Errorf("%s: Retry-After is missing", method)
		}
	}
}

func TestStorage_NotReady(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t))
	f.Register("bob@example.org", functionstest.Password)
	bob := functionstest.Bearer(f.Login("bob@example.org", functionstest.Password).Access)
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		got := f.Do(method, "/api/files/a", nil, bob).Want(http.StatusConflict, "storage_not_ready")
		if got.Header.Get("Retry-After") == "" {
			t.Errorf("%s: Retry-After is missing", method)
		}
	}
	f.reconcile()
	f.Do("GET", "/api/files/", nil, bob).Want(http.StatusOK, "")

	g := functionstest.New(t, storetest.SQLite(t))
	_, p := g.Person()
	g.Do("GET", "/api/files/", nil, functionstest.Bearer(p.Access)).Want(http.StatusConflict, "nextcloud_disabled")
}

// An invalid app password is sent once: each use counts as a failed login for all clients. The
// next login provides the password for another one.
func TestStorage_ReplacesAnInvalidAppPassword(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		f.do("PUT", "a", "mine").Want(http.StatusCreated, "")
		f.cloud.RevokeAll(functionstest.Email)
		failedLogins := f.cloud.FailedLogins()
		for range 5 {
			f.do("GET", "a", nil).Want(http.StatusConflict, "storage_not_ready")
			f.reconcile()
		}
		if got := f.cloud.FailedLogins() - failedLogins; got != 1 {
			t.Errorf("got %d failed logins, want 1", got)
		}
		f.Login(functionstest.Email, functionstest.Password)
		f.reconcile()
		if got := f.do("GET", "a", nil).Want(http.StatusOK, ""); got.Body != "mine" {
			t.Errorf("got content %q", got.Body)
		}
	})
}

// The account is disabled without the gateway; the reconciler is notified and enables it
// again.
func TestStorage_ReenablesADisabledAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t))
	f.cloud.SetEnabled(functionstest.Email, false)
	f.do("GET", "", nil).Want(http.StatusConflict, "storage_not_ready")
	f.reconcile()
	f.do("GET", "", nil).Want(http.StatusOK, "")
}

func TestStorage_DiscardsBrokenUploads(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t))
	f.do("PUT", "old", "as it was").Want(http.StatusCreated, "")
	f.cloud.Fail(func(r *http.Request) nextcloudtest.Fault {
		if r.Method == http.MethodPut {
			return nextcloudtest.Corrupt()
		}
		return nil
	})
	f.do("PUT", "new", "content").Want(http.StatusServiceUnavailable, "upload_corrupted")
	f.do("PUT", "old", "content").Want(http.StatusServiceUnavailable, "upload_corrupted")
	f.cloud.Fail(nil)
	if got := f.do("GET", "old", nil).Body; got != "as it was" {
		t.Errorf("got content %q", got)
	}
	f.want("old")
	if n := f.cloud.Uploads(functionstest.Email); n != 0 {
		t.Errorf("%d uploads were left over", n)
	}
}
