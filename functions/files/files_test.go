package files_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/functions/files"
	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

// A fixture is a gateway with a Nextcloud, and a user with a folder there.
type fixture struct {
	*functionstest.Gateway

	t      *testing.T
	cloud  *nextcloudtest.Server
	front  atomic.Pointer[http.HandlerFunc] // if set, answers PROPFIND instead of the cloud
	server *httptest.Server
	ada    functionstest.Option
}

func newFixture(t *testing.T, db *store.DB) *fixture {
	t.Helper()
	f := &fixture{t: t, cloud: nextcloudtest.New(nextcloudtest.Options{AdminPassword: functionstest.Password})}
	t.Cleanup(func() {
		if err := f.cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	f.server = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if front := f.front.Load(); front != nil && r.Method == "PROPFIND" {
			(*front)(out, r)
			return
		}
		f.cloud.ServeHTTP(out, r)
	}))
	t.Cleanup(f.server.Close)
	f.Gateway = functionstest.NewWith(t, db, map[string]string{
		"NEXTCLOUD_URL": f.server.URL, "NEXTCLOUD_ADMIN_USER": "admin", "NEXTCLOUD_ADMIN_PASSWORD": functionstest.Password,
		"NEXTCLOUD_PUBLIC_URL": "https://cloud.example.org/nc",
	})
	_, p := f.Person()
	f.ada = functionstest.Bearer(p.Access)
	f.reconcile()
	return f
}

func (f *fixture) reconcile() {
	f.t.Helper()
	if res, err := f.Reconciler.RunBatch(f.t.Context(), 10); err != nil || res.Failed > 0 {
		f.t.Fatalf("%+v, %v", res, err)
	}
}

// do sends a request for a path, escaped as in a URL, as ada.
func (f *fixture) do(method, path string, body any, options ...functionstest.Option) functionstest.Answer {
	f.t.Helper()
	return f.Do(method, "/api/files/"+path, body, append(options, f.ada)...)
}

func (f *fixture) want(paths ...string) {
	f.t.Helper()
	if diff := cmp.Diff(paths, f.cloud.Paths(functionstest.Email)); diff != "" {
		f.t.Errorf("paths (-want +got):\n%s", diff)
	}
}

func header(name, value string) functionstest.Option { return functionstest.Header(name, value) }

func TestFiles(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		made := f.do("PUT", "Documents/", nil).Want(http.StatusCreated, "")
		if made.Header.Get("Location") != "/api/files/Documents/" || made.Body != "" {
			t.Errorf("got %v %q", made.Header, made.Body)
		}
		f.do("PUT", "Documents/", nil).Want(http.StatusNoContent, "")
		f.do("PUT", "Documents/", nil, header("If-None-Match", "*")).Want(http.StatusPreconditionFailed, "precondition_failed")
		stored := f.do("PUT", "Documents/a%20b.txt", "first").Want(http.StatusCreated, "")
		if stored.Header.Get("Location") != "/api/files/Documents/a%20b.txt" || stored.Header.Get("ETag") == "" || stored.Body != "" {
			t.Errorf("got %v %q", stored.Header, stored.Body)
		}
		got := f.do("GET", "Documents/a%20b.txt", nil).Want(http.StatusOK, "")
		if got.Body != "first" || got.Header.Get("ETag") != stored.Header.Get("ETag") || got.Header.Get("Content-Length") != "5" ||
			got.Header.Get("Last-Modified") == "" || got.Header.Get("Accept-Ranges") != "bytes" ||
			!strings.HasPrefix(got.Header.Get("Content-Disposition"), "attachment") || got.Header.Get("Content-Security-Policy") != "sandbox; default-src 'none'" {
			t.Errorf("got %v %q", got.Header, got.Body)
		}
		if len(got.Header.Values("Set-Cookie")) > 0 {
			t.Error("cookies of Nextcloud reach the client")
		}
		head := f.do("HEAD", "Documents/a%20b.txt", nil).Want(http.StatusOK, "")
		if head.Body != "" || head.Header.Get("Content-Length") != "5" || head.Header.Get("ETag") != got.Header.Get("ETag") {
			t.Errorf("got %v %q", head.Header, head.Body)
		}
		if a := f.do("PUT", "Documents/a%20b.txt", "the second").Want(http.StatusNoContent, ""); a.Header.Get("ETag") == "" {
			t.Errorf("got %v", a.Header)
		}
		list := f.do("GET", "Documents/", nil).Want(http.StatusOK, "")
		var entries []map[string]any
		list.Into(&entries)
		if len(entries) != 1 {
			t.Fatalf("got %s", list.Body)
		}
		e := entries[0]
		if e["name"] != "a b.txt" || e["path"] != "Documents/a b.txt" || e["type"] != "file" || e["size"] != 10.0 ||
			e["content_type"] != "text/plain" || e["etag"] == "" || e["modified_at"] == nil {
			t.Errorf("got %s", list.Body)
		}
		f.do("DELETE", "Documents/a%20b.txt", nil).Want(http.StatusNoContent, "")
		f.do("DELETE", "Documents/a%20b.txt", nil).Want(http.StatusNotFound, "file_not_found")
		if a := f.do("GET", "Documents/", nil).Want(http.StatusOK, ""); strings.TrimSpace(a.Body) != "[]" {
			t.Errorf("got %s", a.Body)
		}
		f.want("Documents/")
	})
}

