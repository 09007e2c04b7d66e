// Package functionstest runs the whole gateway in the process of a test: all
// functions behind the handler of package endpoint, with a real store and a clock
// that the test controls. Requests get the responses that clients get. Begin with
// [New].
package functionstest

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/docs/docstest"
	"github.com/voiceassist/gateway/functions"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/ratelimit/redislimit"
	"github.com/voiceassist/gateway/shared/store"
)

// The credentials of [Gateway.Person].
const (
	Email    = "ada@example.org"
	Password = "correct horse battery staple"
)

// Origin is the only allowed origin.
const Origin = "https://app.example.org"

// A Gateway is a gateway for one test. Its methods fail the test instead of
// returning errors. It is safe for concurrent use.
type Gateway struct {
	*functions.Parts
	*environment
	Undescribed bool // responses are not compared with docs/openapi.json

	tb       testing.TB
	settings endpoint.Settings
	handler  http.Handler
}

// An environment is the clock and the log of a gateway.
type environment struct {
	mu  sync.Mutex
	now time.Time
	log bytes.Buffer
}

// In returns the same gateway for a subtest.
func (g *Gateway) In(tb testing.TB) *Gateway {
	return &Gateway{Parts: g.Parts, environment: g.environment, Undescribed: g.Undescribed, tb: tb, settings: g.settings, handler: g.handler}
}

// New returns a gateway on db. Passwords cost as little as bcrypt allows.
func New(tb testing.TB, db *store.DB) *Gateway {
	tb.Helper()
	return NewWith(tb, db, nil)
}

// NewWith is [New] with settings. There are no rate limits except those in extra.
func NewWith(tb testing.TB, db *store.DB, extra map[string]string) *Gateway {
	tb.Helper()
	g := &Gateway{tb: tb, environment: &environment{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}}
	vars := map[string]string{
		keyring.Variable: keyring.Generate().Reveal(), "ALLOWED_ORIGINS": Origin, "LOG_LEVEL": "debug",
	}
	maps.Copy(vars, ratelimit.Off())
	maps.Copy(vars, extra)
	var all functions.Settings
	all.Limits.AllowRedis = true
	var redis redislimit.Settings
	env := config.Map(vars)
	if err := env.Load(&all); err != nil {
		tb.Fatal(err)
	}
	var limits ratelimit.Store
	if all.Limits.Store == ratelimit.InRedis {
		if err := env.Load(&redis); err != nil {
			tb.Fatal(err)
		}
		limits = redis.Open()
	}
	g.Parts = all.Parts(db, all.Keys.Ring(), limits, g.time)
	g.AnswerStep = 0 // tests of the time of responses set it
	const cheapest, slots, queue = 4, 4, 1000
	g.Passwords = password.NewHasher(cheapest, slots, queue)
	g.Passwords.Breaches = all.Passwords.Breaches.Checker()
	db.SetLoginLifetime(g.Tokens.Logins.Absolute)
	log := slog.New(slog.NewJSONHandler(g.environment, nil))
	db.LogTo(log)
	settings := all.Endpoint(log, g.Limits)
	settings.Now = g.time
	tb.Cleanup(func() { g.Limits.Close() })
	g.settings = settings
	g.handler = endpoint.New(settings, append(g.Routes(), g.Pages()...)...)
	return g
}

// NewWithNextcloud is [NewWith] with a new simulated Nextcloud. The password of its
// administrator is [Password].
func NewWithNextcloud(tb testing.TB, db *store.DB, extra map[string]string) (*Gateway, *nextcloudtest.Server) {
	tb.Helper()
	cloud := nextcloudtest.New(nextcloudtest.Options{AdminPassword: Password})
	server := httptest.NewServer(cloud)
	tb.Cleanup(func() {
		server.Close()
		if err := cloud.Close(); err != nil { // removes the files
			tb.Error(err)
		}
	})
	vars := map[string]string{"NEXTCLOUD_URL": server.URL, "NEXTCLOUD_ADMIN_USER": "admin", "NEXTCLOUD_ADMIN_PASSWORD": Password}
	maps.Copy(vars, extra)
	return NewWith(tb, db, vars), cloud
}

// Settings returns the settings of the handler, for tests that build another one.
func (g *Gateway) Settings() endpoint.Settings { return g.settings }

// Handle replaces the handler of the gateway, and sets Undescribed.
func (g *Gateway) Handle(h http.Handler) { g.handler, g.Undescribed = h, true }

func (e *environment) time() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now
}

// Advance moves the clock forward by d.
func (e *environment) Advance(d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now = e.now.Add(d)
}

// Log returns the log so far.
func (e *environment) Log() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.log.String()
}

// Write appends to the log.
func (e *environment) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.log.Write(p)
}

// An Answer is the response to a request.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	Took   time.Duration

	tb testing.TB
}

// An Option adds something to a request.
type Option func(*http.Request)

// Bearer sends an access token.
func Bearer(access string) Option { return Header("Authorization", "Bearer "+access) }

// Header sets a header.
func Header(name, value string) Option { return func(r *http.Request) { r.Header.Set(name, value) } }

// From sends the request from another address.
func From(address string) Option {
	return func(r *http.Request) { r.RemoteAddr = net.JoinHostPort(address, "40000") }
}

