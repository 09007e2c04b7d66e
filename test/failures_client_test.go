package test_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// crowd is a number of clients that work until they are stopped.
type crowd struct {
	given   *answers
	clients []*retryingClient
	stop    context.CancelFunc
	running sync.WaitGroup
}

// newCrowd starts clients of the gateway.
func newCrowd(given *answers, p *process, allow allowance) *crowd {
	ctx, stop := context.WithCancel(given.t.Context())
	c := &crowd{given: given, stop: stop}
	given.t.Cleanup(func() { stop(); c.running.Wait() })
	for i := range given.clients {
		client := &retryingClient{
			url: p.https, http: p.client, given: given, allow: allow,
			email: fmt.Sprintf("patient%d@example.org", i), password: storePassword,
		}
		c.clients = append(c.clients, client)
		c.running.Go(func() { client.live(ctx) })
	}
	return c
}

// leave stops the clients, and checks that everything acknowledged to them is there.
func (c *crowd) leave() {
	c.stop()
	c.running.Wait()
	for _, client := range c.clients {
		client.verify()
	}
	c.given.t.Logf("responses: %v", c.given)
}

// An allowance says what clients may meet in a scenario besides success and 503.
type allowance struct {
	cut     bool // connections that break without a response, because the gateway is killed
	refused bool // connections that are refused, because the gateway does not run
	expired bool // access tokens that expire
	limited bool // rate limits
}

// A retryingClient is a client that repeats requests that get 503, and knows what must be true.
type retryingClient struct {
	url    string
	others []string // further gateways, which the client uses in turn with url
	http   *http.Client
	given  *answers
	allow  allowance

	email, password string
	access, refresh string
	sessions        map[string]string // titles by id
	unknown         int               // sessions that may have been created
}

// live registers, signs in and repeats every action until ctx ends. It completes every
// change that it has begun, so that the client knows the outcome.
func (c *retryingClient) live(ctx context.Context) {
	c.sessions = map[string]string{}
	c.do("POST", "/api/auth/register", c.account(), nil, http.StatusConflict)
	c.login()
	for n := 0; ctx.Err() == nil && !c.given.t.Failed(); n++ {
		title := fmt.Sprintf("session %d", n)
		var made struct{ ID string }
		if lost := c.create(title, &made.ID); made.ID != "" {
			c.sessions[made.ID] = title
			c.unknown += lost
		}
		c.do("PATCH", "/api/sessions/"+made.ID, fmt.Sprintf(`{"title":"changed %d"}`, n), nil, 0)
		c.sessions[made.ID] = fmt.Sprintf("changed %d", n)
		c.rotate()
		c.do("GET", "/api/users/me", "", nil, 0)
		c.list()
		if n%2 == 1 || len(c.sessions) > most {
			c.do("DELETE", "/api/sessions/"+made.ID, "", nil, http.StatusNotFound)
			delete(c.sessions, made.ID)
		}
		if n%4 == 3 {
			next := fmt.Sprintf("%s %d", storePassword, n)
			body := fmt.Sprintf(`{"old_password":%q,"new_password":%q}`, c.password, next)
			c.do("POST", "/api/users/change-password", body, nil, http.StatusBadRequest)
			c.password = next
			c.login() // a second login; the first one stays
		}
	}
}

// most is how many sessions a client keeps: fewer than one page of the list.
const most = 100

func (c *retryingClient) account() string {
	return fmt.Sprintf(`{"email":%q,"password":%q}`, c.email, c.password)
}

func (c *retryingClient) login() {
	c.pair(c.do("POST", "/api/auth/login", c.account(), nil, 0))
}

// expiredCodes are the codes of access tokens that a refresh replaces: those that expired,
// and those that are not good at this gateway.
var expiredCodes = []string{"token_expired", "invalid_token"}

// refreshHere refreshes at the gateway that has refused the access token.
func (c *retryingClient) refreshHere() {
	others := c.others
	c.others = nil
	c.rotate()
	c.others = others
}

// rotate refreshes. Whatever the outcome of a refresh, the same token may be sent again.
func (c *retryingClient) rotate() {
	c.pair(c.do("POST", "/api/auth/refresh", fmt.Sprintf(`{"refresh_token":%q}`, c.refresh), nil, 0))
}

func (c *retryingClient) pair(text string) {
	var pair struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal([]byte(text), &pair); err != nil || pair.Refresh == "" {
		c.given.isWrong("%s: got no tokens in %q", c.email, text)
	}
	c.access, c.refresh = pair.Access, pair.Refresh
}

// create creates a session and returns how many more it may have created along the way.
func (c *retryingClient) create(title string, id *string) (unknown int) {
	var made struct{ ID string }
	text := c.do("POST", "/api/sessions", fmt.Sprintf(`{"title":%q}`, title), &unknown, 0)
	if err := json.Unmarshal([]byte(text), &made); err != nil {
		c.given.isWrong("%s: got no session in %q", c.email, text)
	}
	*id = made.ID
	return unknown
}

