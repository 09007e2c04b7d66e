package test_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/voiceassist/gateway/shared/faas/faastest"
)

const (
	flooders  = 64                   // clients that sign in again as soon as they get a response
	interval  = 5 * time.Millisecond // between two requests of the signed-in client: 200 a second
	floodP99  = 8                    // the most by which a flood may multiply its 99th percentile
	gettingIn = 8                    // hashes that a login may wait for after the flood; the queue holds 16
)

// TestFlood lets 64 clients sign in without a pause, until some have succeeded and some got
// 503. Meanwhile a signed-in client gets every response, and after the flood another client
// can sign in.
//
// Latency can only be measured on an idle machine: with FLOOD=1 the test checks the 99th
// percentile, and compares with clients that open a connection for each request and with a
// gateway without its isolation.
func TestFlood(t *testing.T) {
	if os.Getenv("FLOOD") != "" {
		measureFlood(t)
		return
	}
	t.Parallel()
	f := newFlood(t, gateway(t), true)
	ctx, cancel := context.WithTimeout(t.Context(), 2*answerTime)
	defer cancel()
	leave := f.begin(ctx)
	for ctx.Err() == nil && !(f.logins.got(http.StatusOK) && f.logins.got(http.StatusServiceUnavailable)) {
		f.ask(time.Second/2, f.flooded.next())
	}
	leave()
	f.getIn(answerTime)
	f.judge()
}

// measureFlood is not parallel: it has the machine to itself.
func measureFlood(t *testing.T) {
	t.Helper()
	table := tabwriter.NewWriter(t.Output(), 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tidle p50\tp99\tflood p50\tp99\tratio\tlogins 200\t503\tp99\tfailed\t")
	measure := func(name, binary string, keep, hammer bool) (p99 time.Duration, ratio float64) {
		f := newFlood(t, binary, keep)
		f.hammer = hammer
		f.measure(3, 3*time.Second, 5*time.Second)
		ratio = float64(f.flooded.middle(.99)) / float64(f.idle.middle(.99))
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%.1f\t%d\t%d\t%s\t%d\t\n", name,
			ms(f.idle.middle(.5)), ms(f.idle.middle(.99)), ms(f.flooded.middle(.5)), ms(f.flooded.middle(.99)), ratio,
			f.logins.status[http.StatusOK], f.logins.status[http.StatusServiceUnavailable], ms(f.logins.quantile(.99)), f.failures())
		return f.flooded.middle(.99), ratio
	}
	p99, ratio := measure("kept connections", gateway(t), true, false)
	_, hammered := measure("Retry-After ignored", gateway(t), true, true)
	measure("new connections", gateway(t), false, false)
	without, _ := measure("without isolation", withoutIsolation(t), true, false)
	table.Flush()
	if most := max(ratio, hammered); most >= floodP99 {
		t.Errorf("the 99th percentile grows by a factor of %.1f, want less than %d", most, floodP99)
	}
	if without < 2*p99 {
		t.Errorf("without isolation the 99th percentile is %v, want at least twice the %v with it", without, p99)
	}
}

// withoutIsolation returns a gateway that does not raise GOMAXPROCS.
func withoutIsolation(t *testing.T) string {
	t.Helper()
	const file = "../cmd/gateway/serve.go"
	return gatewayWith(t, map[string]string{file: changedFile(t, file, "server.NewSpare(p.Passwords.Slots())", "server.NewSpare(0)")})
}

// changedFile returns the text of a file with a change of one place.
func changedFile(t *testing.T, file, from, to string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), from) != 1 {
		t.Fatalf("%s does not contain %q once, which the test changes", file, from)
	}
	return strings.Replace(string(text), from, to, 1)
}

