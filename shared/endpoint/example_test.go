package endpoint_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
)

// A typed function becomes a handler: decoding, status codes and problem documents
// are not its business.
func ExampleJSON() {
	type request struct {
		Name string `json:"name"`
	}
	type response struct {
		Greeting string `json:"greeting"`
	}
	greet := func(_ context.Context, _ audit.Origin, q request) (response, error) {
		return response{"Hello, " + q.Name}, nil
	}
	h := endpoint.New(endpoint.Settings{Log: slog.New(slog.DiscardHandler), Now: time.Now},
		endpoint.Route{Pattern: "POST /greetings", Handler: endpoint.JSON(http.StatusOK, greet)})

	for _, body := range []string{`{"name":"Ada"}`, `["Ada"]`} {
		r := httptest.NewRequest(http.MethodPost, "/greetings", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		fmt.Println(rec.Code, rec.Header().Get("Content-Type"))
	}
	// Output:
	// 200 application/json
	// 400 application/problem+json
}
