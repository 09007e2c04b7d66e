package test_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
)

// An attack is one way to get something that is forbidden. It runs twice: against the gateway as
// delivered, where no attempt may get through, and against a gateway without the targeted
// defense, where some attempt must. Otherwise the attack would prove nothing.
type attack struct {
	name     string   // what is attempted
	without  string   // the defense that the counter-proof lacks, see package defense
	settings []string // for both gateways, in addition to the usual ones
	run      func(a *assault)
}

// TestAttack runs every attack and prints the outcomes.
//
// The columns are the attack, the number of attempts, how many of them got through, and how
// many got through on the gateway without the defense. `make attack` shows the table.
func TestAttack(t *testing.T) {
	t.Parallel()
	began := time.Now()
	weak := weakenedGateway(t)
	attacks := allAttacks()
	table := make([]string, len(attacks))
	t.Run("attacks", func(t *testing.T) {
		for i, it := range attacks {
			t.Run(it.name, func(t *testing.T) {
				t.Parallel()
				defended := it.against(t, gateway(t))
				for _, how := range defended.through {
					t.Errorf("got through: %s", how)
				}
				off := []string{it.without, "HashCost"}
				if it.without == "HashForEveryLogin" {
					off = off[:1] // without a cost, a hash takes no measurable time
				}
				open := it.against(t, weak, off...)
				if len(open.through) == 0 {
					t.Errorf("without %q none of %d attempts got through, so they show nothing", it.without, open.attempts)
				}
				t.Logf("without %q this got through: %.2000q", it.without, open.through)
				table[i] = fmt.Sprintf("%s\t%d\t%d\t%d", it.name, defended.attempts, len(defended.through), len(open.through))
			})
		}
	})
	// Write to stdout, which go test shows without -v for the package in the current
	// directory.
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "attack\tattempts\tgot through\tgot through without the defense")
	for _, row := range table {
		fmt.Fprintln(w, cmp.Or(row, "(not run)\t\t\t"))
	}
	w.Flush()
	fmt.Printf("%d attacks in %v\n", len(attacks), time.Since(began).Round(time.Second/10))
}

func allAttacks() []attack {
	return slices.Concat(passwordAttacks(), codeAttacks(), tokenAttacks(), mailAttacks(), browserAttacks(), accessAttacks(), wireAttacks())
}

// against runs the attack on a new gateway without the given defenses.
func (it attack) against(t *testing.T, program string, off ...string) *assault {
	t.Helper()
	cloud := &watchedCloud{Handler: newNextcloud(t)}
	server := httptest.NewServer(cloud)
	t.Cleanup(server.Close)
	secret := keyring.Generate()
	env := slices.Concat(usualLimits(), settings(server), []string{
		keyring.Variable + "=" + secret.Reveal(), "TRUSTED_PROXIES=127.0.0.1", "REGISTRATION_CONFLICT=silent",
	})
	if len(off) > 0 {
		env = append(env, "ATTACKTEST_OFF="+strings.Join(off, ","))
	}
	a := &assault{
		T: t, program: program, off: off, secret: secret.Reveal(), cloud: cloud,
		env: append(env, it.settings...),
	}
	a.start()
	it.run(a)
	return a
}

// start starts the gateway with additional settings, in place of the one that is running.
func (a *assault) start(env ...string) {
	a.Helper()
	a.env = append(a.env, env...)
	a.process = startProgram(a.T, a.program, a.TempDir(), nil, a.env...)
	a.gate = a.process.target()
}

// An assault is one run of an attack. All its clients come through a proxy that the
// gateway trusts and that appends the client's address, so one machine can act as many.
type assault struct {
	*testing.T

	program string
	off     []string // defenses

	process *process
	gate    target
	secret  string // JWT_SECRET, for tokens that only a forger with the key can create
	cloud   *watchedCloud
	env     []string

	last     atomic.Uint32 // of the addresses
	mu       sync.Mutex
	attempts int
	through  []string
}

// attempt counts one attempt and whether it got through.
func (a *assault) attempt(through bool, format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.attempts++
	if through {
		a.through = append(a.through, fmt.Sprintf(format, args...))
	}
}

// address returns an address that nothing else in the assault uses.
func (a *assault) address() string {
	n := a.last.Add(1)
	return fmt.Sprintf("100.64.%d.%d", n>>8, n&0xff)
}

// A visitor is a client address and the headers it sends with every request.
type visitor struct {
	a       *assault
	address string
	headers []string
}