func TestRead_RangesAndConditions(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t))
	etag := f.do("PUT", "a", "0123456789").Want(http.StatusCreated, "").Header.Get("ETag")
	for _, tt := range []struct {
		name, header, value string
		status              int
		body                string
	}{
		{"a range", "Range", "bytes=2-4", 206, "234"},
		{"the end", "Range", "bytes=-2", 206, "89"},
		{"after the end", "Range", "bytes=10-", 416, ""},
		{"unchanged", "If-None-Match", etag, 304, ""},
		{"unchanged, weak tag", "If-None-Match", "W/" + etag, 304, ""},
		{"changed", "If-None-Match", `"x"`, 200, "0123456789"},
		{"matching tag", "If-Match", etag, 200, "0123456789"},
		{"another tag", "If-Match", `"x"`, 412, ""},
		{"a range with another tag", "If-Range", `"x"`, 200, "0123456789"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := f.In(t).Do("GET", "/api/files/a", nil, f.ada, header(tt.header, tt.value))
			if got.Status != tt.status || got.Status < 400 && got.Body != tt.body {
				t.Errorf("got %d %q", got.Status, got.Body)
			}
			if got.Status == 206 && got.Header.Get("Content-Range") == "" {
				t.Errorf("got %v", got.Header)
			}
		})
	}
}

func TestWrite_Conditions(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t))
	f.do("PUT", "a", "1", header("If-None-Match", "*")).Want(http.StatusCreated, "")
	f.do("PUT", "a", "2", header("If-None-Match", "*")).Want(http.StatusPreconditionFailed, "precondition_failed")
	f.do("PUT", "a", "3", header("If-Match", `"x"`)).Want(http.StatusPreconditionFailed, "precondition_failed")
	f.do("PUT", "b", "4", header("If-Match", "*")).Want(http.StatusPreconditionFailed, "precondition_failed")
	f.do("DELETE", "a", nil, header("If-Match", `"x"`)).Want(http.StatusPreconditionFailed, "precondition_failed")
	if got := f.do("GET", "a", nil).Body; got != "1" {
		t.Errorf("got content %q", got)
	}
	f.want("a")
}

func TestWrite_Rejects(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t))
	f.do("PUT", "folder/", nil).Want(http.StatusCreated, "")
	f.do("PUT", "file", "x").Want(http.StatusCreated, "")
	f.do("PUT", "a", "x", header("Content-Range", "bytes 0-0/9")).Want(http.StatusBadRequest, "partial_put")
	f.do("PUT", "a", "x", header("Content-Encoding", "gzip")).Want(http.StatusUnsupportedMediaType, "unsupported_encoding")
	f.do("PUT", "a/", "x").Want(http.StatusBadRequest, "unexpected_body")
	inChunks := func(r *http.Request) { r.ContentLength = -1 }
	f.do("PUT", "a/", "x", inChunks).Want(http.StatusBadRequest, "unexpected_body")
	f.do("PUT", "no/a", "x").Want(http.StatusConflict, "parent_missing")
	f.do("PUT", "file/a", "x").Want(http.StatusConflict, "parent_missing")
	f.do("PUT", "no/a/", nil).Want(http.StatusConflict, "parent_missing")
	f.do("PUT", "folder", "x").Want(http.StatusConflict, "is_folder")
	f.do("PUT", "file/", nil).Want(http.StatusConflict, "is_file")
	f.do("GET", "folder", nil).Want(http.StatusConflict, "is_folder")
	f.do("GET", "file/", nil).Want(http.StatusConflict, "is_file")
	f.do("GET", "no", nil).Want(http.StatusNotFound, "file_not_found")
	f.do("GET", "no/", nil).Want(http.StatusNotFound, "file_not_found")
	f.do("DELETE", "", nil).Want(http.StatusUnprocessableEntity, "validation_failed")
	f.do("PATCH", "file", "x").Want(http.StatusMethodNotAllowed, "method_not_allowed")
	f.want("file", "folder/")
}

