package test_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

// A testbed is a gateway that runs races.
type testbed struct {
	program string
	off     []string // defenses
	env     []string
	does    string // "" for the gateway without defenses
	parked  bool   // clients hold back bodies here

	*assault

	root    *person
	held    string           // the folder that tells the gateway where to wait
	tallies map[string]tally // by route and race
}

// A tally counts the outcomes of one race.
type tally struct{ attempts, through int }

// open starts the gateway.
func (f *testbed) open(t *testing.T) {
	t.Helper()
	f.held, f.tallies = t.TempDir(), map[string]tally{}
	it := attack{settings: append(unlimited(), append(f.env, "ATTACKTEST_PAUSES="+f.held)...), run: func(a *assault) { f.assault = a }}
	off := f.off
	if f.program != gateway(t) {
		off = append(off, "HashCost")
	}
	it.against(t, f.program, off...)
	f.root = f.admin()
}

// race runs the race once at every place that can hold the request.
func (f *testbed) race(c writingRoute, it race) {
	if !c.has(it) || it.parked != f.parked && f.does != "" {
		return
	}
	for _, place := range c.places(it) {
		got := f.run(c, it, place)
		sum := f.tallies[c.route+it.name]
		sum.attempts++
		if got.ok() {
			sum.through++
			if f.does != "" {
				f.Errorf("%s during %s, held at %s, got %d %s", c.route, it.name, place, got.status, got.body)
			}
		}
		f.tallies[c.route+it.name] = sum
	}
}

// run runs the race with the request held at the place, and returns its response.
func (f *testbed) run(c writingRoute, it race, place string) answer {
	f.Helper()
	r := f.racer(c)
	begun, proceed := make(chan struct{}), make(chan struct{})
	if !it.parked {
		f.arm(place)
	}
	done := make(chan answer, 1)
	go func() { done <- f.send(c, r, it.parked, begun, proceed) }()
	if it.parked {
		<-begun
	} else {
		f.until(func() bool { return f.holds("held", place) }, "no request came to "+place)
	}
	it.happen(f.assault, r)
	close(proceed)
	if !it.parked {
		f.release(place)
	}
	return <-done
}

// A racer is the client that sends the overtaken request.
type racer struct {
	*person

	second *person // the same account, with a second login
	root   *person // an administrator
	other  *person // another user
	login  string  // the ID of the second login
	thing  string  // the ID or path of what the request is about
}

func (r *racer) must(status int, got answer) {
	r.a.Helper()
	if got.status != status {
		r.a.Fatalf("got %d %s, want %d", got.status, got.body, status)
	}
}

// racer creates the participants of one run.
func (f *testbed) racer(c writingRoute) *racer {
	f.Helper()
	before := func(string) {}
	if c.conflict {
		before = func(email string) {
			f.cloud.Handler.(*nextcloudtest.Server).AddUser(email, fromBefore, "")
		}
	}
	r := &racer{person: f.personAfter(before), root: f.root}
	if c.admin {
		r.other = f.personAfter(before)
		r.must(http.StatusOK, f.root.do("PATCH", "/api/users/"+r.id, `{"role":"admin"}`, f.root.bearer()))
	}
	if c.storage {
		r.hasStorage()
	}
	if c.conflict {
		who := r.person
		if c.admin {
			who = r.other
		}
		f.until(func() bool {
			return who.do("GET", "/api/users/me/nextcloud", "", who.bearer()).get("status") == "conflict"
		}, "no conflict came to be")
	}
	second := *r.person
	r.second = &second
	r.second.login(plain)
	list := r.second.do("GET", "/api/users/me/logins", "", r.second.bearer()).body
	for _, entry := range strings.SplitAfter(list, "}") {
		if strings.Contains(entry, `"current":true`) {
			_, rest, _ := strings.Cut(entry, `"id":"`)
			r.login, _, _ = strings.Cut(rest, `"`)
		}
	}
	if c.prepare != nil {
		c.prepare(r)
		if r.thing == "" {
			f.Fatalf("%s has nothing to be about", c.route)
		}
	}
	return r
}

// send sends the request. It closes begun when the gateway asks for the body, and sends
// the last byte of the body once proceed is closed.
func (f *testbed) send(c writingRoute, r *racer, parked bool, begun, proceed chan struct{}) answer {
	method, _, _ := strings.Cut(c.route, " ")
	path, body := c.request(r)
	var from io.Reader = strings.NewReader(body)
	if parked {
		from = &heldBody{Reader: strings.NewReader(body), begun: begun, proceed: proceed}
	}
	req, err := http.NewRequestWithContext(f.Context(), method, f.gate.url+path, from)
	if err != nil {
		f.Error(err)
		return answer{}
	}
	if parked {
		req.ContentLength = int64(len(body))
		req.Header.Set("Expect", "100-continue")
	}
	req.Header.Set("Authorization", "Bearer "+r.access)
	req.Header.Set("X-Forwarded-For", r.address)
	if strings.HasPrefix(body, "{") {
		req.Header.Set("Content-Type", "application/json")
	}
	client := *f.gate.client
	transport := client.Transport.(*http.Transport).Clone()
	transport.ExpectContinueTimeout = time.Minute
	defer transport.CloseIdleConnections()
	client.Transport = transport
	resp, err := client.Do(req)
	if err != nil {
		f.Errorf("%s: %v", c.route, err)
		return answer{}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.Errorf("%s: %v", c.route, err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// A heldBody is a request body that holds back its last byte.
type heldBody struct {
	*strings.Reader

	once           sync.Once
	begun, proceed chan struct{}
}

// Read returns everything but the last byte, and waits before it returns that one.
func (b *heldBody) Read(p []byte) (int, error) {
	b.once.Do(func() { close(b.begun) })
	if left := b.Len(); left > 1 {
		return b.Reader.Read(p[:min(len(p), left-1)])
	}
	<-b.proceed
	return b.Reader.Read(p)
}

// arm tells the gateway to hold the next request that reaches the place.
func (f *testbed) arm(place string) {
	f.Helper()
	if err := os.WriteFile(filepath.Join(f.held, "armed-"+place), nil, 0o600); err != nil {
		f.Fatal(err)
	}
}

func (f *testbed) holds(what, place string) bool {
	_, err := os.Stat(filepath.Join(f.held, what+"-"+place))
	return err == nil
}

// release releases the held request.
func (f *testbed) release(place string) {
	f.Helper()
	if err := os.Remove(filepath.Join(f.held, "held-"+place)); err != nil {
		f.Fatal(err)
	}
}

// until waits for a condition that an idle machine fulfills at once.
func (f *testbed) until(done func() bool, otherwise string) {
	f.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for limit := time.After(time.Minute); !done(); {
		select {
		case <-tick.C:
		case <-limit:
			f.Fatal(otherwise)
		}
	}
}