// An answer is the response to a request.
type answer struct {
	status int
	header http.Header
	body   string
}

// get returns a member of the JSON object in the body, or "" if it is missing.
func (r answer) get(path ...string) string {
	var v any
	if json.Unmarshal([]byte(r.body), &v) != nil {
		return ""
	}
	for _, name := range path {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	text, _ := v.(string)
	return text
}

func (r answer) ok() bool { return r.status >= 200 && r.status < 300 }

// newVisitor returns a client with a new address.
func (a *assault) newVisitor(headers ...string) visitor {
	return visitor{a, a.address(), headers}
}

// do sends a request; each header has the form "Name: value". A body that begins with a
// brace is sent as JSON, any other as a form.
func (c visitor) do(method, path, body string, headers ...string) answer {
	c.a.Helper()
	r, err := http.NewRequestWithContext(c.a.Context(), method, c.a.gate.url, strings.NewReader(body))
	if err != nil {
		c.a.Fatal(err)
	}
	// The path is sent unchanged.
	path, query, _ := strings.Cut(path, "?")
	if r.URL.Path, err = url.PathUnescape(path); err != nil {
		c.a.Fatal(err)
	}
	r.URL.RawPath, r.URL.RawQuery = path, query
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if body[0] == '{' {
			r.Header.Set("Content-Type", "application/json")
		}
	}
	for _, h := range append(slices.Clip(c.headers), headers...) {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Content-Type" {
			r.Header.Del(name)
		}
		r.Header.Add(name, value)
	}
	if c.address != "" {
		r.Header.Add("X-Forwarded-For", c.address)
	}
	return c.a.roundTrip(r)
}

func (a *assault) roundTrip(r *http.Request) answer {
	a.Helper()
	resp, err := a.gate.client.Do(r)
	if err != nil {
		a.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		a.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// A person is a signed-in user with an account.
type person struct {
	visitor

	email, id, access, refresh string
}

const plain = "correct horse battery staple"

// person registers a new user and signs them in.
func (a *assault) person() *person {
	a.Helper()
	return a.personAfter(func(string) {})
}

// personAfter is person, but calls before with the e-mail address first.
func (a *assault) personAfter(before func(email string)) *person {
	a.Helper()
	c := a.newVisitor()
	p := &person{visitor: c, email: fmt.Sprintf("p%s@example.org", strings.ReplaceAll(c.address, ".", "-"))}
	before(p.email)
	made := c.do("POST", "/api/auth/register", fmt.Sprintf(`{"email":%q,"password":%q,"full_name":"Private Person"}`, p.email, plain))
	if p.id = made.get("user", "id"); p.id == "" {
		a.Fatalf("register: %d %s", made.status, made.body)
	}
	p.login(plain)
	return p
}

// login signs the person in again.
func (p *person) login(password string) {
	p.a.Helper()
	in := p.do("POST", loginAddress, fmt.Sprintf(`{"email":%q,"password":%q}`, p.email, password))
	if p.access, p.refresh = in.get("access_token"), in.get("refresh_token"); p.access == "" {
		p.a.Fatalf("log in: %d %s", in.status, in.body)
	}
}

// bearer returns the header with the person's access token.
func (p *person) bearer() string { return "Authorization: Bearer " + p.access }

// admin creates an administrator and signs them in.
func (a *assault) admin() *person {
	a.Helper()
	const email = "root@example.org"
	out, code := command(a.T, a.process.cmd.Dir, rootPassword, a.env, "user", "create", "--admin", email)
	if code != 0 {
		a.Fatalf("user create: %s", out)
	}
	p := &person{visitor: a.newVisitor(), email: email}
	p.login(strings.TrimSpace(rootPassword))
	p.id = p.do("GET", "/api/users/me", "", p.bearer()).get("id")
	return p
}

// watchedCloud is a Nextcloud that records the paths of requests.
type watchedCloud struct {
	http.Handler

	mu   sync.Mutex
	seen []string // escaped paths, including those in Destination
}

// ServeHTTP records and serves r.
func (c *watchedCloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.seen = append(c.seen, r.URL.EscapedPath())
	if to := r.Header.Get("Destination"); to != "" {
		if u, err := url.Parse(to); err == nil {
			to = u.EscapedPath()
		}
		c.seen = append(c.seen, to)
	}
	c.mu.Unlock()
	c.Handler.ServeHTTP(w, r)
}

// taken returns the paths recorded since the last call.
func (c *watchedCloud) taken() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := c.seen
	c.seen = nil
	return seen
}
