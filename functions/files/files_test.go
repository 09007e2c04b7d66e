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

// A world is a gateway with a Nextcloud, and a user with a folder there.
type world struct {
	*functionstest.Gateway

	t      *testing.T
	cloud  *nextcloudtest.Server
	front  atomic.Pointer[http.HandlerFunc] // if set, answers PROPFIND instead of the cloud
	server *httptest.Server
	ada    functionstest.Option
}

func newWorld(t *testing.T, db *store.DB) *world {
	t.Helper()
	w := &world{t: t, cloud: nextcloudtest.New(nextcloudtest.Options{AdminPassword: functionstest.Password})}
	t.Cleanup(func() {
		if err := w.cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	w.server = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if front := w.front.Load(); front != nil && r.Method == "PROPFIND" {
			(*front)(out, r)
			return
		}
		w.cloud.ServeHTTP(out, r)
	}))
	t.Cleanup(w.server.Close)
	w.Gateway = functionstest.NewWith(t, db, map[string]string{
		"NEXTCLOUD_URL": w.server.URL, "NEXTCLOUD_ADMIN_USER": "admin", "NEXTCLOUD_ADMIN_PASSWORD": functionstest.Password,
		"NEXTCLOUD_PUBLIC_URL": "https://cloud.example.org/nc",
	})
	_, p := w.Person()
	w.ada = functionstest.Bearer(p.Access)
	w.reconcile()
	return w
}

func (w *world) reconcile() {
	w.t.Helper()
	if res, err := w.Reconciler.RunBatch(w.t.Context(), 10); err != nil || res.Failed > 0 {
		w.t.Fatalf("%+v, %v", res, err)
	}
}

// do sends a request for a path, escaped as in a URL, as ada.
func (w *world) do(method, path string, body any, options ...functionstest.Option) functionstest.Answer {
	w.t.Helper()
	return w.Do(method, "/api/files/"+path, body, append(options, w.ada)...)
}

func (w *world) want(paths ...string) {
	w.t.Helper()
	if diff := cmp.Diff(paths, w.cloud.Paths(functionstest.Email)); diff != "" {
		w.t.Errorf("paths (-want +got):\n%s", diff)
	}
}

func header(name, value string) functionstest.Option { return functionstest.Header(name, value) }

func TestFiles(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		made := w.do("PUT", "Documents/", nil).Want(http.StatusCreated, "")
		if made.Header.Get("Location") != "/api/files/Documents/" || made.Body != "" {
			t.Errorf("got %v %q", made.Header, made.Body)
		}
		w.do("PUT", "Documents/", nil).Want(http.StatusNoContent, "")
		w.do("PUT", "Documents/", nil, header("If-None-Match", "*")).Want(http.StatusPreconditionFailed, "precondition_failed")
		stored := w.do("PUT", "Documents/a%20b.txt", "first").Want(http.StatusCreated, "")
		if stored.Header.Get("Location") != "/api/files/Documents/a%20b.txt" || stored.Header.Get("ETag") == "" || stored.Body != "" {
			t.Errorf("got %v %q", stored.Header, stored.Body)
		}
		got := w.do("GET", "Documents/a%20b.txt", nil).Want(http.StatusOK, "")
		if got.Body != "first" || got.Header.Get("ETag") != stored.Header.Get("ETag") || got.Header.Get("Content-Length") != "5" ||
			got.Header.Get("Last-Modified") == "" || got.Header.Get("Accept-Ranges") != "bytes" ||
			!strings.HasPrefix(got.Header.Get("Content-Disposition"), "attachment") || got.Header.Get("Content-Security-Policy") != "sandbox; default-src 'none'" {
			t.Errorf("got %v %q", got.Header, got.Body)
		}
		if len(got.Header.Values("Set-Cookie")) > 0 {
			t.Error("cookies of Nextcloud reach the client")
		}
		head := w.do("HEAD", "Documents/a%20b.txt", nil).Want(http.StatusOK, "")
		if head.Body != "" || head.Header.Get("Content-Length") != "5" || head.Header.Get("ETag") != got.Header.Get("ETag") {
			t.Errorf("got %v %q", head.Header, head.Body)
		}
		if a := w.do("PUT", "Documents/a%20b.txt", "the second").Want(http.StatusNoContent, ""); a.Header.Get("ETag") == "" {
			t.Errorf("got %v", a.Header)
		}
		list := w.do("GET", "Documents/", nil).Want(http.StatusOK, "")
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
		w.do("DELETE", "Documents/a%20b.txt", nil).Want(http.StatusNoContent, "")
		w.do("DELETE", "Documents/a%20b.txt", nil).Want(http.StatusNotFound, "file_not_found")
		if a := w.do("GET", "Documents/", nil).Want(http.StatusOK, ""); strings.TrimSpace(a.Body) != "[]" {
			t.Errorf("got %s", a.Body)
		}
		w.want("Documents/")
	})
}