// gatewayWith returns a gateway built with other texts of some source files, which may be
// new ones.
func gatewayWith(t *testing.T, texts map[string]string) (binary string) {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{}
	for file, text := range texts {
		from, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		replace[from] = filepath.Join(dir, fmt.Sprintf("%d.go", len(replace)))
		if err := os.WriteFile(replace[from], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	return faastest.Program(t, "../cmd/gateway", "-overlay", filepath.Join(dir, "overlay.json"))
}

// A flood is one gateway, a client signed in to it, and the clients that sign in.
type flood struct {
	t          *testing.T
	url, token string
	me, login  *http.Client
	hash       time.Duration // the time of a single login
	hammer     bool          // the flood ignores Retry-After

	idle, flooded samples // of the signed-in client, without and with a flood, for each round
	logins        sample  // of the flood
}

// newFlood starts a gateway with the hash cost of production. Each request of the
// signed-in client opens a connection unless keep is set.
func newFlood(t *testing.T, binary string, keep bool) *flood {
	t.Helper()
	dir := t.TempDir()
	p := startProgram(t, binary, dir, nil, "BCRYPT_COST=" /* the default */)
	f := &flood{t: t, url: p.https}
	f.me, f.login = p.http1(t, dir, keep), p.http1(t, dir, true)
	if status, body, err := f.post(t.Context(), "/api/auth/register"); err != nil || status != http.StatusOK {
		t.Fatalf("register: %d %s %v", status, body, err)
	}
	begin := time.Now()
	status, body, err := f.post(t.Context(), loginAddress)
	f.hash = time.Since(begin)
	var pair struct {
		AccessToken string `json:"access_token"`
	}
	if err = errors.Join(err, json.Unmarshal(body, &pair)); err != nil || status != http.StatusOK {
		t.Fatalf("log in: %d %s %v", status, body, err)
	}
	f.token = pair.AccessToken
	return f
}

// http1 returns a client with its own connections, as many as it needs.
func (p *process) http1(t *testing.T, dir string, keep bool) *http.Client {
	t.Helper()
	c := client(t, filepath.Join(dir, "tls", "gateway.pem"))
	transport := c.Transport.(*http.Transport)
	transport.ForceAttemptHTTP2, transport.DisableKeepAlives, transport.MaxIdleConnsPerHost = false, !keep, 4*flooders
	return c
}

// measure alternates calm and storm, so that other load on the machine affects both alike.
func (f *flood) measure(rounds int, calm, storm time.Duration) {
	f.t.Helper()
	f.ask(calm/2, &sample{}) // open connections
	for range rounds {
		f.ask(calm, f.idle.next())
		leave := f.begin(f.t.Context())
		wait(f.t.Context(), calm) // until all clients are connected
		f.ask(storm, f.flooded.next())
		leave()
		f.getIn(gettingIn * f.hash)
	}
	f.judge()
}

// begin starts the flood, and returns a function that ends it.
func (f *flood) begin(ctx context.Context) (leave func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for range flooders {
		wg.Go(func() { f.flood(ctx) })
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

// judge checks the responses, however long they took.
func (f *flood) judge() {
	f.t.Helper()
	if n := f.failures(); n > 0 {
		f.t.Errorf("%d requests failed; logins got %v", n, f.logins.status)
	}
	for _, status := range []int{http.StatusOK, http.StatusServiceUnavailable} {
		if !f.logins.got(status) {
			f.t.Errorf("no login got %d: %v", status, f.logins.status)
		}
	}
}

// failures returns how many requests did not get the required response.
func (f *flood) failures() (n int) {
	for _, s := range slices.Concat(f.idle, f.flooded, samples{&f.logins}) {
		for status, of := range s.status {
			if status != http.StatusOK && (s != &f.logins || status != http.StatusServiceUnavailable) {
				n += of
			}
		}
	}
	return n
}

// ask sends requests at fixed times, however long earlier ones take, and measures each
// latency from the time the request was due. A request that waits for a slow response
// counts as slow, too.
func (f *flood) ask(d time.Duration, into *sample) {
	var wg sync.WaitGroup
	begin := time.Now()
	for n := range int(d / interval) {
		due := begin.Add(time.Duration(n) * interval)
		wait(f.t.Context(), time.Until(due))
		wg.Go(func() {
			r, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, f.url+"/api/users/me", http.NoBody)
			if err != nil {
				f.t.Error(err)
				return
			}
			r.Header.Set("Authorization", "Bearer "+f.token)
			status := 0
			if resp, err := f.me.Do(r); err == nil {
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				status = resp.StatusCode
			}
			into.add(time.Since(due), status)
		})
	}
	wg.Wait()
}

// flood signs in until ctx ends. A client that gets 503 retries about a second later, or at
// once if it hammers.
func (f *flood) flood(ctx context.Context) {
	wait(ctx, rand.N(time.Second))
	for ctx.Err() == nil {
		begin := time.Now()
		status, _, err := f.post(ctx, loginAddress)
		if ctx.Err() != nil {
			return
		}
		f.logins.add(time.Since(begin), status)
		if err != nil {
			f.t.Error(err)
			return
		}
		if status == http.StatusServiceUnavailable && !f.hammer {
			wait(ctx, time.Second/2+rand.N(time.Second))
		}
	}
}

// getIn signs in after the flood has ended. It must not wait for clients that are gone.
func (f *flood) getIn(longest time.Duration) {
	f.t.Helper()
	for begin := time.Now(); ; {
		status, body, err := f.post(f.t.Context(), loginAddress)
		switch {
		case err != nil || status != http.StatusOK && status != http.StatusServiceUnavailable:
			f.t.Fatalf("log in: %d %s %v", status, body, err)
		case time.Since(begin) > longest:
			f.t.Errorf("%v after the flood a login got %d; one login takes %v", time.Since(begin), status, f.hash)
			return
		case status == http.StatusOK:
			return
		}
	}
}

// post sends the credentials. A 503 response must have a Retry-After.
func (f *flood) post(ctx context.Context, path string) (status int, body []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url+path,
		strings.NewReader(`{"email":"ada@example.org","password":"correct horse battery"}`))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := f.login.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" {
		err = errors.Join(err, errors.New("503 without Retry-After"))
	}
	return resp.StatusCode, body, err
}

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// A sample holds the latencies and statuses of requests; status 0 means no response.
type sample struct {
	mu     sync.Mutex
	took   []time.Duration
	status map[int]int
}

func (s *sample) add(took time.Duration, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took = append(s.took, took)
	if s.status == nil {
		s.status = map[int]int{}
	}
	s.status[status]++
}

// got reports whether any request got the status.
func (s *sample) got(status int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status[status] > 0
}

// samples holds one sample for each round.
type samples []*sample

func (s *samples) next() *sample {
	*s = append(*s, &sample{})
	return (*s)[len(*s)-1]
}

// middle returns the median of the rounds' quantiles, so that a round in which the machine
// was busy does not count.
func (s samples) middle(q float64) time.Duration {
	all := make([]time.Duration, len(s))
	for i := range s {
		all[i] = s[i].quantile(q)
	}
	return median(all)
}

// quantile returns the longest time among the fastest share q of the requests.
func (s *sample) quantile(q float64) time.Duration {
	if len(s.took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s.took))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
