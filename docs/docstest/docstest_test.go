package docstest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/docs"
	"github.com/voiceassist/gateway/docs/docstest"
)

// A recorder is a test that only notes why it failed.
type recorder struct {
	testing.TB

	failures []string
}

func (*recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

// An exchange is what a case sends and gets, in short.
type exchange struct {
	call   string // method and path
	header http.Header
	body   string
	status int
	answer http.Header
	got    string
}

func (x exchange) check(tb testing.TB) {
	tb.Helper()
	method, path, _ := strings.Cut(x.call, " ")
	req := httptest.NewRequestWithContext(tb.Context(), method, "https://gateway.example.org"+path, strings.NewReader(x.body))
	maps.Copy(req.Header, x.header)
	resp := &http.Response{StatusCode: x.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}
	resp.Header.Set("X-Correlation-ID", "a-1")
	if x.got != "" {
		resp.Header.Set("Content-Type", "application/json")
		if x.status >= http.StatusBadRequest {
			resp.Header.Set("Content-Type", "application/problem+json")
		}
	}
	maps.Copy(resp.Header, x.answer)
	docstest.Check(tb, req, []byte(x.body), resp, []byte(x.got))
}

const (
	id   = "01a20bf2-2440-7e4c-a3e1-3ebae471a832"
	user = `{"id":"` + id + `","email":"ada@example.org","full_name":"","role":"user","is_active":true,"is_admin":false,` +
		`"email_verified_at":null,"last_login":null,"preferences":{"a":[1,{}]},` +
		`"nextcloud_user_id":null,"created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00.123456Z"}`
	session = `{"id":"` + id + `","user_id":"` + id + `","title":"x","context":{},` +
		`"created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"}`
)

func problem(status int, code string) string {
	return fmt.Sprintf(`{"type":"urn:voiceassist:problem:%s","title":"%s","status":%d,"detail":"So it is.",`+
		`"instance":"/x","code":"%s","correlation_id":"a-1"}`, code, http.StatusText(status), status, code)
}

var (
	asJSON = http.Header{"Content-Type": {"application/json"}}
	asForm = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	bearer = http.Header{"Www-Authenticate": {`Bearer realm="x"`}}
	pair   = `{"access_token":"a.b.c","token_type":"bearer","expires_in":900,"refresh_expires_in":604800,"role":"user"}`
)

func TestCheck_PassesWhatIsDescribed(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]exchange{
		"an answer":                        {call: "GET /api/users/me", status: 200, got: user},
		"HEAD":                             {call: "HEAD /api/users/me", status: 200, answer: asJSON},
		"an answer without a body":         {call: "DELETE /api/sessions/" + id, status: 204},
		"a problem":                        {call: "GET /api/users/me", status: 401, answer: bearer, got: problem(401, "login_revoked")},
		"a refused request of any kind":    {call: "PATCH /api/users/me", body: `{"x":`, status: 400, got: problem(400, "malformed_json")},
		"an accepted request":              {call: "PATCH /api/users/me", header: asJSON, body: `{"full_name":null}`, status: 200, got: user},
		"an accepted request of nothing":   {call: "PATCH /api/users/me", status: 200, got: user},
		"a form":                           {call: "POST /api/auth/login", header: asForm, body: "username=a&password=b&scope=", status: 200, got: pair},
		"parameters":                       {call: "GET /api/sessions?skip=0&limit=200", status: 200, got: "[" + session + "]"},
		"a more special path first":        {call: "GET /api/users/me/logins", status: 200, got: "[]"},
		"an address in another script":     {call: "GET /api/users/me", status: 200, got: strings.Replace(user, "ada@", "ädä@", 1)},
		"a preflight":                      {call: "OPTIONS /api/users/me", header: http.Header{"Access-Control-Request-Method": {"PUT"}}, status: 204},
		"a method that is not there":       {call: "PUT /api/sessions", status: 405, answer: http.Header{"Allow": {"GET"}}, got: problem(405, "method_not_allowed")},
		"an address that is not there":     {call: "GET /nowhere", status: 404, got: problem(404, "not_found")},
		"one of two types at one status":   {call: "GET /ready", status: 503, answer: http.Header{"Retry-After": {"2"}}, got: problem(503, "starting")},
		"a body that nobody looks at":      {call: "POST /api/nextcloud/reconcile", header: asJSON, body: `x`, status: 409, got: problem(409, "nextcloud_disabled")},
		"a charset with the content type ": {call: "GET /health", status: 200, answer: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, got: `{"status":"ok"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x.check(t)
		})
	}
}

func TestCheck_Fails(t *testing.T) {
	t.Parallel()
	with := func(old, new string) string { return strings.Replace(user, old, new, 1) }
	me := func(got string) exchange { return exchange{call: "GET /api/users/me", status: 200, got: got} }
	for name, test := range map[string]struct {
		exchange
		want string // in the message
	}{
		"a status that is not listed":    {exchange{call: "GET /api/users/me", status: 418, got: problem(418, "teapot")}, "lists [200 400 401 403 429 500 503]"},
		"a path that is not described":   {exchange{call: "GET /api/nope", status: 200, got: `{}`}, "no such path"},
		"a method that is not described": {exchange{call: "PUT /api/sessions", status: 200, got: `{}`}, "no such method"},
		"a 405 without Allow":            {exchange{call: "PUT /api/sessions", status: 405, got: problem(405, "method_not_allowed")}, "Allow is missing"},
		"another content type":           {exchange{call: "GET /api/users/me", status: 200, answer: http.Header{"Content-Type": {"text/html"}}, got: user}, `"text/html"`},
		"a problem as JSON":              {exchange{call: "GET /api/users/me", status: 401, answer: http.Header{"Content-Type": {"application/json"}, "Www-Authenticate": {"Bearer x"}}, got: problem(401, "missing_token")}, "application/problem+json"},
		"a body where there is none":     {exchange{call: "DELETE /api/sessions/" + id, status: 204, got: `{}`}, "none is described"},
		"no body where there is one":     {exchange{call: "GET /api/users/me", status: 200, answer: asJSON}, "EOF"},
		"a body in an answer to HEAD":    {exchange{call: "HEAD /api/users/me", status: 200, got: user}, "HEAD"},
		"no correlation id":              {exchange{call: "GET /api/users/me", status: 200, answer: http.Header{"X-Correlation-Id": nil}, got: user}, "X-Correlation-ID is missing"},
		"a header of another form":       {exchange{call: "GET /api/users/me", status: 503, answer: http.Header{"Retry-After": {"soon"}}, got: problem(503, "timeout")}, "Retry-After"},
		"a 401 without a challenge":      {exchange{call: "GET /api/users/me", status: 401, got: problem(401, "missing_token")}, "WWW-Authenticate is missing"},
		"a preflight with another answer": {exchange{call: "OPTIONS /api/users/me", status: 200,
			header: http.Header{"Access-Control-Request-Method": {"PUT"}}}, "preflight"},
		"a code that is not listed there": {exchange{call: "GET /api/users/me", status: 401, answer: bearer, got: problem(401, "token_reused")}, "/code"},
		"a problem of another status":     {exchange{call: "GET /api/users/me", status: 401, answer: bearer, got: problem(403, "missing_token")}, "/status"},
		"a 422 without the errors":        {exchange{call: "GET /api/sessions", status: 422, got: problem(422, "validation_failed")}, "errors"},

		"an extra member":          {me(with(`"full_name"`, `"hash":"x","full_name"`)), "hash"},
		"a missing member":         {me(with(`"full_name":"",`, ``)), "full_name"},
		"a member of another type": {me(with(`"full_name":""`, `"full_name":7`)), "/full_name"},
		"a null that may not be":   {me(with(`"full_name":""`, `"full_name":null`)), "/full_name"},
		"an id that is none":       {me(with(id, "7")), "/id"},
		"an id of another version": {me(with("-7e4c-", "-4e4c-")), "/id"},
		"a time of another zone":   {me(with("12:00:00Z", "12:00:00+01:00")), "/created_at"},
		"a time in nanoseconds":    {me(with(".123456Z", ".123456789Z")), "/updated_at"},
		"a time that never was":    {me(with("2026-03-01", "2026-02-30")), "/created_at"},
		"an address that is none":  {me(with("ada@example.org", "ada")), "/email"},
		"a role that is none":      {me(with(`"user"`, `"king"`)), "/role"},
		"what is no JSON":          {me(`{"id"`), "not as described"},
		"one bad item of a list":   {exchange{call: "GET /api/sessions", status: 200, got: "[" + session + "," + strings.Replace(session, `{}`, `[]`, 1) + "]"}, "/1/context"},

		"an unknown field was accepted":     {exchange{call: "PATCH /api/users/me", header: asJSON, body: `{"role":"admin"}`, status: 200, got: user}, "role"},
		"no body was accepted":              {exchange{call: "POST /api/auth/login", status: 200, got: pair}, "without a body"},
		"another content type was accepted": {exchange{call: "PATCH /api/users/me", header: asForm, body: `full_name=x`, status: 200, got: user}, "does not list"},
		"an unknown form field was accepted": {exchange{call: "POST /api/auth/login", header: asForm, body: "username=a&password=b&otp=1",
			status: 200, got: pair}, "otp"},
		"a form field twice was accepted":    {exchange{call: "POST /api/auth/login", header: asForm, body: "username=a&username=b&password=b", status: 200, got: pair}, "2 times"},
		"an unknown parameter was accepted":  {exchange{call: "GET /api/sessions?page=2", status: 200, got: "[]"}, "page"},
		"a parameter too large was accepted": {exchange{call: "GET /api/sessions?limit=201", status: 200, got: "[]"}, "limit"},
		"a parameter that is no number":      {exchange{call: "GET /api/sessions?limit=many", status: 200, got: "[]"}, "limit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{TB: t}
			test.check(r)
			if len(r.failures) == 0 {
				t.Fatal("Check passed it")
			}
			if got := strings.Join(r.failures, "\n"); !strings.Contains(got, test.want) {
				t.Errorf("got %s\nwant %q in it", got, test.want)
			}
		})
	}
}

// TestDocument_IsClosed looks for objects that would let anything pass.
func TestDocument_IsClosed(t *testing.T) {
	t.Parallel()
	var d struct {
		Components struct {
			Schemas map[string]struct {
				Type                 any             `json:"type"`
				Properties           json.RawMessage `json:"properties"`
				AdditionalProperties *bool           `json:"additionalProperties"`
			} `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal([]byte(docs.OpenAPI()), &d); err != nil {
		t.Fatal(err)
	}
	for name, s := range d.Components.Schemas {
		if s.Properties != nil && (s.AdditionalProperties == nil || *s.AdditionalProperties) {
			t.Errorf("%s lets members pass that it does not describe", name)
		}
	}
}
