package reference_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/docs"
)

func TestFiles_AreCompressedForClientsThatAcceptIt(t *testing.T) {
	t.Parallel()
	for accepts, want := range map[string]string{
		"": "", "gzip": "gzip", "br, gzip;q=0.8": "gzip", "GZIP": "gzip", "*": "gzip", "br": "",
		"gzip;q=0": "", "gzip; q=0.0, *": "", "*;q=0": "", "identity": "",
	} {
		for path, contentType := range served(t) {
			rec := get(t, path, "Accept-Encoding", accepts)
			if got := rec.Header().Get("Content-Encoding"); rec.Code != http.StatusOK || got != want {
				t.Errorf("%s for Accept-Encoding %q: %d, encoded as %q, want %q", path, accepts, rec.Code, got, want)
			}
			if got := rec.Header().Get("Content-Type"); got != contentType {
				t.Errorf("%s is %q, want %q", path, got, contentType)
			}
			if got := rec.Header().Get("Vary"); got != "Accept-Encoding" {
				t.Errorf("%s varies by %q", path, got)
			}
			if plain := get(t, path); unzipped(t, rec) != plain.Body.String() ||
				(rec.Header().Get("ETag") == plain.Header().Get("ETag")) != (want == "") {
				t.Errorf("%s for Accept-Encoding %q has another content, or a tag of another form", path, accepts)
			}
		}
	}
}

func TestFiles_ConditionalRequestsInEitherEncoding(t *testing.T) {
	t.Parallel()
	for path := range served(t) {
		for _, accepts := range []string{"", "gzip"} {
			tag := get(t, path, "Accept-Encoding", accepts).Header().Get("ETag")
			rec := get(t, path, "Accept-Encoding", accepts, "If-None-Match", tag)
			if rec.Code != http.StatusNotModified || rec.Body.Len() != 0 || rec.Header().Get("Content-Encoding") != "" {
				t.Errorf("%s again, for Accept-Encoding %q: %d with %d bytes", path, accepts, rec.Code, rec.Body.Len())
			}
		}
	}
}

// served returns the media type of every file by its path.
func served(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{"/docs": "text/html; charset=utf-8", "/openapi.json": "application/json"}
	for _, path := range assets(t, get(t, "/docs").Body.String()) {
		all[path] = "text/css; charset=utf-8"
		if strings.HasSuffix(path, ".js") {
			all[path] = "text/javascript; charset=utf-8"
		}
	}
	return all
}

func unzipped(t *testing.T, rec *httptest.ResponseRecorder) string {
	t.Helper()
	if rec.Header().Get("Content-Encoding") == "" {
		return rec.Body.String()
	}
	r, err := gzip.NewReader(rec.Body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestDocument_HasThePasswordForm holds what "Authorize" needs.
func TestDocument_HasThePasswordForm(t *testing.T) {
	t.Parallel()
	for _, want := range []string{`"flows": {"password": {"tokenUrl": "/api/auth/login", "scopes": {}}}`, `{"bearer": []}, {"password": []}`} {
		if !strings.Contains(docs.OpenAPI(), want) {
			t.Errorf("docs/openapi.json has no %s", want)
		}
	}
	if slices.Contains(docs.Operations(), "POST /api/auth/login") {
		return
	}
	t.Error("nothing answers at the tokenUrl")
}
