package test_test

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/faas/faastest"
	"github.com/voiceassist/gateway/shared/ratelimit"
)

// Budgets of a function beyond the smallest possible one, an empty function of
// aws-lambda-go. The test fails at [tolerance] times the durations. Sizes are the same on
// every machine.
const (
	initBudget     = 3 * time.Millisecond   // from exec to the first request for an event
	bareInitBudget = 600 * time.Microsecond // the same, without database and validator
	warmBudget     = 300 * time.Microsecond // of a request to a running process
	zipBudget      = 7                      // MB, of the deployed archive
	memoryBudget   = 20                     // MB, peak resident memory

	tolerance = 2
)

// Times of the empty function on an idle machine. If it takes longer, every function may
// take longer by the same factor.
const (
	emptyInit = 2500 * time.Microsecond
	emptyWarm = 250 * time.Microsecond
)

const (
	sizeRuns     = 3   // of each function, to measure memory
	coldRuns     = 40  // of each function, alternating, to measure time
	warmRuns     = 10  // cold runs that continue
	warmRequests = 100 // of each run that continues
	attempts     = 3   // until one meets every budget, because other load may slow one down
	mega         = 1e6
)

// A subject is a function to measure, and a request that it answers without the database.
type subject struct {
	name, pkg string
	bare      bool // links neither a database nor the validator
	job       bool // has no routes; the request is the event of a schedule
	method    string
	path      string
	body      string
	status    int
}

func subjects() []subject {
	of := func(name, method, path, body string, status int) subject {
		return subject{name: name, pkg: "../functions/" + name + "/bootstrap", method: method, path: path, body: body, status: status}
	}
	jwks := of("jwks", "GET", "/.well-known/jwks.json", "", 200)
	jwks.bare = true
	page := of("page", "GET", "/assets/x", "", 404) // which it serves like any file
	page.bare = true
	return []subject{
		{name: "hello", pkg: "../shared/faas/testdata/hello", method: "GET", path: "/"},
		jwks, page,
		of("health", "GET", "/health", "", 200),
		of("logout", "POST", "/api/auth/logout", `{"refresh_token":"x"}`, 401),
		of("refresh", "POST", "/api/auth/refresh", `{"refresh_token":"x"}`, 401),
		of("files", "GET", "/api/files/", "", 401),
		of("sessions", "GET", "/api/sessions", "", 401),
		of("audit", "GET", "/api/audit", "", 401),
		of("login", "POST", "/api/auth/login", `{}`, 422),
		of("mfa", "POST", "/api/auth/2fa/verify-login", `{}`, 422),
		of("recover", "POST", "/api/auth/verify", `{}`, 422),
		of("keys", "GET", "/api/auth/api-keys", "", 401),
		of("register", "POST", "/api/auth/register", `{}`, 422),
		of("users", "GET", "/api/users/me", "", 401),
		of("ncprovision", "GET", "/api/nextcloud/accounts", "", 401),
		{name: "mail", pkg: "../functions/mail/bootstrap", job: true}, // without a mail server, which it would ask for the database
	}
}

// A series holds the measurements of all runs of one subject.
type series struct {
	subject

	binary, archive   float64 // MB
	init, first, warm []time.Duration
	memory            float64 // MB, the most of any run
}

func median(d []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(d))
	return sorted[len(sorted)/2]
}

// TestColdStart checks the size and memory use of every function.
//
// Startup times compared with an empty function are only meaningful on an idle machine.
// With COLD_START=1 the test measures those, too.
func TestColdStart(t *testing.T) {
	timed := os.Getenv("COLD_START") != ""
	if !timed {
		t.Parallel()
	}
	all := make([]*series, 0, len(subjects()))
	for _, s := range subjects() {
		m := &series{subject: s}
		m.binary, m.archive = sizes(t, faastest.Build(t, s.pkg))
		all = append(all, m)
	}
	var slow []string
	if timed {
		slow = measureStarts(t, all)
		report(t.Output(), all)
	} else {
		for _, m := range all {
			for range sizeRuns {
				m.run(t, warmRequests)
			}
		}
	}
	for _, o := range append(slow, tooLarge(all)...) {
		t.Error(o)
	}
}

// measureStarts returns what was too slow in every attempt.
func measureStarts(t *testing.T, all []*series) (over []string) {
	t.Helper()
	for attempt := 1; attempt <= attempts; attempt++ {
		measure(t, all)
		if over = tooSlow(all); len(over) == 0 {
			break
		}
		t.Logf("attempt %d of %d: %s", attempt, attempts, strings.Join(over, "; "))
	}
	return over
}

// measure starts every subject coldRuns times, in turns, so that other load on the machine
// affects all of them alike.
func measure(t *testing.T, all []*series) {
	t.Helper()
	for _, m := range all {
		m.init, m.first, m.warm, m.memory = nil, nil, nil, 0
	}
	for i := range coldRuns {
		for n := range all {
			m := all[(i+n)%len(all)] // vary which subject runs first
			if more := i%(coldRuns/warmRuns) == 0; more {
				m.run(t, warmRequests)
			} else {
				m.run(t, 0)
			}
		}
	}
}

