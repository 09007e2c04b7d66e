package endpoint_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/apikey"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// A thing is a request with a field of every kind.
type thing struct {
	Name   string                             `json:"name" form:"name"`
	Secret secret.String                      `json:"secret" form:"secret"`
	Count  int                                `json:"count"`
	Maybe  endpoint.Optional[string]          `json:"maybe"`
	Any    endpoint.Optional[json.RawMessage] `json:"any"`
}

func checkThing(request any) error {
	q, _ := request.(*thing)
	var wrong fault.Fields
	wrong.Check(q.Name != "bad", "name", "bad_name", "Must not be bad.")
	wrong.Check(q.Count >= 0, "count", "negative", "Must not be negative.")
	return wrong.Err()
}

type echo struct {
	Name  string `json:"name"`
	Set   bool   `json:"set"`
	Null  bool   `json:"null"`
	Value string `json:"value"`
	Any   string `json:"any"`
}

// logins knows the accounts that are logged in, each with one login of the same ID.
const (
	ada  = "01890a5d-ac96-774b-bcce-b302099a8057"
	root = "01890a5d-ac96-774b-bcce-b302099a8058"
)

// logins knows ada, a user, and root, an administrator.
type logins struct{}

func (logins) SignedIn(_ context.Context, id account.ID, login signin.ID, _ time.Time) (account.Account, error) {
	switch {
	case string(id) != string(login):
	case id == ada:
		return account.Account{ID: ada, Role: account.User}, nil
	case id == root:
		return account.Account{ID: root, Role: account.Admin}, nil
	}
	return account.Account{}, signin.ErrRevoked
}

// APIKey knows no keys.
func (logins) APIKey(context.Context, apikey.Digest) (apikey.Key, account.Account, error) {
	return apikey.Key{}, account.Account{}, apikey.ErrInvalid
}

func (logins) RecordKeyUse(context.Context, apikey.ID, time.Time) error { return nil }

func (l logins) Holds(ctx context.Context, by signin.Proof, now time.Time) (account.Account, error) {
	return l.SignedIn(ctx, by.User(), by.Login(), now)
}

// newAuthenticator returns an authenticator for logins, and the Authorization
// header of an account.
func newAuthenticator() (a *endpoint.Authenticator, header func(id account.ID) string) {
	keys, err := token.NewKeys(token.Options{
		Algorithm: "HS256", Secrets: []secret.String{"0123456789abcdef0123456789abcdef"}, Issuer: "test", Lifetime: time.Minute,
	})
	if err != nil {
		panic(err)
	}
	return &endpoint.Authenticator{Keys: keys, Logins: logins{}, Now: time.Now}, func(id account.ID) string {
		access, err := keys.Sign(signin.Login{ID: signin.ID(id), UserID: id}, account.User, time.Now())
		if err != nil {
			panic(err)
		}
		return "Authorization: Bearer " + access
	}
}

// A rig is a gateway with a route for every kind of result.
type rig struct {
	handler http.Handler
	log     bytes.Buffer
	events  []endpoint.Event
}

