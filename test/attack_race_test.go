package test_test

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/voiceassist/gateway/docs"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

// A race is an event between the moment a request is checked and the moment it acts.
type race struct {
	name   string
	parked bool // the client holds back the last byte of the body; otherwise the gateway is held
	happen func(a *assault, r *racer)
}

const (
	afterwards = "an entirely new passphrase"
	fromBefore = "a password in Nextcloud from before"
)

// races returns the events that end the right to do something.
func races() []race {
	logout := func(a *assault, r *racer) {
		r.must(http.StatusNoContent, r.do("POST", "/api/auth/logout", "", r.bearer()))
	}
	disable := func(a *assault, r *racer) {
		r.must(http.StatusOK, r.root.do("PATCH", "/api/users/"+r.id, `{"disabled":true}`, r.root.bearer()))
	}
	return []race{
		{"body held back, logout", true, logout},
		{"body held back, disabling", true, disable},
		{"logout", false, logout},
		{"disabling", false, disable},
		{"change of password", false, func(a *assault, r *racer) {
			body := fmt.Sprintf(`{"old_password":%q,"new_password":%q}`, plain, afterwards)
			r.must(http.StatusOK, r.second.do("POST", "/api/users/change-password", body, r.second.bearer()))
		}},
		{"change of role", false, func(a *assault, r *racer) {
			r.must(http.StatusOK, r.root.do("PATCH", "/api/users/"+r.id, `{"role":"user"}`, r.root.bearer()))
		}},
	}
}

