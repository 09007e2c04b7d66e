package test_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestOutage kills PostgreSQL ten times under load. Clients get only success, 503 with
// Retry-After, or a correct response after a change with an unknown outcome. Afterwards, the
// gateway still has everything that it confirmed.
func TestOutage(t *testing.T) {
	t.Parallel()
	const clients, kills, between = 8, 10, 100 // successful responses between two kills
	server := storetest.NewKillable(t)
	p := start(t, t.TempDir(), nil, "DATABASE_URL="+server.URL())
	load, stop := context.WithCancel(t.Context())
	defer stop()
	given := &answers{counts: map[string]int{}, enough: make(chan struct{}, 1)}
	all := make([]*retryingClient, clients)
	var running sync.WaitGroup
	for i := range all {
		all[i] = &retryingClient{t: t, p: p, given: given, email: fmt.Sprintf("patient%d@example.org", i), password: storePassword}
		running.Go(func() { all[i].live(load) })
	}
	for n := range kills {
		given.awaits(between)
		select {
		case <-given.enough: // more are in progress
		case <-time.After(answerTime):
			t.Fatalf("too few requests succeeded before kill %d; responses: %v", n, given)
		}
		if n%3 == 2 {
			server.KillSession()
			continue
		}
		server.Kill()
		server.Start()
	}
	stop()
	running.Wait()
	for _, c := range all {
		c.verify()
	}
	t.Logf("responses: %v", given)
	if strings.Contains(p.stdout.String(), `"level":"ERROR"`) {
		t.Error("the log has an error")
	}
}

// answers counts responses by request and result.
type answers struct {
	mu     sync.Mutex
	counts map[string]int
	left   int           // successes still awaited
	enough chan struct{} // receives a value once there are that many
}

func (a *answers) note(what string, success bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.counts[what]++
	if !success {
		return
	}
	if a.left--; a.left == 0 {
		a.enough <- struct{}{}
	}
}

func (a *answers) awaits(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left = n
}

// String lists the counts.
func (a *answers) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var lines []string
	for _, what := range slices.Sorted(maps.Keys(a.counts)) {
		lines = append(lines, fmt.Sprintf("%6d %s", a.counts[what], what))
	}
	return "\n" + strings.Join(lines, "\n")
}

// A retryingClient is a client that repeats requests that get 503, and knows what must be true.
type retryingClient struct {
	t     *testing.T
	p     *process
	given *answers

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
	for n := 0; ctx.Err() == nil && !c.t.Failed(); n++ {
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
		if n%2 == 1 {
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

func (c *retryingClient) account() string {
	return fmt.Sprintf(`{"email":%q,"password":%q}`, c.email, c.password)
}

func (c *retryingClient) login() {
	c.pair(c.do("POST", "/api/auth/login", c.account(), nil, 0))
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
		c.t.Errorf("%s: got no tokens in %q", c.email, text)
	}
	c.access, c.refresh = pair.Access, pair.Refresh
}

// create creates a session and returns how many more it may have created along the way.
func (c *retryingClient) create(title string, id *string) (unknown int) {
	var made struct{ ID string }
	text := c.do("POST", "/api/sessions", fmt.Sprintf(`{"title":%q}`, title), &unknown, 0)
	if err := json.Unmarshal([]byte(text), &made); err != nil {
		c.t.Errorf("%s: got no session in %q", c.email, text)
	}
	*id = made.ID
	return unknown
}

// list compares all sessions with the expected ones.
func (c *retryingClient) list() {
	var list []struct{ ID, Title string }
	if err := json.Unmarshal([]byte(c.do("GET", "/api/sessions?limit=200", "", nil, 0)), &list); err != nil {
		c.t.Errorf("%s: %v", c.email, err)
	}
	found := map[string]string{}
	for _, s := range list {
		found[s.ID] = s.Title
	}
	for id, title := range c.sessions {
		if found[id] != title {
			c.t.Errorf("%s: session %s has the title %q, want the confirmed %q", c.email, id, found[id], title)
		}
	}
	if over := len(found) - len(c.sessions); over > c.unknown {
		c.t.Errorf("%s: got %d unconfirmed sessions, want at most %d, the number of unknown outcomes", c.email, over, c.unknown)
	}
}

// verify checks that the client is still signed in and that its last password works.
func (c *retryingClient) verify() {
	c.list()
	c.rotate()
	c.login()
}

// do repeats the request until the status is not 503, and returns the body. If an earlier
// 503 says that the change may have been made, done is the status that confirms it was;
// otherwise only success is right. unknown counts such responses.
func (c *retryingClient) do(method, path, body string, unknown *int, done int) string {
	maybe := 0
	if unknown == nil {
		unknown = &maybe
	}
	for {
		status, code, text := c.ask(method, path, body)
		switch {
		case status < 300:
			return text
		case status == http.StatusServiceUnavailable:
			if code == "outcome_unknown" {
				*unknown++
			}
			wait(c.t.Context(), 20*time.Millisecond)
		case status == done && *unknown > 0:
			return text
		default:
			c.t.Errorf("%s: %s %s: got %d %s after %d responses with an unknown outcome", c.email, method, path, status, text, *unknown)
			return text
		}
		if c.t.Context().Err() != nil {
			return ""
		}
	}
}

// ask sends one request.
func (c *retryingClient) ask(method, path, body string) (status int, code, text string) {
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.p.https+path, strings.NewReader(body))
	if err != nil {
		c.t.Error(err)
		return 0, "", ""
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.access != "" {
		r.Header.Set("Authorization", "Bearer "+c.access)
	}
	resp, err := c.p.client.Do(r)
	if err != nil {
		c.t.Error(err)
		return 0, "", ""
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Error(err)
	}
	var problem struct{ Code string }
	if resp.StatusCode >= 300 {
		if err := json.Unmarshal(raw, &problem); err != nil {
			c.t.Errorf("got %d %s, want a problem document", resp.StatusCode, raw)
		}
	}
	if resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" {
		c.t.Errorf("503 %s without Retry-After", problem.Code)
	}
	route := path
	if rest, ok := strings.CutPrefix(path, "/api/sessions/"); ok && rest != "" {
		route = "/api/sessions/{id}"
	}
	c.given.note(strings.TrimSpace(fmt.Sprintf("%d %s %s %s", resp.StatusCode, problem.Code, method, route)), resp.StatusCode < 300)
	return resp.StatusCode, problem.Code, string(raw)
}
