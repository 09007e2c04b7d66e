// Package functionstest runs the whole gateway in the test's process: all
// functions behind the real door, on a real store, under a clock that the test
// holds. What a request gets here, a client gets.
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

	"github.com/voiceassist/gateway/functions"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/endpoint"
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

// Origin is the one origin whose pages may call the gateway.
const Origin = "https://app.example.org"

// A Gateway is a gateway of its own for one test. Its methods fail the test
// instead of returning errors, and may be called concurrently.
type Gateway struct {
	*functions.Parts
	*world

	tb       testing.TB
	settings endpoint.Settings
	handler  http.Handler
}

// A world is what changes around the gateway.
type world struct {
	mu  sync.Mutex
	now time.Time
	log bytes.Buffer
}

// In returns the same gateway for a subtest.
func (g *Gateway) In(tb testing.TB) *Gateway {
	return &Gateway{Parts: g.Parts, world: g.world, tb: tb, settings: g.settings, handler: g.handler}
}

// New returns a gateway on db. Passwords cost as little as bcrypt allows.
func New(tb testing.TB, db *store.DB) *Gateway {
	tb.Helper()
	return NewWith(tb, db, nil)
}

// NewWith is [New] with settings. Nothing is limited but what they limit.
func NewWith(tb testing.TB, db *store.DB, extra map[string]string) *Gateway {
	tb.Helper()
	g := &Gateway{tb: tb, world: &world{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}}
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
	const cheapest, slots, queue = 4, 4, 1000
	g.Passwords = password.NewHasher(cheapest, slots, queue)
	db.SetLoginLifetime(g.Tokens.Logins.Absolute)
	log := slog.New(slog.NewJSONHandler(g.world, nil))
	db.LogTo(log)
	settings := all.Endpoint(log, g.Limits)
	settings.Now = g.time
	tb.Cleanup(func() { g.Limits.Close() })
	g.settings = settings
	g.handler = endpoint.New(settings, g.Routes()...)
	return g
}

// NewWithNextcloud is [NewWith] with a Nextcloud of its own, whose administrator
// has the [Password].
func NewWithNextcloud(tb testing.TB, db *store.DB, extra map[string]string) (*Gateway, *nextcloudtest.Server) {
	tb.Helper()
	cloud := nextcloudtest.New(nextcloudtest.Options{AdminPassword: Password})
	server := httptest.NewServer(cloud)
	tb.Cleanup(server.Close)
	vars := map[string]string{"NEXTCLOUD_URL": server.URL, "NEXTCLOUD_ADMIN_USER": "admin", "NEXTCLOUD_ADMIN_PASSWORD": Password}
	maps.Copy(vars, extra)
	return NewWith(tb, db, vars), cloud
}

// Settings returns those of the gateway, for one that is put together otherwise.
func (g *Gateway) Settings() endpoint.Settings { return g.settings }

// Handle lets another handler answer from now on.
func (g *Gateway) Handle(h http.Handler) { g.handler = h }

func (w *world) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// Advance moves the clock.
func (w *world) Advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// Log returns what was logged so far.
func (w *world) Log() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

// Write appends to the log.
func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

// An Answer is what a request got.
type Answer struct {
	Status int
	Header http.Header
	Body   string

	tb testing.TB
}

// An Option adds something to a request.
type Option func(*http.Request)

// Bearer sends an access token.
func Bearer(access string) Option { return Header("Authorization", "Bearer "+access) }

// Header sets a header.
func Header(name, value string) Option { return func(r *http.Request) { r.Header.Set(name, value) } }

// From sends from another address.
func From(address string) Option {
	return func(r *http.Request) { r.RemoteAddr = net.JoinHostPort(address, "40000") }
}

// Cookie sends the refresh cookie.
func Cookie(refresh string) Option {
	return func(r *http.Request) { r.AddCookie(&http.Cookie{Name: token.RefreshCookie, Value: refresh}) }
}

// Form is a body of form fields.
type Form url.Values

// Do sends a request. The body may be nil, a [Form], a string that is sent as
// it is, or a value to send as JSON.
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
	g.handler.ServeHTTP(rec, r)
	resp := rec.Result()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		g.tb.Fatalf("answer of %s %s: %v", method, path, err)
	}
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: string(raw), tb: g.tb}
}

// Want fails the test unless the answer has the status and, when code is not
// "", is a problem of that code. It returns the answer.
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

// Get returns the member of the body that the path of names leads to, as text;
// "" where there is none.
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

// RefreshCookie returns the value of the refresh cookie that the answer sets,
// and whether it sets one at all.
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

// Register makes an account and returns its id.
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

// Admin makes an administrator and logs in.
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
