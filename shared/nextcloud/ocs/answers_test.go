package ocs_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

const (
	jsonType = "application/json; charset=utf-8"
	htmlType = "text/html; charset=UTF-8"
	page     = "<!DOCTYPE html><title>Log in</title>"
	made     = `{"ocs":{"meta":{"status":"ok","statuscode":200,"message":"OK"},"data":{"id":"ada"}}}`
)

func meta(code int) string {
	return fmt.Sprintf(`{"ocs":{"meta":{"status":"failure","statuscode":%d,"message":"m"},"data":[]}}`, code)
}

// A handmade answer, and the expected results of a read and a write.
type handmade struct {
	name        string
	status      int
	contentType string
	body        string
	header      map[string]string
	read, write error
	uncertain   bool // the write may have taken effect
	retry       time.Duration
}

func handmadeAnswers() []handmade {
	bad, unavailable, uncertain := ocs.ErrBadAnswer, ocs.ErrUnavailable, ocs.ErrUncertain
	return []handmade{
		{name: "success", status: 200, contentType: jsonType, body: made},
		{name: "success in the form of v1", status: 200, contentType: jsonType, body: strings.ReplaceAll(made, "200", "100")},
		{name: "the code decides, not the status", status: 200, contentType: jsonType, body: meta(997),
			read: ocs.ErrUnauthorized, write: ocs.ErrUnauthorized},
		{name: "the code decides, not the message", status: 200, contentType: jsonType,
			body: strings.ReplaceAll(meta(403), `"m"`, `"User already exists"`),
			read: ocs.ErrForbidden, write: ocs.ErrForbidden},
		{name: "an unknown code", status: 400, contentType: jsonType, body: meta(109),
			read: ocs.ErrRefused, write: ocs.ErrRefused},
		{name: "wrong credentials in XML", status: 401, contentType: "text/xml; charset=UTF-8",
			body: "<?xml version=\"1.0\"?>\n<ocs>\n <meta>\n  <statuscode>997</statuscode>\n </meta>\n <data/>\n</ocs>\n",
			read: ocs.ErrUnauthorized, write: ocs.ErrUnauthorized},
		{name: "401 of a proxy", status: 401, contentType: htmlType, body: page,
			read: ocs.ErrUnauthorized, write: ocs.ErrUnauthorized},
		{name: "a success in XML has no data", status: 200, contentType: "application/xml",
			body: "<ocs><meta><statuscode>200</statuscode></meta><data><id>ada</id></data></ocs>", read: bad},
		{name: "HTML instead of JSON", status: 200, contentType: htmlType, body: page, read: bad, write: bad, uncertain: true},
		{name: "HTML declared as JSON", status: 200, contentType: jsonType, body: page, read: bad, write: bad, uncertain: true},
		{name: "half a document", status: 200, contentType: jsonType, body: made[:40], read: bad, write: bad, uncertain: true},
		{name: "two documents", status: 200, contentType: jsonType, body: made + made, read: bad, write: bad, uncertain: true},
		{name: "nothing", status: 200, contentType: jsonType, read: bad, write: bad, uncertain: true},
		{name: "another JSON document", status: 200, contentType: jsonType, body: `{"id":"ada"}`, read: bad, write: bad, uncertain: true},
		{name: "a code that is not a number", status: 200, contentType: jsonType,
			body: strings.ReplaceAll(made, "200", `"200"`), read: bad, write: bad, uncertain: true},
		{name: "a list instead of the user", status: 200, contentType: jsonType, body: meta(200), read: bad},
		{name: "a user without an ID", status: 200, contentType: jsonType,
			body: strings.ReplaceAll(made, `"id"`, `"no"`), read: bad},
		{name: "null instead of the user", status: 200, contentType: jsonType,
			body: strings.ReplaceAll(made, `{"id":"ada"}`, `null`), read: bad},
		{name: "an oversized answer", status: 200, contentType: jsonType, body: made + strings.Repeat(" ", 4<<20),
			read: bad, write: bad, uncertain: true},
		{name: "a redirect to a login page", status: 303, contentType: htmlType, body: page,
			header: map[string]string{"Location": "/login"}, read: bad, write: bad},
		{name: "a missing OCS-APIRequest header", status: 412, contentType: jsonType, body: `{"message":"CSRF check failed"}`,
			read: bad, write: bad},
		{name: "404 of the web server", status: 404, contentType: htmlType, body: page, read: bad, write: bad},
		{name: "405 without a body", status: 405, contentType: jsonType, read: bad, write: bad},
		{name: "429 without a body", status: 429, contentType: htmlType, retry: 10 * time.Minute,
			read: ocs.ErrRateLimited, write: ocs.ErrRateLimited},
		{name: "429 with Retry-After", status: 429, header: map[string]string{"Retry-After": "90"}, retry: 90 * time.Second,
			read: ocs.ErrRateLimited, write: ocs.ErrRateLimited},
		{name: "429 in a document", status: 200, contentType: jsonType, body: meta(429), retry: 10 * time.Minute,
			read: ocs.ErrRateLimited, write: ocs.ErrRateLimited},
		{name: "500 in a document", status: 500, contentType: jsonType, body: meta(500), read: unavailable, write: uncertain},
		{name: "500 in the form of v1", status: 200, contentType: jsonType, body: meta(996), read: unavailable, write: uncertain},
		{name: "500 without a document", status: 500, read: unavailable, write: uncertain},
		{name: "502 of a proxy", status: 502, contentType: htmlType, body: page, read: unavailable, write: uncertain},
		{name: "504 of a proxy", status: 504, contentType: htmlType, body: page, read: unavailable, write: uncertain},
		{name: "503 of a proxy, until a date", status: 503, contentType: htmlType, body: page, read: unavailable, write: unavailable,
			header: map[string]string{"Date": "Mon, 23 Nov 2026 22:20:00 GMT", "Retry-After": "Mon, 23 Nov 2026 22:22:00 GMT"},
			retry:  2 * time.Minute},
		{name: "a date in the past", status: 503, read: unavailable, write: unavailable,
			header: map[string]string{"Date": "Mon, 23 Nov 2026 22:20:00 GMT", "Retry-After": "Mon, 23 Nov 2026 22:12:00 GMT"}},
		{name: "an excessive Retry-After", status: 503, header: map[string]string{"Retry-After": "4000000000"},
			retry: 24 * time.Hour, read: unavailable, write: unavailable},
		{name: "maintenance in a document", status: 503, contentType: jsonType, body: meta(503),
			read: ocs.ErrMaintenance, write: ocs.ErrMaintenance},
		{name: "maintenance on a page", status: 503, contentType: htmlType, body: page, retry: 2 * time.Minute,
			header: map[string]string{"X-Nextcloud-Maintenance-Mode": "1", "Retry-After": "120"},
			read:   ocs.ErrMaintenance, write: ocs.ErrMaintenance},
	}
}

