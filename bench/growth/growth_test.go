package growth_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/voiceassist/gateway/docs"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

var update = flag.Bool("update", false, `write the section "Growth" of docs/performance.md`)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(storetest.Run(m))
}

const (
	few, many   = 1000, 1_000_000
	repetitions = 100  // of each call on each database
	counted     = 9    // further ones, whose pages are counted
	unmeasured  = 10   // before them: statements get prepared and planned
	conns       = 8    // to PostgreSQL
	bound       = 1.20 // a call that takes longer than this times as long is marked
)

// A size is the databases that are compared and how often each call is made.
type size struct{ few, many, unmeasured, repetitions, counted int }

// A growth is the outcome of a call: durations, and pages of tables and indexes that
// PostgreSQL read, each with few users and with many.
type growth struct {
	call   string
	median [2]time.Duration
	p99    [2]time.Duration
	pages  [2]int64
}

func (g growth) ratio() float64 { return float64(g.median[1]) / float64(g.median[0]) }

// TestGrowth makes each call once, and checks that there is one for each operation.
//
// With GROWTH=1 it compares databases of a thousand and of a million users. Times can only
// be measured on an idle machine.
func TestGrowth(t *testing.T) {
	if os.Getenv("GROWTH") != "" {
		measureGrowth(t)
		return
	}
	t.Parallel()
	covered := slices.Clone(withoutDatabase)
	for _, c := range calls() {
		covered = append(covered, c.operation)
	}
	for _, operation := range docs.Operations() {
		if !slices.Contains(covered, operation) {
			t.Errorf("%s: calls_test.go has no call for it", operation)
		}
	}
	for _, operation := range covered {
		if !slices.Contains(docs.Operations(), operation) {
			t.Errorf("%s: there is no such operation", operation)
		}
	}
	engines := []string{store.SQLite, store.PostgreSQL}
	if testing.Short() {
		engines = engines[:1]
	}
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			compare(t, engine, size{few: 40, many: 80, repetitions: 1, counted: 1}, func(growth) {})
		})
	}
}

// measureGrowth is not parallel: it has the machine to itself.
func measureGrowth(t *testing.T) {
	t.Helper()
	p := newPage()
	for _, engine := range []string{store.PostgreSQL, store.SQLite} {
		t.Run(engine, func(t *testing.T) {
			fmt.Fprintf(t.Output(), "%d users and %d users; times in µs\n", few, many)
			w := tabwriter.NewWriter(t.Output(), 0, 0, 2, ' ', tabwriter.AlignRight)
			fmt.Fprintln(w, "median\tmedian\tratio\tp99\tp99\tpages\tpages\t\tcall")
			p.took[engine] = compare(t, engine, size{few, many, unmeasured, repetitions, counted}, func(g growth) {
				mark := ""
				if g.ratio() > bound {
					mark = "grows"
				}
				fmt.Fprintf(w, "%d\t%d\t%.2f\t%d\t%d\t%d\t%d\t%s\t%s\n", g.median[0].Microseconds(), g.median[1].Microseconds(), g.ratio(),
					g.p99[0].Microseconds(), g.p99[1].Microseconds(), g.pages[0], g.pages[1], mark, g.call)
				p.add(engine, g)
			})
			w.Flush()
		})
	}
	if *update && !t.Failed() {
		if err := p.write(); err != nil {
			t.Fatal(err)
		}
	}
}

// compare reports the growth of each call on an engine, and returns how long it took to
// fill the larger database.
func compare(t *testing.T, engine string, s size, report func(growth)) (took time.Duration) {
	t.Helper()
	open := storetest.SQLite
	if engine == store.PostgreSQL {
		open = storetest.Postgres
	}
	var both [2]*deployment
	for i, users := range []int{s.few, s.many} {
		begin := time.Now()
		both[i] = newDeployment(t, open(t), users)
		took = time.Since(begin)
	}
	runtime.GC()
	for _, c := range calls() {
		ok := t.Run(c.String(), func(t *testing.T) {
			report(s.settle(t, both, c))
		})
		if !ok {
			return took
		}
	}
	return took
}