func TestNames_RoundTrip(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t))
	for escaped, want := range map[string]string{
		"a%20b":                       "a b",
		"100%25":                      "100%",
		"%252e%252e":                  "%2e%2e",
		"%231%3Fx=y&z;p+q=":           "#1?x=y&z;p+q=",
		"%F0%9F%8E%89":                "🎉",
		"%20both%20ends%20":           " both ends ",
		"...":                         "...",
		"a%CC%88":                     "ä",
		strings.Repeat("n", 200):      strings.Repeat("n", 200),
		strings.Repeat("%C3%A4", 100): strings.Repeat("ä", 100),
	} {
		f.do("PUT", escaped, want).Want(http.StatusCreated, "")
		if got := f.do("GET", escaped, nil).Want(http.StatusOK, ""); got.Body != want {
			t.Errorf("%s: got content %q", escaped, got.Body)
		}
		var entries []struct{ Name, Path string }
		f.do("GET", "", nil).Want(http.StatusOK, "").Into(&entries)
		entries = slices.DeleteFunc(entries, func(e struct{ Name, Path string }) bool { return e.Name == "welcome.txt" })
		if len(entries) != 1 || entries[0].Name != want || entries[0].Path != want {
			t.Errorf("%s: listed as %q", escaped, entries)
		}
		f.do("DELETE", escaped, nil).Want(http.StatusNoContent, "")
	}
}

func TestPaths_NeverLeaveTheFolder(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t))
	f.Register("bob@example.org", functionstest.Password)
	bob := functionstest.Bearer(f.Login("bob@example.org", functionstest.Password).Access)
	f.reconcile()
	f.Do("PUT", "/api/files/secret", "bob's", bob).Want(http.StatusCreated, "")
	f.do("PUT", "a/", nil).Want(http.StatusCreated, "")
	f.Undescribed = true // which path is meant is in doubt
	for _, path := range []string{
		"../bob@example.org/secret", "a/../../bob@example.org/secret", "./secret", "a//secret", "//secret",
		"%2e%2e/bob@example.org/secret", "%2e%2e%2fbob@example.org%2fsecret", "..%2fbob@example.org%2fsecret",
		"a/%2e%2e/%2e%2e/bob@example.org/secret", "..%5cbob@example.org%5csecret", "a%00b", "a%0ab", "%ff", "%2f", "a%2fb",
		".htaccess", "a/.HTACCESS", "x.part", strings.Repeat("n", 201), strings.Repeat("%C3%A4", 101),
	} {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "POST"} {
			var body any
			if method == "POST" {
				body = map[string]string{"move_to": "b"}
			} else if method == "PUT" {
				body = "evil"
			}
			got := f.do(method, path, body)
			if got.Status != http.StatusUnprocessableEntity && got.Status != http.StatusBadRequest {
				t.Errorf("%s %s: got %d %s", method, path, got.Status, got.Body)
			}
		}
	}
	for _, to := range []string{"../bob@example.org/b", "a/../../bob@example.org/b", "..", "a//b", `..\b`, "a\u0000b", "x.part", ""} {
		f.do("PUT", "mine", "x")
		for _, how := range []string{"move_to", "copy_to"} {
			f.do("POST", "mine", map[string]string{how: to}).Want(http.StatusUnprocessableEntity, "validation_failed")
		}
	}
	f.want("a/", "mine")
	if got := f.cloud.Paths("bob@example.org"); len(got) != 1 {
		t.Errorf("bob's file: got %q", got)
	}
	for _, call := range f.cloud.Calls() {
		if call.User == functionstest.Email && strings.Contains(call.Path, "bob") {
			t.Errorf("the gateway sent %+v", call)
		}
	}
}

func TestFiles_OfOtherUsersAreNotFound(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t))
	f.do("PUT", "secret", "ada's").Want(http.StatusCreated, "")
	f.Register("bob@example.org", functionstest.Password)
	bob := functionstest.Bearer(f.Login("bob@example.org", functionstest.Password).Access)
	f.reconcile()
	for _, path := range []string{"secret", functionstest.Email + "/secret"} {
		f.Do("GET", "/api/files/"+path, nil, bob).Want(http.StatusNotFound, "file_not_found")
		f.Do("DELETE", "/api/files/"+path, nil, bob).Want(http.StatusNotFound, "file_not_found")
		f.Do("POST", "/api/files/"+path, `{"move_to":"x"}`, bob).Want(http.StatusNotFound, "file_not_found")
	}
	f.Do("GET", "/api/files/secret", nil).Want(http.StatusUnauthorized, "missing_token")
	f.Do("PUT", "/api/files/secret", "x").Want(http.StatusUnauthorized, "missing_token")
	f.want("secret")
}