func TestClient_Answers(t *testing.T) {
	t.Parallel()
	for _, tt := range handmadeAnswers() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			client := dial(t, tt, time.Minute)
			_, err := client.User(t.Context(), "ada")
			tt.check(t, "a read", err, tt.read, false)
			err = client.Enable(t.Context(), "ada")
			tt.check(t, "a write", err, tt.write, tt.uncertain || errors.Is(tt.write, ocs.ErrUncertain))
		})
	}
}

// ServeHTTP sends the answer. A client that follows a redirect gets success.
func (tt handmade) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/login" {
		tt.status, tt.contentType, tt.body, tt.header = http.StatusOK, jsonType, made, nil
	}
	for name, value := range tt.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", tt.contentType)
	w.WriteHeader(tt.status)
	_, _ = w.Write([]byte(tt.body)) // the client stops reading an oversized answer
}

func (tt handmade) check(t *testing.T, what string, err, want error, uncertain bool) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
	if err == nil {
		return
	}
	if got := errors.Is(err, ocs.ErrUncertain); got != uncertain {
		t.Errorf("%s: uncertain = %v, want %v: %v", what, got, uncertain, err)
	}
	if got := ocs.RetryAfter(err); got != tt.retry {
		t.Errorf("%s: got retry after %v, want %v", what, got, tt.retry)
	}
	if errors.Is(err, ocs.ErrMaintenance) != errors.Is(want, ocs.ErrMaintenance) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
	if strings.Contains(err.Error(), "DOCTYPE") {
		t.Errorf("%s: the error contains the body: %v", what, err)
	}
}

// An empty list of users must mean that there are no users.
func TestClient_Users_RejectsAnAnswerWithoutAList(t *testing.T) {
	t.Parallel()
	for _, data := range []string{`{}`, `null`, `[]`, `{"users":null}`, `{"users":{}}`, `{"users":[true]}`} {
		t.Run(data, func(t *testing.T) {
			t.Parallel()
			body := strings.ReplaceAll(made, `{"id":"ada"}`, data)
			client := dial(t, handmade{status: 200, contentType: jsonType, body: body}, time.Minute)
			_, err := client.Users(t.Context(), "", 0, 0)
			wantError(t, err, ocs.ErrBadAnswer)
		})
	}
}

func TestClient_AppPassword_RejectsAnAnswerWithoutOne(t *testing.T) {
	t.Parallel()
	for _, body := range []string{made, meta(200)} {
		client := dial(t, handmade{status: 200, contentType: jsonType, body: body}, time.Minute)
		_, err := client.AppPassword(t.Context(), "ada", adaPassword)
		wantError(t, err, ocs.ErrBadAnswer)
		wantError(t, err, ocs.ErrUncertain)
	}
}

func TestError_IsOneShortLine(t *testing.T) {
	t.Parallel()
	body := strings.ReplaceAll(meta(109), `"m"`, `"line one\nline two `+strings.Repeat("x", 500)+`\n"`)
	client := dial(t, handmade{status: 400, contentType: jsonType, body: body}, time.Minute)
	_, err := client.User(t.Context(), "ada")
	want := `nextcloud: get user: refused (status 400, code 109, "line one\nline two ` + strings.Repeat("x", 182) + `…")`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	body = strings.ReplaceAll(meta(109), `"m"`, `"Internal Server Error\n"`)
	client = dial(t, handmade{status: 400, contentType: jsonType, body: body}, time.Minute)
	_, err = client.User(t.Context(), "ada")
	if want = `nextcloud: get user: refused (status 400, code 109, "Internal Server Error")`; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
