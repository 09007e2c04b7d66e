package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	maxClients = 256     // connections that the gateway accepts from one address
	floodName  = "flood" // the scenario of floods
)

// A plan says what to measure.
type plan struct {
	scenarios []string // names; empty: all
	engines   []string
	clients   []int // ascending
	time      time.Duration
	rounds    int
}

// A subject is a server, and what is measured on it.
type subject struct {
	*target

	scenarios []scenario
	floods    []flood
}

// run starts all servers, measures each scenario in each round, and returns the
// medians of the complete rounds, and the error that ended another one. Progress goes to out.
func (p plan) run(ctx context.Context, out io.Writer) (run, error) {
	dir, err := os.MkdirTemp("", "gateway-bench-")
	if err != nil {
		return run{}, err
	}
	defer os.RemoveAll(dir)
	r, err := newRig(dir)
	if err != nil {
		return run{}, err
	}
	defer r.close()
	subjects, err := p.start(ctx, r)
	if err != nil {
		return run{}, err
	}
	done := run{
		Date: time.Now().UTC().Format(time.DateOnly), Processor: processorName(), Cores: runtime.NumCPU(), Go: runtime.Version(),
		Seconds: p.time.Seconds(),
	}
	fmt.Fprintln(out, tableHead)
	var rounds [][]result
	for range p.rounds {
		results, failed := p.round(ctx, r, subjects, out)
		if err = failed; err != nil {
			break
		}
		rounds = append(rounds, results)
	}
	if len(rounds) == 0 {
		return run{}, err
	}
	done.Rounds = len(rounds)
	for i := range rounds[0] {
		same := make([]result, 0, len(rounds))
		for _, results := range rounds {
			same = append(same, results[i])
		}
		done.Results = append(done.Results, middle(same))
	}
	return done, err
}

// round takes each measurement once.
func (p plan) round(ctx context.Context, r *rig, subjects []subject, out io.Writer) (all []result, err error) {
	for _, s := range subjects {
		results, err := p.measure(ctx, s, func(x result) { fmt.Fprintln(out, tableLine(x)) })
		if err != nil {
			return nil, err
		}
		all = append(all, results...)
	}
	results, err := p.measureNextcloud(ctx, r, out)
	return append(all, results...), err
}

// start starts the servers that the plan needs, the floor first.
func (p plan) start(ctx context.Context, r *rig) (subjects []subject, err error) {
	most := p.clients[len(p.clients)-1]
	add := func(s subject, t *target, e error) {
		s.target, err = t, errors.Join(err, e)
		subjects = append(subjects, s)
	}
	if base := p.floorScenarios(); len(base) > 0 {
		statements := slices.ContainsFunc(base, func(s scenario) bool { return s.name == "select" || s.name == "update" })
		t, e := r.startFloor(ctx, statements, most)
		add(subject{scenarios: base}, t, e)
	}
	for _, engine := range p.engines {
		for _, nextcloud := range []bool{false, true} {
			chosen := slices.DeleteFunc(scenarios(), func(s scenario) bool { return s.nextcloud != nextcloud || !p.wants(s.name) })
			if len(chosen) > 0 {
				t, e := r.startGateway(ctx, engine, nextcloud, most, "PASSWORD_QUEUE=1000") // refuses no client
				add(subject{scenarios: chosen}, t, e)
			}
		}
		if p.wants(floodName) {
			t, e := r.startGateway(ctx, engine, false, floodClients+askers)
			add(subject{floods: floods()}, t, e)
		}
	}
	return subjects, err
}

// floorScenarios returns those with which the plan compares its own.
func (p plan) floorScenarios() []scenario {
	return slices.DeleteFunc(floorScenarios(), func(base scenario) bool {
		return !slices.ContainsFunc(scenarios(), func(s scenario) bool {
			return p.wants(s.name) && slices.ContainsFunc(p.engines, func(engine string) bool { return s.floors[engine] == base.name })
		})
	})
}

// wants reports whether to measure a scenario: the plan names it, or its group.
func (p plan) wants(name string) bool {
	return len(p.scenarios) == 0 || slices.ContainsFunc(p.scenarios, func(s string) bool {
		return s == name || slices.Contains(groups(), s) && strings.HasPrefix(name, s+"-")
	})
}

// groups returns the names of several scenarios each.
func groups() []string { return []string{"files-small", "files-large"} }

// measure takes one round of measurements of a subject: each scenario with each number
// of clients in a closed loop, and then in an open loop at half the rate that the
// middle number of clients reached.
func (p plan) measure(ctx context.Context, s subject, report func(result)) (results []result, err error) {
	add := func(x result, err error) error {
		if err == nil {
			results = append(results, x)
			report(x)
		}
		return err
	}
	for _, sc := range s.scenarios {
		var rate float64
		for i, n := range p.clients {
			x, err := s.target.measure(sc, s.clients[:n], 0, p.time)
			if err := add(x, err); err != nil {
				return results, err
			}
			if i == len(p.clients)/2 {
				rate = x.PerSecond / 2
			}
		}
		if err := add(s.target.measure(sc, s.clients, rate, p.time)); err != nil {
			return results, err
		}
	}
	for _, f := range s.floods {
		if err := add(s.measureFlood(ctx, f, p.time)); err != nil {
			return results, err
		}
	}
	return results, nil
}

// list yields the parts of a text between commas, if there are any.
func list(text string) iter.Seq[string] {
	return strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' })
}

func scenarioNames() (names []string) {
	for _, s := range scenarios() {
		names = append(names, s.name)
	}
	for _, x := range transfers() {
		names = append(names, x.name)
	}
	return append(append(names, groups()...), provisioning, floodName)
}

// processorName returns that of /proc/cpuinfo.
func processorName() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	_, rest, _ := strings.Cut(string(text), "model name")
	name, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
}

const tableHead = "engine    scenario              clients    rate/s     req/s     p50     p90     p99     max ms   server  database  generator µs    MB"

func tableLine(x result) string {
	rate := "closed"
	if x.Rate > 0 {
		rate = fmt.Sprintf("%.0f", x.Rate)
	}
	line := fmt.Sprintf("%-9s %-20s %8d %9s %9.1f %7.2f %7.2f %7.2f %10.2f %8.0f %9.0f %13.0f %5.1f", x.Engine, x.Scenario, x.Clients, rate,
		x.PerSecond, x.P50, x.P90, x.P99, x.Max, x.Server, x.Database, x.Generator, x.Memory)
	if x.Logins > 0 {
		line += fmt.Sprintf("   logins/s %.1f, refused/s %.0f", x.Logins, x.Refused)
	}
	return line
}
