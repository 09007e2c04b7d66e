package faastest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/faas/faastest"
)

func TestMain(m *testing.M) { os.Exit(faastest.Run(m)) }

// function is a Lambda function written as a Go function.
type function func(event string) (string, error)

func (f function) Invoke(_ context.Context, payload []byte) ([]byte, error) {
	s, err := f(string(payload))
	return []byte(s), err
}

func post(t *testing.T, via http.RoundTripper, contentType, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://x/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	resp, err := via.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s %q", resp.StatusCode, b, resp.Header.Values("X-A"))
}

func TestFront_ReadsOnlyItsOwnResponseFormat(t *testing.T) {
	t.Parallel()
	single, multi := `{"statusCode":200,"headers":{"X-A":"1"}}`, `{"statusCode":200,"multiValueHeaders":{"X-A":["1","2"]}}`
	tests := []struct {
		front                    faastest.Front
		single, multi, otherwise string
	}{
		{faastest.FrontV2, `["1"]`, `[]`, "500"},
		{faastest.FrontURL, `["1"]`, `[]`, "502"},
		{faastest.FrontALB, `["1"]`, `[]`, "502"},
		{faastest.FrontV1, `[]`, `["1" "2"]`, "502"},
		{faastest.FrontALBMulti, `[]`, `["1" "2"]`, "502"},
	}
	for _, tt := range tests {
		t.Run(tt.front.String(), func(t *testing.T) {
			t.Parallel()
			answer := func(s string, err error) string {
				return post(t, tt.front.Client(function(func(string) (string, error) { return s, err })), "", "")
			}
			if got, want := answer(single, nil), "200  "+tt.single; got != want {
				t.Errorf("single headers: got %s, want %s", got, want)
			}
			if got, want := answer(multi, nil), "200  "+tt.multi; got != want {
				t.Errorf("headers in lists: got %s, want %s", got, want)
			}
			for _, bad := range []string{``, `{}`, `{"statusCode":0}`, `{"statusCode":200,"body":"%","isBase64Encoded":true}`} {
				if got := answer(bad, nil); !strings.HasPrefix(got, tt.otherwise) {
					t.Errorf("%q: got %s, want %s", bad, got, tt.otherwise)
				}
			}
			if got := answer(single, errors.New("no")); !strings.HasPrefix(got, tt.otherwise) {
				t.Errorf("a failing function: got %s, want %s", got, tt.otherwise)
			}
		})
	}
}

func TestFront_EncodesBodiesLikeAWS(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, contentType, body string
		front                   faastest.Front
		want                    string
	}{
		{"JSON to an HTTP API", "application/json; charset=utf-8", "{}", faastest.FrontV2, `"body":"{}","isBase64Encoded":false`},
		{"a form to an HTTP API", "application/x-www-form-urlencoded", "a=1", faastest.FrontV2, `"body":"YT0x","isBase64Encoded":true`},
		{"text that is not UTF-8", "text/plain", "\xff", faastest.FrontURL, `"body":"/w==","isBase64Encoded":true`},
		{"a form to a REST API", "application/x-www-form-urlencoded", "a=1", faastest.FrontV1, `"body":"a=1"`},
		{"bytes to a load balancer", "image/png", "\x89P", faastest.FrontALB, `"isBase64Encoded":true,"body":"iVA="`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var event string
			post(t, tt.front.Client(function(func(e string) (string, error) { event = e; return "", nil })), tt.contentType, tt.body)
			if !strings.Contains(event, tt.want) {
				t.Errorf("the event lacks %s: %s", tt.want, event)
			}
		})
	}
}

func TestProcess_CallsFailIfTheProcessDies(t *testing.T) {
	t.Parallel()
	p := faastest.Start(t, faastest.Build(t, "../testdata/hello"))
	if e := p.InitError(); e != nil {
		t.Fatalf("init error: %v", e)
	}
	if b, err := p.Invoke(t.Context(), []byte(`{}`)); err != nil || string(b) != `"hello"` {
		t.Errorf("Invoke = %s, %v; want hello", b, err)
	}
	if code := p.Shutdown(); code != -1 {
		t.Errorf("exit code %d, want -1 without SIGTERM", code)
	}
	if _, err := p.Invoke(t.Context(), []byte(`{}`)); !errors.Is(err, faastest.ErrExited) {
		t.Errorf("Invoke = %v, want ErrExited", err)
	}
}
