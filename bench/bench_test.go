package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestMeasure measures the built gateway for a moment.
func TestMeasure(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "bench.json")
	err := command(t.Context(), []string{
		"measure", "-scenario=who-am-i,refresh", "-engine=sqlite", "-c=1,4", "-t=200ms", "-o", file,
	}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	r, err := readRun(file)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range r.Results {
		if x.Rate == 0 {
			got = append(got, x.Engine+" "+x.Scenario)
		}
		if x.Requests == 0 || x.PerSecond == 0 || x.P50 == 0 || x.P50 > x.P99 || x.P99 > x.Max || x.Memory < 1 || x.IdleMemory < 1 {
			t.Errorf("%+v is not a measurement", x)
		}
		if x.Database != 0 {
			t.Errorf("%s took %v µs of a database", x.Scenario, x.Database)
		}
	}
	want := []string{"floor empty", "floor empty", "sqlite who-am-i", "sqlite who-am-i", "sqlite refresh", "sqlite refresh"}
	if !slices.Equal(got, want) {
		t.Errorf("measured %q, want %q", got, want)
	}
}

// TestMeasure_Nextcloud measures uploads for a moment, first directly and then through the
// gateway.
func TestMeasure_Nextcloud(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "bench.json")
	err := command(t.Context(), []string{
		"measure", "-scenario=files-small", "-engine=sqlite", "-t=200ms", "-o", file,
	}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	r, err := readRun(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Results) != 3*2*2 { // scenarios, latencies, with and without the gateway
		t.Errorf("%d results", len(r.Results))
	}
	for _, x := range r.Results {
		if x.Requests == 0 || x.Server == 0 && x.Requests > 1000 {
			t.Errorf("%+v is not a measurement", x)
		}
		if x.Latency > 0 && x.P50 < x.Latency {
			t.Errorf("%s took %v ms, and a response of Nextcloud takes %v ms", x.Scenario, x.P50, x.Latency)
		}
	}
	if table := r.nextcloudTable(); strings.Count(table, "\n") != 2+3*2 {
		t.Errorf("the table is\n%s", table)
	}
}

// TestMeasure_KeepsCompleteRounds ends the measurement in its second round.
func TestMeasure_KeepsCompleteRounds(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "bench.json")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lines := 0
	out := writerFunc(func(text []byte) (int, error) {
		if strings.HasPrefix(string(text), "floor ") {
			if lines++; lines == 3 { // of two in each round
				cancel()
			}
		}
		return len(text), nil
	})
	args := []string{"measure", "-scenario=who-am-i", "-engine=sqlite", "-c=1", "-t=50ms", "-rounds=1000", "-o", file}
	if err := command(ctx, args, out); err == nil {
		t.Error("the round that ended early is no error")
	}
	if r, err := readRun(file); err != nil || r.Rounds != 1 || len(r.Results) == 0 {
		t.Errorf("%d results of %d rounds were kept, %v", len(r.Results), r.Rounds, err)
	}
}

type writerFunc func(text []byte) (int, error)

func (f writerFunc) Write(text []byte) (int, error) { return f(text) }

func TestMeasure_RejectsWhatItCannotMeasure(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"-scenario=whoami", "-engine=mysql", "-c=0", "-c=257", "-c=x", "-c=", "-rounds=0"} {
		if err := command(t.Context(), []string{"measure", flag}, io.Discard); err == nil {
			t.Errorf("measure accepts %s", flag)
		}
	}
}

func TestConn_ReadsResponses(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusServiceUnavailable)
		for _, part := range []string{r.Method, r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), string(body)} {
			io.WriteString(w, part+"\n")
			w.(http.Flusher).Flush() // in chunks
		}
	}))
	defer server.Close()
	c, err := dial(server.Listener.Addr().String(), server.Client().Transport.(*http.Transport).TLSClientConfig)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 2 { // on one connection
		resp, err := c.do(newRequest("POST", "/a", "token", "text/plain", "hello"))
		if want := "POST\n/a\nBearer token\ntext/plain\nhello\n"; err != nil || string(resp.body) != want {
			t.Errorf("the body is %q, want %q; %v", resp.body, want, err)
		}
		if resp.status != http.StatusServiceUnavailable || resp.retryAfter != 3*time.Second {
			t.Errorf("status %d, Retry-After %v", resp.status, resp.retryAfter)
		}
	}
}