// list compares all sessions with the expected ones.
func (c *retryingClient) list() {
	var list []struct{ ID, Title string }
	if err := json.Unmarshal([]byte(c.do("GET", "/api/sessions?limit=200", "", nil, 0)), &list); err != nil {
		c.given.isWrong("%s: %v", c.email, err)
	}
	found := map[string]string{}
	for _, s := range list {
		found[s.ID] = s.Title
	}
	for id, title := range c.sessions {
		if found[id] != title {
			c.given.isLost("%s: session %s has the title %q, want the confirmed %q", c.email, id, found[id], title)
		}
	}
	if over := len(found) - len(c.sessions); over > c.unknown {
		c.given.isWrong("%s: got %d unconfirmed sessions, want at most %d, the number of unknown outcomes", c.email, over, c.unknown)
	}
}

// verify checks that the client is still signed in and that its last password works.
func (c *retryingClient) verify() {
	c.list()
	c.rotate()
	c.login()
}

// do repeats the request until the gateway accepts or refuses it, and returns the body. If
// an earlier attempt may have made the change, done is the status that confirms it was;
// otherwise only success is right. unknown counts such attempts.
func (c *retryingClient) do(method, path, body string, unknown *int, done int) string {
	maybe := 0
	if unknown == nil {
		unknown = &maybe
	}
	if len(c.others) > 0 {
		c.url, c.others = c.others[0], append(c.others[1:], c.url)
	}
	for refreshes := 0; c.given.t.Context().Err() == nil; {
		status, code, text := c.ask(method, path, body)
		switch {
		case status > 0 && status < 300:
			return text
		case status == 0 || status == http.StatusServiceUnavailable:
			if code == outcomeUnknown {
				*unknown++
			}
			wait(c.given.t.Context(), 20*time.Millisecond)
		case status == http.StatusUnauthorized && c.allow.expired && slices.Contains(expiredCodes, code) && path != refreshPath && refreshes == 0:
			refreshes++ // as docs/authentication.md says
			c.refreshHere()
		case status == http.StatusTooManyRequests && c.allow.limited:
			wait(c.given.t.Context(), time.Second)
		case status == done && *unknown > 0:
			return text
		default:
			c.given.isWrong("%s: %s %s: got %d %s after %d responses with an unknown outcome", c.email, method, path, status, text, *unknown)
			return text
		}
	}
	return ""
}

const (
	refreshPath    = "/api/auth/refresh"
	outcomeUnknown = "outcome_unknown"
)

// ask sends one request and counts its outcome. The status is 0 if there was no response;
// the code is then [outcomeUnknown] if the request may have been served.
func (c *retryingClient) ask(method, path, body string) (status int, code, text string) {
	r, err := http.NewRequestWithContext(c.given.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.given.isWrong("%v", err)
		return 0, "", ""
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.access != "" {
		r.Header.Set("Authorization", "Bearer "+c.access)
	}
	resp, raw, err := c.send(r)
	if err != nil {
		return 0, c.unanswered(r, err), ""
	}
	var problem struct{ Code string }
	if resp.StatusCode >= 300 {
		if err := json.Unmarshal(raw, &problem); err != nil {
			c.given.isWrong("got %d %s, want a problem document", resp.StatusCode, raw)
		}
	}
	if resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" {
		c.given.isWrong("503 %s without Retry-After", problem.Code)
	}
	route := path
	if rest, ok := strings.CutPrefix(path, "/api/sessions/"); ok && rest != "" {
		route = "/api/sessions/{id}"
	}
	var how outcome
	switch {
	case resp.StatusCode == http.StatusServiceUnavailable:
		how = retryLater
	case resp.StatusCode >= 300:
		how = expected
	case method != http.MethodGet:
		how = changed
	}
	c.given.note(strings.TrimSpace(fmt.Sprintf("%d %s %s %s", resp.StatusCode, problem.Code, method, route)), how)
	return resp.StatusCode, problem.Code, string(raw)
}

func (c *retryingClient) send(r *http.Request) (*http.Response, []byte, error) {
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp, raw, err
}

// unanswered counts a request without a response, and returns the code of its outcome.
func (c *retryingClient) unanswered(r *http.Request, err error) (code string) {
	if c.given.t.Context().Err() != nil {
		return ""
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		if !c.allow.refused {
			c.given.isWrong("%s: %v", c.email, err)
		}
		c.given.note("connection refused", retryLater)
		return ""
	}
	if !c.allow.cut {
		c.given.isWrong("%s: %s %s: %v", c.email, r.Method, r.URL.Path, err)
	}
	c.given.note("no response to "+r.Method, unanswered)
	return outcomeUnknown
}