// provenAgain returns the defenses that check a right again when the request acts.
func provenAgain() []string {
	return []string{"LiveLogin", "AccountState", "AdministratorsOnly", "ConfirmedPassword"}
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

// A writingRoute is a route that writes, and how to race it.
type writingRoute struct {
	route    string // as in the API description
	admin    bool   // an administrator sends it
	storage  bool   // needs an account in Nextcloud
	conflict bool   // needs a Nextcloud account that existed before
	password bool   // confirms a password, and is also held after that
	public   bool   // proves nothing before the body is read
	prepare  func(r *racer)
	request  func(r *racer) (path, body string)

	not   []string // races that leave nothing to act on
	twice []string // races that something else also stops, so no counter-proof gets through
}

// writingRoutes returns every route that writes for a user.
func writingRoutes() []writingRoute {
	at := func(path, body string) func(*racer) (string, string) {
		return func(*racer) (string, string) { return path, body }
	}
	thing := func(prefix, body string) func(*racer) (string, string) {
		return func(r *racer) (string, string) { return prefix + r.thing, body }
	}
	session := func(r *racer) {
		r.thing = r.do("POST", "/api/sessions", `{"title":"x"}`, r.bearer()).get("id")
	}
	file := func(r *racer) {
		r.thing = "/api/files/a.txt"
		r.must(http.StatusCreated, r.do("PUT", r.thing, "content", r.bearer()))
	}
	app := func(r *racer) {
		body := fmt.Sprintf(`{"name":"laptop","password":%q}`, plain)
		r.thing = r.do("POST", "/api/users/me/nextcloud/app-password", body, r.bearer()).get("id")
	}
	confirmed := fmt.Sprintf(`{"password":%q}`, plain)
	return []writingRoute{
		{route: "POST /api/users", admin: true, request: func(r *racer) (string, string) {
			return "/api/users", fmt.Sprintf(`{"email":"new-%s","password":%q,"role":"admin"}`, r.email, plain)
		}},
		{route: "PATCH /api/users/{id}", admin: true, request: func(r *racer) (string, string) {
			return "/api/users/" + r.id, `{"disabled":false,"role":"admin"}`
		}},
		{route: "PATCH /api/users/{id}", admin: true, storage: true, request: func(r *racer) (string, string) {
			return "/api/users/" + r.other.id, `{"nextcloud_quota":"1 GB"}`
		}},
		{route: "DELETE /api/users/{id}", admin: true, request: func(r *racer) (string, string) { return "/api/users/" + r.other.id, "" }},
		{route: "POST /api/nextcloud/accounts/{user_id}/retry", admin: true, request: func(r *racer) (string, string) {
			return "/api/nextcloud/accounts/" + r.other.id + "/retry", ""
		}},
		{route: "POST /api/nextcloud/accounts/{user_id}/adopt", admin: true, conflict: true, request: func(r *racer) (string, string) {
			return "/api/nextcloud/accounts/" + r.other.id + "/adopt", fmt.Sprintf(`{"nextcloud_user_id":%q}`, r.other.email)
		}},
		{route: "POST /api/nextcloud/reconcile", admin: true, request: at("/api/nextcloud/reconcile", "")},
		{route: "PUT /api/users/me", request: at("/api/users/me", `{"full_name":"Somebody Else"}`)},
		{route: "PATCH /api/users/me", password: true, request: func(r *racer) (string, string) {
			return "/api/users/me", fmt.Sprintf(`{"email":"new-%s","current_password":%q}`, r.email, plain)
		}},
		{route: "DELETE /api/users/me", password: true, request: at("/api/users/me", confirmed)},
		{route: "POST /api/users/change-password", password: true, request: at("/api/users/change-password",
			fmt.Sprintf(`{"old_password":%q,"new_password":"what a thief remembers"}`, plain))},
		{route: "POST /api/users/me/change-password", password: true, request: at("/api/users/me/change-password",
			fmt.Sprintf(`{"current_password":%q,"new_password":"what a thief remembers"}`, plain))},
		{route: "PUT /api/users/me/password", password: true, request: at("/api/users/me/password",
			fmt.Sprintf(`{"currentPassword":%q,"newPassword":"what a thief remembers"}`, plain))},
		{route: "DELETE /api/users/me/logins/{id}", not: []string{"disabling"}, // which also ends that login
			request: func(r *racer) (string, string) { return "/api/users/me/logins/" + r.login, "" }},
		{route: "POST /api/sessions", request: at("/api/sessions", `{"title":"x"}`)},
		{route: "PATCH /api/sessions/{id}", prepare: session, request: thing("/api/sessions/", `{"title":"y"}`)},
		{route: "DELETE /api/sessions/{id}", prepare: session, request: thing("/api/sessions/", "")},
		// Nextcloud learns about disabled accounts and changed passwords on its own.
		{route: "POST /api/users/me/nextcloud/app-password", storage: true, password: true, twice: []string{"disabling", "change of password"},
			request: at("/api/users/me/nextcloud/app-password", fmt.Sprintf(`{"name":"laptop","password":%q}`, plain))},
		{route: "POST /api/users/me/nextcloud/claim", conflict: true,
			request: at("/api/users/me/nextcloud/claim", fmt.Sprintf(`{"password":%q}`, fromBefore))},
		{route: "DELETE /api/users/me/nextcloud/app-passwords/{id}", storage: true, prepare: app,
			not:     []string{"change of password"}, // the change revokes it
			request: thing("/api/users/me/nextcloud/app-passwords/", "")},
		{route: "PUT /api/files/{path}", storage: true, twice: []string{"disabling"}, request: at("/api/files/new.txt", "what is stored")},
		{route: "DELETE /api/files/{path}", storage: true, twice: []string{"disabling"}, prepare: file, request: thing("", "")},
		{route: "POST /api/files/{path}", storage: true, twice: []string{"disabling"}, prepare: file, request: thing("", `{"move_to":"b.txt"}`)},

		{route: "POST /api/auth/login", public: true, password: true, not: []string{"logout"}, request: func(r *racer) (string, string) {
			return loginAddress, fmt.Sprintf(`{"email":%q,"password":%q}`, r.email, plain)
		}},
		{route: "POST /api/auth/refresh", public: true, request: func(r *racer) (string, string) {
			return "/api/auth/refresh", fmt.Sprintf(`{"refresh_token":%q}`, r.refresh)
		}},
		{route: "POST /api/auth/logout", public: true, request: at("/api/auth/logout?all=true", "")},
	}
}

// nothingProved lists the routes that write without authentication.
var nothingProved = []string{"POST /api/auth/register"}

// TestAttack_Races overtakes every writing route with everything that ends the right to
// write, and prints how often the request acted anyway.
//
// If a client holds back a body, the gateway runs as delivered. Otherwise it has a pause
// between the check and the act, and no other change. `make attack` shows the table.
func TestAttack_Races(t *testing.T) {
	t.Parallel()
	t.Run("every route is raced", func(t *testing.T) {
		t.Parallel()
		known := slices.Clone(nothingProved)
		for _, c := range writingRoutes() {
			known = append(known, c.route)
		}
		for _, operation := range docs.Operations() {
			method, _, _ := strings.Cut(operation, " ")
			if method != "GET" && method != "HEAD" && !slices.Contains(known, operation) {
				t.Errorf("%s writes and is in no race", operation)
			}
		}
	})
	weak := weakenedGateway(t)
	beds := []*testbed{
		{program: gateway(t), does: "is delivered", parked: true},
		{program: weak, does: "keeps SQLite"},
		{program: weak, does: "keeps PostgreSQL", env: []string{"DATABASE_URL=" + database(t)}},
		{program: weak, parked: true, off: provenAgain()},
	}
	t.Run("at the gateway", func(t *testing.T) {
		for _, f := range beds {
			t.Run(cmp.Or(f.does, "without defenses"), func(t *testing.T) {
				t.Parallel()
				f.open(t)
				for _, c := range writingRoutes() {
					for _, it := range races() {
						f.race(c, it)
					}
				}
			})
		}
	})
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "route\trace\ttries\tgot through\tgot through without the defense")
	for _, c := range writingRoutes() {
		for _, it := range races() {
			if !c.has(it) {
				continue
			}
			var defended, lacking tally
			for _, f := range beds {
				sum := &defended
				if f.does == "" {
					sum = &lacking
				}
				got := f.tallies[c.route+it.name]
				sum.tries, sum.through = sum.tries+got.tries, sum.through+got.through
			}
			without := strconv.Itoa(lacking.through)
			switch {
			case lacking.tries == 0:
				without = "(not run)" // excluded by -run
			case c.stoppedTwice(it):
				without += ", stopped twice"
			case lacking.through == 0:
				t.Errorf("%s beside %s: nothing gets through without the defense, so it shows nothing", c.route, it.name)
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\n", c.route, it.name, defended.tries, defended.through, without)
		}
	}
	w.Flush()
}

func (c writingRoute) has(it race) bool {
	_, body := c.request(&racer{person: &person{}, other: &person{}})
	return !slices.Contains(c.not, it.name) && (c.admin || it.name != "change of role") && (!it.parked || body != "" && !c.public)
}

// stoppedTwice reports whether something else also stops the race.
func (c writingRoute) stoppedTwice(it race) bool {
	return slices.ContainsFunc(c.twice, func(name string) bool { return strings.HasSuffix(it.name, name) })
}

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
type tally struct{ tries, through int }

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
		sum.tries++
		if got.ok() {
			sum.through++
			if f.does != "" {
				f.Errorf("%s beside %s, held at %s, was answered with %d %s", c.route, it.name, place, got.status, got.body)
			}
		}
		f.tallies[c.route+it.name] = sum
	}
}

// places returns the places that can hold a request of c.
func (c writingRoute) places(it race) []string {
	switch {
	case it.parked:
		return []string{"body"}
	case c.password && c.public:
		return []string{string(defense.PasswordVerified)}
	case c.password:
		return []string{string(defense.Admitted), string(defense.PasswordVerified)}
	}
	return []string{string(defense.Admitted)}
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
		f.let(place)
	}
	return <-done
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

// let releases the held request.
func (f *testbed) let(place string) {
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