// run starts the subject once and sends it one request, and then that many more.
func (m *series) run(t *testing.T, more int) {
	t.Helper()
	p := faastest.Start(t, faastest.Build(t, m.pkg), alone()...)
	defer p.Shutdown()
	if e := p.InitError(); e != nil {
		t.Fatalf("%s does not start: %v", m.name, e)
	}
	m.init = append(m.init, p.InitTime())
	event := m.event(t)
	for i := range 1 + more {
		start := time.Now()
		answer, err := p.Invoke(t.Context(), event)
		took := time.Since(start)
		if want := fmt.Sprintf(`"statusCode":%d`, m.status); err != nil || m.status != 0 && !bytes.Contains(answer, []byte(want)) {
			t.Fatalf("%s responds with %s, %v; want %s", m.name, answer, err, want)
		}
		if i == 0 {
			m.first = append(m.first, took)
		} else {
			m.warm = append(m.warm, took)
		}
	}
	m.memory = max(m.memory, peak(t, p.PID()))
}

// alone returns the settings of a function that contacts no other service and counts
// requests without refusing any.
func alone() []string {
	env := []string{
		"DATABASE_URL=postgres://gateway:x@127.0.0.1:1/gateway", "JWT_SECRET=" + keyring.Generate().Reveal(),
		"NEXTCLOUD_URL=http://127.0.0.1:1", "NEXTCLOUD_ADMIN_USER=admin", "NEXTCLOUD_ADMIN_PASSWORD=x",
		"RATE_LIMIT_STORE=memory",
	}
	for name := range ratelimit.Off() {
		env = append(env, name+"=100000")
	}
	return env
}

func (m *series) event(t *testing.T) []byte {
	t.Helper()
	if m.job {
		return schedule(t)
	}
	r, err := http.NewRequestWithContext(t.Context(), m.method, public+m.path, strings.NewReader(m.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	event, err := faastest.FrontV2.Event(r)
	if err != nil {
		t.Fatal(err)
	}
	return event
}

// tooSlow returns which times exceed their budget, and by how much.
func tooSlow(all []*series) []string {
	hello := all[0]
	var over []string
	for _, m := range all[1:] {
		budget := initBudget
		if m.bare {
			budget = bareInitBudget
		}
		for _, c := range []struct {
			what         string
			got, against []time.Duration
			budget       time.Duration
			empty        time.Duration
		}{
			{"init", m.init, hello.init, budget, emptyInit},
			{"a warm request", m.warm, hello.warm, warmBudget, emptyWarm},
		} {
			slow := max(1, float64(median(c.against))/float64(c.empty))
			limit := time.Duration(tolerance * slow * float64(c.budget))
			if more := median(c.got) - median(c.against); more > limit {
				over = append(over, fmt.Sprintf("%s: %s takes %v more than the empty function's, want at most %v", m.name, c.what, more, limit))
			}
		}
	}
	return over
}

// tooLarge returns which sizes exceed their budget, and by how much.
func tooLarge(all []*series) (over []string) {
	for _, m := range all[1:] {
		if m.archive > zipBudget {
			over = append(over, fmt.Sprintf("%s: the archive has %.2f MB, want at most %v", m.name, m.archive, zipBudget))
		}
		if m.memory > memoryBudget {
			over = append(over, fmt.Sprintf("%s: %.1f MB were resident, want at most %v", m.name, m.memory, memoryBudget))
		}
	}
	return over
}

// report prints the measurements as a table, cheapest first. It shows medians, and for
// startup also the minimum, which other load on the machine does not raise.
func report(w io.Writer, all []*series) {
	hello := all[0]
	rest := slices.SortedStableFunc(slices.Values(all[1:]), func(a, b *series) int { return cmp.Compare(median(a.init), median(b.init)) })
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "function\tbinary MB\tzip MB\tinit ms\tto hello\tleast\tto hello\tfirst answer ms\twarm ms\tto hello\tmemory MB\t")
	for _, m := range append([]*series{hello}, rest...) {
		fmt.Fprintf(table, "%s\t%.2f\t%.2f\t%s\t%+.2f\t%s\t%+.2f\t%s\t%s\t%+.2f\t%.1f\t\n", m.name, m.binary, m.archive,
			ms(median(m.init)), millis(median(m.init)-median(hello.init)),
			ms(slices.Min(m.init)), millis(slices.Min(m.init)-slices.Min(hello.init)), ms(median(m.first)),
			ms(median(m.warm)), millis(median(m.warm)-median(hello.warm)), m.memory)
	}
	table.Flush()
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", millis(d)) }

// sizes returns the size of the bootstrap and of the archive that is deployed.
func sizes(t *testing.T, bootstrap string) (binary, archive float64) {
	t.Helper()
	file, err := os.Stat(bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := zipped(filepath.Dir(bootstrap))
	if err != nil {
		t.Fatal(err)
	}
	return float64(file.Size()) / mega, float64(packed) / mega
}

// peak returns the peak resident memory of the process in MB, or 0 if the system does not
// report it.
func peak(t *testing.T, pid int) float64 {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	var kB float64
	if _, err := fmt.Sscan(after, &kB); err != nil {
		t.Fatalf("got no peak memory in %s", text)
	}
	return kB * 1024 / mega
}