func TestRead_RangesAndConditions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	etag := w.do("PUT", "a", "0123456789").Want(http.StatusCreated, "").Header.Get("ETag")
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
			got := w.In(t).Do("GET", "/api/files/a", nil, w.ada, header(tt.header, tt.value))
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
	w := newWorld(t, storetest.SQLite(t))
	w.do("PUT", "a", "1", header("If-None-Match", "*")).Want(http.StatusCreated, "")
	w.do("PUT", "a", "2", header("If-None-Match", "*")).Want(http.StatusPreconditionFailed, "precondition_failed")
	w.do("PUT", "a", "3", header("If-Match", `"x"`)).Want(http.StatusPreconditionFailed, "precondition_failed")
	w.do("PUT", "b", "4", header("If-Match", "*")).Want(http.StatusPreconditionFailed, "precondition_failed")
	w.do("DELETE", "a", nil, header("If-Match", `"x"`)).Want(http.StatusPreconditionFailed, "precondition_failed")
	if got := w.do("GET", "a", nil).Body; got != "1" {
		t.Errorf("got content %q", got)
	}
	w.want("a")
}

func TestWrite_Rejects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	w.do("PUT", "folder/", nil).Want(http.StatusCreated, "")
	w.do("PUT", "file", "x").Want(http.StatusCreated, "")
	w.do("PUT", "a", "x", header("Content-Range", "bytes 0-0/9")).Want(http.StatusBadRequest, "partial_put")
	w.do("PUT", "a", "x", header("Content-Encoding", "gzip")).Want(http.StatusUnsupportedMediaType, "unsupported_encoding")
	w.do("PUT", "a/", "x").Want(http.StatusBadRequest, "unexpected_body")
	inChunks := func(r *http.Request) { r.ContentLength = -1 }
	w.do("PUT", "a/", "x", inChunks).Want(http.StatusBadRequest, "unexpected_body")
	w.do("PUT", "no/a", "x").Want(http.StatusConflict, "parent_missing")
	w.do("PUT", "file/a", "x").Want(http.StatusConflict, "parent_missing")
	w.do("PUT", "no/a/", nil).Want(http.StatusConflict, "parent_missing")
	w.do("PUT", "folder", "x").Want(http.StatusConflict, "is_folder")
	w.do("PUT", "file/", nil).Want(http.StatusConflict, "is_file")
	w.do("GET", "folder", nil).Want(http.StatusConflict, "is_folder")
	w.do("GET", "file/", nil).Want(http.StatusConflict, "is_file")
	w.do("GET", "no", nil).Want(http.StatusNotFound, "file_not_found")
	w.do("GET", "no/", nil).Want(http.StatusNotFound, "file_not_found")
	w.do("DELETE", "", nil).Want(http.StatusUnprocessableEntity, "validation_failed")
	w.do("PATCH", "file", "x").Want(http.StatusMethodNotAllowed, "method_not_allowed")
	w.want("file", "folder/")
}

func TestNames_RoundTrip(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
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
		w.do("PUT", escaped, want).Want(http.StatusCreated, "")
		if got := w.do("GET", escaped, nil).Want(http.StatusOK, ""); got.Body != want {
			t.Errorf("%s: got content %q", escaped, got.Body)
		}
		var entries []struct{ Name, Path string }
		w.do("GET", "", nil).Want(http.StatusOK, "").Into(&entries)
		entries = slices.DeleteFunc(entries, func(e struct{ Name, Path string }) bool { return e.Name == "welcome.txt" })
		if len(entries) != 1 || entries[0].Name != want || entries[0].Path != want {
			t.Errorf("%s: listed as %q", escaped, entries)
		}
		w.do("DELETE", escaped, nil).Want(http.StatusNoContent, "")
	}
}

func TestPaths_NeverLeaveTheFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	w.Register("bob@example.org", functionstest.Password)
	bob := functionstest.Bearer(w.Login("bob@example.org", functionstest.Password).Access)
	w.reconcile()
	w.Do("PUT", "/api/files/secret", "bob's", bob).Want(http.StatusCreated, "")
	w.do("PUT", "a/", nil).Want(http.StatusCreated, "")
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
			got := w.do(method, path, body)
			if got.Status != http.StatusUnprocessableEntity && got.Status != http.StatusBadRequest {
				t.Errorf("%s %s: got %d %s", method, path, got.Status, got.Body)
			}
		}
	}
	for _, to := range []string{"../bob@example.org/b", "a/../../bob@example.org/b", "..", "a//b", `..\b`, "a\u0000b", "x.part", ""} {
		w.do("PUT", "mine", "x")
		for _, how := range []string{"move_to", "copy_to"} {
			w.do("POST", "mine", map[string]string{how: to}).Want(http.StatusUnprocessableEntity, "validation_failed")
		}
	}
	w.want("a/", "mine")
	if got := w.cloud.Paths("bob@example.org"); len(got) != 1 {
		t.Errorf("bob's file: got %q", got)
	}
	for _, call := range w.cloud.Calls() {
		if call.User == functionstest.Email && strings.Contains(call.Path, "bob") {
			t.Errorf("the gateway sent %+v", call)
		}
	}
}