func newRig(t *testing.T, origins ...string) *rig {
	t.Helper()
	r := &rig{}
	auth, _ := newAuthenticator()
	fails := func(err error) http.Handler {
		return endpoint.JSON(http.StatusOK, func(context.Context, audit.Origin, endpoint.None) (echo, error) { return echo{}, err })
	}
	r.handler = endpoint.New(endpoint.Settings{
		Log: slog.New(slog.NewJSONHandler(&r.log, nil)), Origins: origins, Now: time.Now,
		Observe: func(_ context.Context, e endpoint.Event) { r.events = append(r.events, e) },
	}, endpoint.Routes{
		{Pattern: "POST /things", Handler: endpoint.JSON(http.StatusCreated, func(_ context.Context, _ audit.Origin, q thing) (echo, error) {
			return echo{q.Name, q.Maybe.Set, q.Maybe.Null, q.Maybe.Value, string(q.Any.Value)}, nil
		}, checkThing)},
		{Pattern: "GET /things", Handler: endpoint.JSON(http.StatusOK, func(context.Context, audit.Origin, endpoint.None) (echo, error) {
			return echo{Name: "<b>&"}, nil
		})},
		{Pattern: "DELETE /things/{id}", Handler: endpoint.JSON(http.StatusNoContent,
			func(context.Context, audit.Origin, endpoint.None) (endpoint.None, error) { return endpoint.None{}, nil })},
		{Pattern: "POST /things/all", Handler: endpoint.JSON(http.StatusNoContent,
			func(context.Context, audit.Origin, endpoint.None) (endpoint.None, error) { return endpoint.None{}, nil })},
		{Pattern: "GET /mine", Handler: endpoint.Authenticated(auth, http.StatusOK,
			func(_ context.Context, c endpoint.Caller, _ endpoint.None) (echo, error) {
				return echo{Name: string(c.Account.ID)}, nil
			})},
		{Pattern: "POST /mine", Handler: endpoint.Authenticated(auth, http.StatusOK,
			func(context.Context, endpoint.Caller, thing) (echo, error) { return echo{}, nil }, checkThing)},
		{Pattern: "GET /all", Handler: endpoint.AdminOnly(auth, http.StatusOK,
			func(context.Context, endpoint.Admin, endpoint.None) (echo, error) { return echo{}, nil })},
		{Pattern: "GET /broken", Handler: fails(errors.New("dial tcp 10.0.0.5:5432: hunter2"))},
		{Pattern: "GET /down", Handler: fails(fault.New(fault.Unavailable, "down", "Down.").After(1500 * time.Millisecond))},
		{Pattern: "GET /late", Handler: fails(context.DeadlineExceeded)},
		{Pattern: "GET /panic", Handler: endpoint.JSON(http.StatusOK,
			func(context.Context, audit.Origin, endpoint.None) (echo, error) { panic("hunter2") })},
		{Pattern: "GET /half", Handler: endpoint.Raw(func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusOK)
			panic("in the middle")
		})},
		{Pattern: "GET /cut", Handler: endpoint.Raw(func(w http.ResponseWriter, r *http.Request) error {
			w.WriteHeader(http.StatusOK)
			endpoint.RecordError(r, fault.New(fault.Unavailable, "down", "Down."))
			panic(http.ErrAbortHandler)
		})},
	}...)
	return r
}

// do sends a request; each option is a "Name: value" header.
func (r *rig) do(t *testing.T, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, "https://gateway.example.org"+target, strings.NewReader(body))
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if value == "" {
			req.Header.Del(name)
			continue
		}
		req.Header[http.CanonicalHeaderKey(name)] = append(req.Header[http.CanonicalHeaderKey(name)], value)
		if name == "Content-Type" {
			req.Header.Set(name, value)
		}
	}
	rec := httptest.NewRecorder()
	r.handler.ServeHTTP(rec, req)
	return rec
}

