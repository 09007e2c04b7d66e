package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/voiceassist/gateway/bench/seed"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// visitors are the users of a filled database. Every request is of another one, so that the
// database cannot answer from what it has just read.
type visitors struct {
	issuer  *token.Issuer
	users   int
	now     time.Time         // when the last one joined
	refresh []map[int]string  // by client: the latest tokens of its users
	turns   [scaleClients]int // by client
}

// newVisitors returns the users of a gateway with these keys.
func newVisitors(keys string, users int, now time.Time) (*visitors, error) {
	name, value, _ := strings.Cut(keys, "=")
	env := config.Map(map[string]string{name: value, "LOGIN_LIFETIME_DAYS": "0", "ACCESS_TOKEN_EXPIRE_MINUTES": "1440"})
	var tokens token.IssuerSettings
	var secrets keyring.Settings
	if err := env.Load(&tokens, &secrets); err != nil {
		return nil, err
	}
	v := &visitors{issuer: tokens.Issuer(secrets.Ring()), users: users, now: now}
	for range scaleClients {
		v.refresh = append(v.refresh, map[int]string{})
	}
	return v, nil
}

// next returns the number of the client's next user. No other client has that user.
func (v *visitors) next(c *client) int {
	v.turns[c.number]++
	own := v.users / scaleClients // users of each client
	return 1 + c.number + scaleClients*(v.turns[c.number]*7919%own)
}

func (v *visitors) tokens(n int) (token.Response, error) {
	l := signin.Login{ID: seed.Login(n, v.users, v.now), UserID: seed.User(n, v.users, v.now), Counter: seed.Counter}
	return v.issuer.Issue(l, account.User, token.InBody, time.Now())
}

func (v *visitors) scenarios() []scenario {
	steps := map[string]func(*client) error{
		"who-am-i": func(c *client) error { return v.as(c, http.StatusOK, http.MethodGet, "/api/users/me", "") },
		"sessions-list": func(c *client) error {
			return v.as(c, http.StatusOK, http.MethodGet, "/api/sessions", "")
		},
		"sessions-create": func(c *client) error {
			return v.as(c, http.StatusCreated, http.MethodPost, "/api/sessions", `{"title":"Kitchen","context":{"room":"kitchen"}}`)
		},
		"refresh": v.renew,
		"login":   v.login,
	}
	var all []scenario
	for _, name := range scaleScenarios() {
		all = append(all, scenario{name: name, steps: []func(*client) error{steps[name]}})
	}
	return all
}

// scaleScenarios returns the names of the scenarios, in order.
func scaleScenarios() []string {
	return []string{"who-am-i", "sessions-list", "sessions-create", "refresh", "login"}
}

// as sends a request of the next user.
func (v *visitors) as(c *client, status int, method, path, body string) error {
	t, err := v.tokens(v.next(c))
	if err != nil {
		return err
	}
	_, err = c.expect(status, newRequest(method, path, t.AccessToken, "application/json", body))
	return err
}

// renew exchanges the latest refresh token of the next user.
func (v *visitors) renew(c *client) error {
	n := v.next(c)
	latest := v.refresh[c.number][n]
	if latest == "" {
		t, err := v.tokens(n)
		if err != nil {
			return err
		}
		latest = t.RefreshToken
	}
	body, err := c.expect(http.StatusOK, post("/api/auth/refresh", "", map[string]string{"refresh_token": latest}))
	if err != nil {
		return err
	}
	var pair struct {
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal(body, &pair); err != nil {
		return fmt.Errorf("refresh: %w", err)
	}
	v.refresh[c.number][n] = pair.Refresh
	return nil
}

// login logs the next user without a second factor in.
func (v *visitors) login(c *client) error {
	n := v.next(c)
	if n%seed.PerSecondFactor == 0 {
		n--
	}
	_, err := c.expect(http.StatusOK, post("/api/auth/login", "", map[string]string{"email": seed.Email(n), "password": password}))
	return err
}
