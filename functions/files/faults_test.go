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
	w := newWorld(t, storetest.SQLite(t))
	w.do("PUT", "a", "before").Want(http.StatusCreated, "")
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
			g := w.In(t)
			w.cloud.Fail(func(*http.Request) nextcloudtest.Fault { return tt.fault })
			defer w.cloud.Fail(nil)
			for method, path := range map[string]string{"GET": "a/", "PUT": "a", "DELETE": "b"} {
				body := any(nil)
				if method == "PUT" {
					body = "after"
				}
				got := g.Do(method, "/api/files/"+path, body, w.ada).Want(tt.status, tt.code)
				if (got.Header.Get("Retry-After") != "") != tt.retry {
					t.Errorf("%s: got Retry-After %q", method, got.Header.Get("Retry-After"))
				}
				if strings.Contains(got.Body, "upstream") || strings.Contains(got.Body, "Sabre") || strings.Contains(got.Body, "<h1>") {
					t.Errorf("%s: response reveals the cause: %s", method, got.Body)
				}
			}
		})
	}
	if got := w.do("GET", "a", nil).Body; got != "before" {
		t.Errorf("got content %q", got)
	}
	w.want("a")
	if n := w.cloud.Uploads(functionstest.Email); n != 0 {
		t.Errorf("%d uploads were left over", n)
	}
}

func TestStorage_NextcloudDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	w.server.Close()
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		if got := w.do(method, "a", nil).Want(http.StatusServiceUnavailable, "storage_unavailable"); got.Header.Get("Retry-After") == "" {
			t.Errorf("%s: Retry-After is missing", method)
		}
	}
}

func TestStorage_NotReady(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	w.Register("bob@example.org", functionstest.Password)
	bob := functionstest.Bearer(w.Login("bob@example.org", functionstest.Password).Access)
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		got := w.Do(method, "/api/files/a", nil, bob).Want(http.StatusConflict, "storage_not_ready")
		if got.Header.Get("Retry-After") == "" {
			t.Errorf("%s: Retry-After is missing", method)
		}
	}
	w.reconcile()
	w.Do("GET", "/api/files/", nil, bob).Want(http.StatusOK, "")

	g := functionstest.New(t, storetest.SQLite(t))
	_, p := g.Person()
	g.Do("GET", "/api/files/", nil, functionstest.Bearer(p.Access)).Want(http.StatusConflict, "nextcloud_disabled")
}

// An invalid app password is sent once: each use counts as a failed login for all clients. The
// next login provides the password for another one.
func TestStorage_ReplacesAnInvalidAppPassword(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		w.do("PUT", "a", "mine").Want(http.StatusCreated, "")
		w.cloud.RevokeAll(functionstest.Email)
		strikes := w.cloud.FailedLogins()
		for range 5 {
			w.do("GET", "a", nil).Want(http.StatusConflict, "storage_not_ready")
			w.reconcile()
		}
		if got := w.cloud.FailedLogins() - strikes; got != 1 {
			t.Errorf("got %d failed logins, want 1", got)
		}
		w.Login(functionstest.Email, functionstest.Password)
		w.reconcile()
		if got := w.do("GET", "a", nil).Want(http.StatusOK, ""); got.Body != "mine" {
			t.Errorf("got content %q", got.Body)
		}
	})
}

// The account is disabled without the gateway; the reconciler is notified and enables it
// again.
func TestStorage_ReenablesADisabledAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	w.cloud.SetEnabled(functionstest.Email, false)
	w.do("GET", "", nil).Want(http.StatusConflict, "storage_not_ready")
	w.reconcile()
	w.do("GET", "", nil).Want(http.StatusOK, "")
}

func TestStorage_DiscardsBrokenUploads(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	w.do("PUT", "old", "as it was").Want(http.StatusCreated, "")
	w.cloud.Fail(func(r *http.Request) nextcloudtest.Fault {
		if r.Method == http.MethodPut {
			return nextcloudtest.Corrupt()
		}
		return nil
	})
	w.do("PUT", "new", "content").Want(http.StatusServiceUnavailable, "upload_corrupted")
	w.do("PUT", "old", "content").Want(http.StatusServiceUnavailable, "upload_corrupted")
	w.cloud.Fail(nil)
	if got := w.do("GET", "old", nil).Body; got != "as it was" {
		t.Errorf("got content %q", got)
	}
	w.want("old")
	if n := w.cloud.Uploads(functionstest.Email); n != 0 {
		t.Errorf("%d uploads were left over", n)
	}
}