// Cookie sends the refresh cookie.
func Cookie(refresh string) Option {
	return func(r *http.Request) { r.AddCookie(&http.Cookie{Name: token.RefreshCookie, Value: refresh}) }
}

// Form is a body of form fields.
type Form url.Values

// Do sends a request. The body may be nil, a [Form], a string to send unchanged,
// or a value to send as JSON. The test fails if docs/openapi.json does not describe the
// response, unless g is Undescribed.
func (g *Gateway) Do(method, path string, body any, options ...Option) Answer {
	g.tb.Helper()
	contentType := "application/json"
	var text string
	switch b := body.(type) {
	case nil:
		contentType = ""
	case Form:
		contentType, text = "application/x-www-form-urlencoded", url.Values(b).Encode()
	case string:
		text = b
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			g.tb.Fatalf("body of %s %s: %v", method, path, err)
		}
		text = string(raw)
	}
	r := httptest.NewRequestWithContext(g.tb.Context(), method, "https://gateway.example.org"+path, strings.NewReader(text))
	r.RemoteAddr = "192.0.2.7:40000"
	r.Header.Set("User-Agent", "test device")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for _, option := range options {
		option(r)
	}
	rec := httptest.NewRecorder()
	begin := time.Now()
	g.handler.ServeHTTP(rec, r)
	took := time.Since(begin)
	resp := rec.Result()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		g.tb.Fatalf("answer of %s %s: %v", method, path, err)
	}
	if isCall := strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/.well-known/"); isCall && !g.Undescribed {
		docstest.CheckResponse(g.tb, r, resp, raw)
	}
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: string(raw), Took: took, tb: g.tb}
}

// Want fails the test unless the answer has the status and, if code is not "", is
// a problem with that code. It returns the answer.
func (a Answer) Want(status int, code string) Answer {
	a.tb.Helper()
	if a.Status != status || code != "" && a.Get("code") != code {
		a.tb.Fatalf("got %d %s, want %d %s", a.Status, a.Body, status, code)
	}
	return a
}

// Into decodes the body.
func (a Answer) Into(v any) {
	a.tb.Helper()
	if err := json.Unmarshal([]byte(a.Body), v); err != nil {
		a.tb.Fatalf("answer %d %q is no such JSON: %v", a.Status, a.Body, err)
	}
}

// Get returns the member of the body at the path of names as text, or "" if there
// is none.
func (a Answer) Get(path ...string) string {
	a.tb.Helper()
	var v any
	a.Into(&v)
	for _, name := range path {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		text, err := json.Marshal(v)
		if err != nil {
			a.tb.Fatal(err)
		}
		return string(text)
	}
}

// RefreshCookie returns the value of the refresh cookie that the answer sets, and
// whether it sets one.
func (a Answer) RefreshCookie() (string, bool) {
	a.tb.Helper()
	for _, c := range (&http.Response{Header: a.Header}).Cookies() {
		if c.Name == token.RefreshCookie {
			return c.Value, true
		}
	}
	return "", false
}

// A Pair is a pair of tokens.
type Pair struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

// Register creates an account and returns its id.
func (g *Gateway) Register(email, plain string) account.ID {
	g.tb.Helper()
	body := map[string]string{"email": email, "password": plain, "full_name": "Ada Lovelace"}
	return account.ID(g.Do("POST", "/api/auth/register", body).Want(http.StatusOK, "").Get("user", "id"))
}

// Login logs in.
func (g *Gateway) Login(email, plain string) Pair {
	g.tb.Helper()
	var p Pair
	body := map[string]string{"email": email, "password": plain}
	g.Do("POST", "/api/auth/login", body).Want(http.StatusOK, "").Into(&p)
	return p
}

// Person registers [Email] and logs in.
func (g *Gateway) Person() (account.ID, Pair) {
	g.tb.Helper()
	id := g.Register(Email, Password)
	return id, g.Login(Email, Password)
}

// Admin creates an administrator and logs in.
func (g *Gateway) Admin(email string) (account.ID, Pair) {
	g.tb.Helper()
	id := g.Register(email, Password)
	a, err := g.DB.Account(g.tb.Context(), id)
	if err != nil {
		g.tb.Fatal(err)
	}
	role := account.Admin
	err = g.DB.Update(g.tb.Context(), func(tx *store.Tx) error {
		_, err := tx.ChangeAccount(g.tb.Context(), tx.Operator(), a, store.Changes{Role: &role}, g.time())
		return err
	})
	if err != nil {
		g.tb.Fatal(err)
	}
	return id, g.Login(email, Password)
}

// Pending creates an account without a password and returns its id.
func (g *Gateway) Pending(email account.Email) account.ID {
	g.tb.Helper()
	now := g.time()
	a := account.Account{
		ID: account.NewID(), Email: email, Role: account.User, Preferences: document.Empty, CreatedAt: now, UpdatedAt: now,
	}
	err := g.DB.Update(g.tb.Context(), func(tx *store.Tx) error { return tx.CreateAccount(g.tb.Context(), a, "") })
	if err != nil {
		g.tb.Fatal(err)
	}
	return a.ID
}