func code(t *testing.T, rec *httptest.ResponseRecorder) string {
	t.Helper()
	var p struct {
		Type, Title, Detail, Instance, Code string
		Status                              int
		CorrelationID                       string `json:"correlation_id"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil {
		t.Fatalf("%d %s is not a problem document: %v", rec.Code, rec.Body, err)
	}
	if p.Status != rec.Code || p.Type != "urn:voiceassist:problem:"+p.Code || p.Title != http.StatusText(rec.Code) ||
		p.Detail == "" || p.Instance == "" || p.CorrelationID != rec.Header().Get("X-Correlation-ID") ||
		rec.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("incomplete problem document: %d %v %s", rec.Code, rec.Header(), rec.Body)
	}
	return p.Code
}

func TestStatus_CoversEveryKindOfFault(t *testing.T) {
	t.Parallel()
	for _, k := range fault.Kinds() {
		if status := endpoint.StatusOf(k); http.StatusText(status) == "" || status < 400 {
			t.Errorf("kind %d: got status %d", k, status)
		}
	}
}

func TestDecode_BadInput(t *testing.T) {
	t.Parallel()
	big := `{"name":"` + strings.Repeat("x", endpoint.MaxBody) + `"}`
	exact := `{"name":"` + strings.Repeat("x", endpoint.MaxBody-11) + `"}`
	for _, test := range []struct {
		name, contentType, body string
		status                  int
		code                    string
	}{
		{"a valid body", "application/json", `{"name":"a"}`, 201, ""},
		{"with a charset", "application/json; charset=UTF-8", `{"name":"a"}`, 201, ""},
		{"surrounding space", "application/json", " \n{\"name\":\"a\"}\n ", 201, ""},
		{"no body", "", "", 201, ""},
		{"the maximum size", "application/json", exact, 201, ""},
		{"one byte too large", "application/json", exact + " ", 413, "body_too_large"},
		{"far too large", "application/json", big, 413, "body_too_large"},
		{"an empty JSON body", "application/json", "", 201, ""},
		{"an empty form", "application/x-www-form-urlencoded", "", 201, ""},
		{"an empty text body", "text/plain", "", 201, ""},
		{"truncated", "application/json", `{"name":"a`, 400, "malformed_json"},
		{"an array", "application/json", `[]`, 400, "malformed_json"},
		{"a string", "application/json", `"a"`, 400, "malformed_json"},
		{"null", "application/json", `null`, 400, "malformed_json"},
		{"two objects", "application/json", `{}{}`, 400, "malformed_json"},
		{"text after the object", "application/json", `{} x`, 400, "malformed_json"},
		{"a comment", "application/json", `{/**/}`, 400, "malformed_json"},
		{"a trailing comma", "application/json", `{"name":"a",}`, 400, "malformed_json"},
		{"NaN", "application/json", `{"count":NaN}`, 400, "malformed_json"},
		{"a byte order mark", "application/json", "\ufeff{}", 400, "malformed_json"},
		{"a member twice", "application/json", `{"name":"a","name":"b"}`, 400, "malformed_json"},
		{"a member twice, escaped", "application/json", `{"name":"a","n\u0061me":"b"}`, 400, "malformed_json"},
		{"a member twice, deep inside", "application/json", `{"any":{"a":[{"b":1,"b":2}]}}`, 400, "malformed_json"},
		{"too deep", "application/json", `{"any":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, 400, "malformed_json"},
		{"the maximum depth", "application/json", `{"any":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `}`, 201, ""},
		{"not UTF-8", "application/json", "{\"name\":\"\xff\"}", 400, "malformed_json"},
		{"an unknown member", "application/json", `{"nome":"a"}`, 422, "validation_failed"},
		{"a member in another case", "application/json", `{"Name":"a"}`, 422, "validation_failed"},
		{"a wrong type", "application/json", `{"name":1}`, 422, "validation_failed"},
		{"a fraction for a count", "application/json", `{"count":1.5}`, 422, "validation_failed"},
		{"a count out of range", "application/json", `{"count":1e30}`, 422, "validation_failed"},
		{"a wrong type in an optional", "application/json", `{"maybe":1}`, 422, "validation_failed"},
		{"rejected by its Check", "application/json", `{"name":"bad","count":-1}`, 422, "validation_failed"},
		{"no content type", "", `{"name":"a"}`, 415, "unsupported_media_type"},
		{"text", "text/plain", `{"name":"a"}`, 415, "unsupported_media_type"},
		{"latin-1", "application/json; charset=latin1", `{"name":"a"}`, 415, "unsupported_media_type"},
		{"an invalid content type", ";;;", `{"name":"a"}`, 415, "unsupported_media_type"},
		{"a form", "application/x-www-form-urlencoded", "name=a&secret=b", 201, ""},
		{"an unknown field", "application/x-www-form-urlencoded", "nome=a", 422, "validation_failed"},
		{"a field that only JSON has", "application/x-www-form-urlencoded", "count=1", 422, "validation_failed"},
		{"a field twice", "application/x-www-form-urlencoded", "name=a&name=b", 422, "validation_failed"},
		{"an invalid escape", "application/x-www-form-urlencoded", "name=%zz", 400, "malformed_form"},
		{"a semicolon", "application/x-www-form-urlencoded", "name=a;secret=b", 400, "malformed_form"},
		{"not UTF-8, escaped", "application/x-www-form-urlencoded", "name=%ff", 422, "validation_failed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			rec := newRig(t).do(t, "POST", "/things", test.body, "Content-Type: "+test.contentType)
			if rec.Code != test.status {
				t.Fatalf("got %d %.300s, want %d", rec.Code, rec.Body, test.status)
			}
			if test.code != "" && code(t, rec) != test.code {
				t.Errorf("got %s, want %s", rec.Body, test.code)
			}
		})
	}
}

func TestDecode_ReportsEveryWrongField(t *testing.T) {
	t.Parallel()
	rec := newRig(t).do(t, "POST", "/things", `{"name":"bad","count":-1}`)
	var p struct{ Errors []fault.Field }
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || len(p.Errors) != 2 ||
		p.Errors[0] != (fault.Field{Field: "name", Code: "bad_name", Message: "Must not be bad."}) {
		t.Errorf("got %s, %v", rec.Body, err)
	}
}

func TestOptional_DistinguishesAbsentFromNull(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{}`: `"set":false,"null":false,"value":""`, `{"maybe":null}`: `"set":true,"null":true,"value":""`,
		`{"maybe":""}`: `"set":true,"null":false,"value":""`, `{"maybe":"x"}`: `"set":true,"null":false,"value":"x"`,
	} {
		if rec := newRig(t).do(t, "POST", "/things", body); !strings.Contains(rec.Body.String(), want) {
			t.Errorf("%s: got %s, want %s", body, rec.Body, want)
		}
	}
}

func TestAuthed(t *testing.T) {
	t.Parallel()
	_, header := newAuthenticator()
	for _, test := range []struct {
		name, method, path string
		headers            []string
		status             int
		challenge          string
	}{
		{"a user", "GET", "/mine", []string{header(ada)}, 200, ""},
		{"the scheme in any case", "GET", "/mine", []string{strings.Replace(header(ada), "Bearer", "bEARER", 1)}, 200, ""},
		{"nobody", "GET", "/mine", nil, 401, `Bearer realm="voiceassist"`},
		{"another scheme", "GET", "/mine", []string{"Authorization: Basic dXNlcjp4"}, 401, `Bearer realm="voiceassist"`},
		{"an ended login", "GET", "/mine", []string{header(account.NewID())}, 401, `Bearer realm="voiceassist", error="invalid_token", error_description="login_revoked"`},
		{"a wrong token", "GET", "/mine", []string{"Authorization: Bearer x"}, 401, `Bearer realm="voiceassist", error="invalid_token", error_description="invalid_token"`},
		{"two headers", "GET", "/mine", []string{header(ada), header(root)}, 400, ""},
		{"no token, with an invalid body", "POST", "/mine", nil, 401, `Bearer realm="voiceassist"`},
		{"an administrator", "GET", "/all", []string{header(root)}, 200, ""},
		{"a user on an administrators' route", "GET", "/all", []string{header(ada)}, 403, ""},
		{"no token on an administrators' route", "GET", "/all", nil, 401, `Bearer realm="voiceassist"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			body := ""
			if test.method == "POST" {
				body = `{"`
			}
			rec := newRig(t).do(t, test.method, test.path, body, test.headers...)
			if rec.Code != test.status || rec.Header().Get("WWW-Authenticate") != test.challenge {
				t.Errorf("got %d %q, want %d %q", rec.Code, rec.Header().Get("WWW-Authenticate"), test.status, test.challenge)
			}
		})
	}
}