// settle measures the call, and again if it seems to grow: what else the machine does can
// slow one side down. Then the run with the middle one of three ratios counts.
func (s size) settle(t *testing.T, both [2]*deployment, c call) growth {
	t.Helper()
	runs := []growth{s.measure(t, both, c)}
	if runs[0].ratio() > bound && s.repetitions > 1 {
		runs = append(runs, s.measure(t, both, c), s.measure(t, both, c))
	}
	slices.SortFunc(runs, func(a, b growth) int { return cmp.Compare(a.ratio(), b.ratio()) })
	return runs[len(runs)/2]
}

// measure makes the call on both databases in turns, so that both get the same share of
// what else the machine does.
func (s size) measure(t *testing.T, both [2]*deployment, c call) growth {
	t.Helper()
	g := growth{call: c.String()}
	var durations [2][]time.Duration
	var pages [2][]int64
	for i := range s.unmeasured + s.repetitions + s.counted {
		for turn := range both {
			side := (turn + i) % 2 // either is the first one half of the times
			d := both[side].in(t)
			r := c.request(d)
			switch {
			case i < s.unmeasured:
				d.send(r)
			case i < s.unmeasured+s.repetitions:
				durations[side] = append(durations[side], d.send(r))
			default:
				pages[side] = append(pages[side], d.countPages(func() { d.send(r) }))
			}
			both[side].turn = d.turn
		}
	}
	for side := range both {
		slices.Sort(durations[side])
		slices.Sort(pages[side])
		g.median[side] = durations[side][len(durations[side])/2]
		g.p99[side] = durations[side][len(durations[side])*99/100]
		g.pages[side] = pages[side][len(pages[side])/2]
	}
	return g
}

// send makes a request over TLS and returns how long it took.
func (d *deployment) send(r request) time.Duration {
	d.tb.Helper()
	var body []byte
	switch b := r.body.(type) {
	case nil:
	case string:
		body = []byte(b)
	default:
		body, _ = json.Marshal(b) // strings cannot fail
	}
	req, err := http.NewRequestWithContext(d.tb.Context(), r.method, d.server.URL+r.path, bytes.NewReader(body))
	if err != nil {
		d.tb.Fatal(err)
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	r.by(req)
	begin := time.Now()
	resp, err := d.server.Client().Do(req)
	if err != nil {
		d.tb.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	took := time.Since(begin)
	if err != nil || resp.StatusCode != r.status {
		d.tb.Fatalf("%s %s: got %d %s, %v; want %d", r.method, r.path, resp.StatusCode, answer, err, r.status)
	}
	return took
}

// countPages returns how many pages of tables and indexes PostgreSQL read during fn, or 0
// on SQLite.
func (d *deployment) countPages(fn func()) int64 {
	handle := d.db.Handle()
	if d.db.Engine() == store.PostgreSQL {
		handle.SetMaxOpenConns(1)
		defer handle.SetMaxIdleConns(conns)
		defer handle.SetMaxOpenConns(conns)
	}
	before := d.pagesRead()
	fn()
	return d.pagesRead() - before
}

// pagesRead returns how many pages PostgreSQL has read for the tables of the database so
// far. Processes report that with a delay, except on request, so all statements must
// share one connection.
func (d *deployment) pagesRead() (n int64) {
	if d.db.Engine() != store.PostgreSQL {
		return 0
	}
	if _, err := d.db.Handle().ExecContext(d.tb.Context(), `SELECT pg_stat_force_next_flush()`); err != nil {
		d.tb.Fatal(err)
	}
	err := d.db.Handle().QueryRowContext(d.tb.Context(), `
		SELECT SUM(heap_blks_read + heap_blks_hit + COALESCE(idx_blks_read + idx_blks_hit, 0)) FROM pg_statio_user_tables`).Scan(&n)
	if err != nil {
		d.tb.Fatal(err)
	}
	return n
}
