package endpoint_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/endpoint"
)

func TestFile_IsKeptAndRevalidated(t *testing.T) {
	t.Parallel()
	h := endpoint.File("text/plain", []byte("hello"), time.Hour)
	tag := ""
	for _, want := range []struct {
		status int
		body   string
	}{{http.StatusOK, "hello"}, {http.StatusNotModified, ""}} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/file", http.NoBody)
		r.Header.Set("If-None-Match", tag)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		tag = w.Header().Get("ETag")
		if w.Code != want.status || w.Body.String() != want.body || w.Header().Get("Cache-Control") != "public, max-age=3600" {
			t.Errorf("got %d %q %v, want %v", w.Code, w.Body, w.Header(), want)
		}
	}
}