func TestFiles_MoveAndCopy(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t))
	f.do("PUT", "a/", nil).Want(http.StatusCreated, "")
	f.do("PUT", "1", "one").Want(http.StatusCreated, "")
	f.do("PUT", "2", "two").Want(http.StatusCreated, "")
	if got := f.do("POST", "1", `{"copy_to":"a/ä 100%"}`).Want(http.StatusCreated, ""); got.Header.Get("Location") != "/api/files/a/%C3%A4%20100%25" || got.Body != "" {
		t.Errorf("got %v %q", got.Header, got.Body)
	}
	f.do("POST", "1", `{"move_to":"2"}`).Want(http.StatusPreconditionFailed, "file_exists")
	f.do("POST", "1", `{"move_to":"/2","overwrite":true}`).Want(http.StatusNoContent, "")
	if got := f.do("GET", "2", nil).Body; got != "one" {
		t.Errorf("got content %q", got)
	}
	f.do("POST", "2", `{"move_to":"a","overwrite":true}`).Want(http.StatusConflict, "is_folder")
	f.do("POST", "2", `{"move_to":"no/2"}`).Want(http.StatusConflict, "parent_missing")
	f.do("POST", "no", `{"move_to":"3"}`).Want(http.StatusNotFound, "file_not_found")
	for _, body := range []string{
		`{}`, `{"move_to":"3","copy_to":"4"}`, `{"move_to":null}`, `{"move_to":5}`, `{"moveto":"3"}`,
		`{"move_to":"a/x/y"}`, `{"move_to":"a"}`,
	} {
		f.do("POST", "a", body).Want(http.StatusUnprocessableEntity, "validation_failed")
	}
	f.do("POST", "", `{"move_to":"x"}`).Want(http.StatusUnprocessableEntity, "validation_failed")
	f.do("POST", "a", `{"move_to":"b"}`).Want(http.StatusCreated, "")
	f.want("2", "b/", "b/ä 100%")
}

// A lost chunk is sent again.
func TestWrite_RetriesLostChunks(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t))
	f.do("PUT", "a", "before").Want(http.StatusCreated, "")
	var chunks atomic.Int32
	f.cloud.Fail(func(r *http.Request) nextcloudtest.Fault {
		if r.Method == http.MethodPut && chunks.Add(1) <= 2 {
			return nextcloudtest.CutBefore()
		}
		return nil
	})
	f.do("PUT", "a", "after").Want(http.StatusNoContent, "")
	if got := f.do("GET", "a", nil).Body; got != "after" {
		t.Errorf("got content %q", got)
	}
}

func TestMaxBody_NamesTheAlternative(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t))
	f.do("PUT", "large", strings.Repeat("x", 2000)).Want(http.StatusCreated, "")
	function := &files.Function{
		Auth: &endpoint.Authenticator{Keys: f.Tokens.Access, Logins: f.DB, Now: f.Now}, Storage: f.Storage, MaxBody: 1000,
	}
	f.Handle(endpoint.New(f.Settings(), function.Routes()...))
	for _, got := range []functionstest.Answer{
		f.do("GET", "large", nil).Want(http.StatusRequestEntityTooLarge, "too_large_here"),
		f.do("PUT", "a%20b", strings.Repeat("x", 1001)).Want(http.StatusRequestEntityTooLarge, "too_large_here"),
	} {
		for _, part := range []string{"https://cloud.example.org/nc/remote.php/dav/files/", "/api/users/me/nextcloud/app-password"} {
			if !strings.Contains(got.Get("detail"), part) {
				t.Errorf("%q does not contain %s", got.Get("detail"), part)
			}
		}
	}
	if got := f.do("GET", "large", nil, header("Range", "bytes=0-999")).Want(http.StatusPartialContent, ""); len(got.Body) != 1000 {
		t.Errorf("got %d bytes", len(got.Body))
	}
	f.do("HEAD", "large", nil).Want(http.StatusOK, "")
	f.do("PUT", "small", strings.Repeat("x", 1000)).Want(http.StatusCreated, "")
	f.want("large", "small")
}
