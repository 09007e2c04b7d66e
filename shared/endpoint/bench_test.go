package endpoint_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/identity/account"
)

// A sink is a ResponseWriter that keeps nothing but the headers, as net/http does for each
// request.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header             { return s.header }
func (*sink) Write(b []byte) (int, error)       { return len(b), nil }
func (*sink) WriteString(s string) (int, error) { return len(s), nil }
func (s *sink) WriteHeader(status int)          { s.status = status }

// nothing is a writer that discards what is logged, unlike [slog.DiscardHandler] after it was
// encoded.
type nothing struct{}

func (nothing) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkServe serves what every authenticated request costs, without the database and
// without net/http.
func BenchmarkServe(b *testing.B) {
	auth, header := newAuthenticator()
	h := endpoint.New(endpoint.Settings{Log: slog.New(slog.NewJSONHandler(nothing{}, nil)), Now: time.Now},
		endpoint.Route{
			Pattern: "GET /api/users/me",
			Handler: endpoint.Authenticated(auth, http.StatusOK,
				func(_ context.Context, c endpoint.Caller, _ endpoint.None) (account.Profile, error) {
					return c.Account.Profile(), nil
				}),
		})
	r := httptest.NewRequest(http.MethodGet, "https://localhost/api/users/me", nil)
	_, bearer, _ := strings.Cut(header(ada), ": ")
	r.Header.Set("Authorization", bearer)
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	b.ReportAllocs()
	for b.Loop() {
		w := &sink{header: http.Header{}}
		h.ServeHTTP(w, r)
		if w.status != http.StatusOK {
			b.Fatalf("status %d", w.status)
		}
	}
}