// In an open loop, a late request does not delay those after it.
func TestSchedule_OpenLoopKeepsItsTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := newSchedule(10, time.Second)
		var due []time.Duration
		for {
			at, ok := s.next()
			if !ok {
				break
			}
			due = append(due, at.Sub(begin))
			if len(due) == 2 {
				<-time.After(350 * time.Millisecond) // a slow response
			}
		}
		for i, at := range due {
			if want := time.Duration(i) * 100 * time.Millisecond; at != want {
				t.Errorf("request %d is due at %v, want %v", i, at, want)
			}
		}
		if took := time.Since(begin); len(due) != 10 || took != 900*time.Millisecond {
			t.Errorf("%d requests in %v, want 10 in 900 ms", len(due), took)
		}
	})
}

func TestSchedule_ClosedLoopEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		for s := newSchedule(0, time.Second); ; n++ {
			if _, ok := s.next(); !ok {
				break
			}
			<-time.After(300 * time.Millisecond)
		}
		if n != 4 {
			t.Errorf("%d requests of 300 ms began within a second, want 4", n)
		}
	})
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i+1) * time.Millisecond
	}
	for _, tt := range []struct {
		latencies []time.Duration
		q, want   float64
	}{
		{nil, 0.5, 0},
		{hundred[:1], 0.5, 1},
		{hundred[:1], 1, 1},
		{hundred[:2], 0.5, 1},
		{hundred[:3], 0.5, 2},
		{hundred[:10], 0.99, 10},
		{hundred, 0.5, 50},
		{hundred, 0.9, 90},
		{hundred, 0.99, 99},
		{hundred, 0.991, 100},
		{hundred, 1, 100},
	} {
		if got := quantile(tt.latencies, tt.q); got != tt.want {
			t.Errorf("quantile %v of %d latencies is %v, want %v", tt.q, len(tt.latencies), got, tt.want)
		}
	}
}

func TestMiddle(t *testing.T) {
	t.Parallel()
	closed := []result{{PerSecond: 30}, {PerSecond: 10}, {PerSecond: 20}}
	if got := middle(closed); got.PerSecond != 20 {
		t.Errorf("the middle of a closed loop is %v/s", got.PerSecond)
	}
	open := []result{{Rate: 10, P99: 3, PerSecond: 1}, {Rate: 10, P99: 9, PerSecond: 2}, {Rate: 10, P99: 4, PerSecond: 3}}
	if got := middle(open); got.P99 != 4 {
		t.Errorf("the middle of an open loop has a 99th percentile of %v", got.P99)
	}
}

func TestProcess(t *testing.T) {
	t.Parallel()
	if got, err := parent(os.Getpid()); err != nil || got != os.Getppid() {
		t.Errorf("parent = %d, %v, want %d", got, err, os.Getppid())
	}
	before, err := processorTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for after := before; after == before; { // until this loop has taken a tick
		if after, err = processorTime(os.Getpid()); err != nil {
			t.Fatal(err)
		}
	}
	if of, err := familyTime(os.Getpid()); err != nil || of <= before {
		t.Errorf("the process and its children took %v, the process alone %v; %v", of, before, err)
	}
	if mb, err := residentMB(os.Getpid()); err != nil || mb < 1 || mb > 10_000 {
		t.Errorf("this process has %v MB, %v", mb, err)
	}
	if name := processorName(); name == "" || strings.ContainsAny(name, "\n\t:") {
		t.Errorf("the processor is called %q", name)
	}
}