func TestFiles_OfOtherUsersAreNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	w.do("PUT", "secret", "ada's").Want(http.StatusCreated, "")
	w.Register("bob@example.org", functionstest.Password)
	bob := functionstest.Bearer(w.Login("bob@example.org", functionstest.Password).Access)
	w.reconcile()
	for _, path := range []string{"secret", functionstest.Email + "/secret"} {
		w.Do("GET", "/api/files/"+path, nil, bob).Want(http.StatusNotFound, "file_not_found")
		w.Do("DELETE", "/api/files/"+path, nil, bob).Want(http.StatusNotFound, "file_not_found")
		w.Do("POST", "/api/files/"+path, `{"move_to":"x"}`, bob).Want(http.StatusNotFound, "file_not_found")
	}
	w.Do("GET", "/api/files/secret", nil).Want(http.StatusUnauthorized, "missing_token")
	w.Do("PUT", "/api/files/secret", "x").Want(http.StatusUnauthorized, "missing_token")
	w.want("secret")
}

func TestFiles_MoveAndCopy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	w.do("PUT", "a/", nil).Want(http.StatusCreated, "")
	w.do("PUT", "1", "one").Want(http.StatusCreated, "")
	w.do("PUT", "2", "two").Want(http.StatusCreated, "")
	if got := w.do("POST", "1", `{"copy_to":"a/ä 100%"}`).Want(http.StatusCreated, ""); got.Header.Get("Location") != "/api/files/a/%C3%A4%20100%25" || got.Body != "" {
		t.Errorf("got %v %q", got.Header, got.Body)
	}
	w.do("POST", "1", `{"move_to":"2"}`).Want(http.StatusPreconditionFailed, "file_exists")
	w.do("POST", "1", `{"move_to":"/2","overwrite":true}`).Want(http.StatusNoContent, "")
	if got := w.do("GET", "2", nil).Body; got != "one" {
		t.Errorf("got content %q", got)
	}
	w.do("POST", "2", `{"move_to":"a","overwrite":true}`).Want(http.StatusConflict, "is_folder")
	w.do("POST", "2", `{"move_to":"no/2"}`).Want(http.StatusConflict, "parent_missing")
	w.do("POST", "no", `{"move_to":"3"}`).Want(http.StatusNotFound, "file_not_found")
	for _, body := range []string{
		`{}`, `{"move_to":"3","copy_to":"4"}`, `{"move_to":null}`, `{"move_to":5}`, `{"moveto":"3"}`,
		`{"move_to":"a/x/y"}`, `{"move_to":"a"}`,
	} {
		w.do("POST", "a", body).Want(http.StatusUnprocessableEntity, "validation_failed")
	}
	w.do("POST", "", `{"move_to":"x"}`).Want(http.StatusUnprocessableEntity, "validation_failed")
	w.do("POST", "a", `{"move_to":"b"}`).Want(http.StatusCreated, "")
	w.want("2", "b/", "b/ä 100%")
}

// A lost chunk is sent again.
func TestWrite_RetriesLostChunks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	w.do("PUT", "a", "before").Want(http.StatusCreated, "")
	var chunks atomic.Int32
	w.cloud.Fail(func(r *http.Request) nextcloudtest.Fault {
		if r.Method == http.MethodPut && chunks.Add(1) <= 2 {
			return nextcloudtest.CutBefore()
		}
		return nil
	})
	w.do("PUT", "a", "after").Want(http.StatusNoContent, "")
	if got := w.do("GET", "a", nil).Body; got != "after" {
		t.Errorf("got content %q", got)
	}
}

func TestMaxBody_NamesTheAlternative(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	w.do("PUT", "large", strings.Repeat("x", 2000)).Want(http.StatusCreated, "")
	f := &files.Function{
		Auth: &endpoint.Authenticator{Keys: w.Tokens.Access, Logins: w.DB, Now: w.Now}, Storage: w.Storage, MaxBody: 1000,
	}
	w.Handle(endpoint.New(w.Settings(), f.Routes()...))
	for _, got := range []functionstest.Answer{
		w.do("GET", "large", nil).Want(http.StatusRequestEntityTooLarge, "too_large_here"),
		w.do("PUT", "a%20b", strings.Repeat("x", 1001)).Want(http.StatusRequestEntityTooLarge, "too_large_here"),
	} {
		for _, part := range []string{"https://cloud.example.org/nc/remote.php/dav/files/", "/api/users/me/nextcloud/app-password"} {
			if !strings.Contains(got.Get("detail"), part) {
				t.Errorf("%q does not contain %s", got.Get("detail"), part)
			}
		}
	}
	if got := w.do("GET", "large", nil, header("Range", "bytes=0-999")).Want(http.StatusPartialContent, ""); len(got.Body) != 1000 {
		t.Errorf("got %d bytes", len(got.Body))
	}
	w.do("HEAD", "large", nil).Want(http.StatusOK, "")
	w.do("PUT", "small", strings.Repeat("x", 1000)).Want(http.StatusCreated, "")
	w.want("large", "small")
}