// TestRoutes_WithTagsRequireACheck: without a check, a route would accept anything.
func TestRoutes_WithTagsRequireACheck(t *testing.T) {
	t.Parallel()
	type tagged struct {
		Name string `json:"name" validate:"required"`
	}
	auth, _ := newAuthenticator()
	plain := func(context.Context, audit.Origin, tagged) (echo, error) { return echo{}, nil }
	authed := func(context.Context, endpoint.Caller, tagged) (echo, error) { return echo{}, nil }
	admins := func(context.Context, endpoint.Admin, tagged) (echo, error) { return echo{}, nil }
	for name, route := range map[string]func(checks ...endpoint.Check){
		"JSON":   func(checks ...endpoint.Check) { endpoint.JSON(http.StatusOK, plain, checks...) },
		"Authed": func(checks ...endpoint.Check) { endpoint.Authenticated(auth, http.StatusOK, authed, checks...) },
		"Admins": func(checks ...endpoint.Check) { endpoint.AdminOnly(auth, http.StatusOK, admins, checks...) },
	} {
		refused := func(checks ...endpoint.Check) (refused bool) {
			defer func() { refused = recover() != nil }()
			route(checks...)
			return false
		}
		if !refused() || refused(checkThing) {
			t.Errorf("%s: rejected without a check = %t, with a check = %t", name, refused(), refused(checkThing))
		}
	}
}
