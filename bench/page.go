package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The page, its plots, and the lines of it between which the results stand.
const (
	pageFile  = "performance.md"
	floorPlot = "performance-floor.svg"
	timePlot  = "performance-processor.svg"
	floodPlot = "performance-flood.svg"

	beginMark = "<!-- begin of what \"make load-page\" writes -->\n"
	endMark   = "<!-- end of what \"make load-page\" writes -->\n"
)

// writePage replaces the measured part of the page in the folder, and its plots.
func (r run) writePage(dir string) error {
	file := filepath.Join(dir, pageFile)
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), beginMark)
	_, after, ended := strings.Cut(rest, endMark)
	if !found || !ended {
		return fmt.Errorf("%s lacks the lines %q and %q", file, beginMark, endMark)
	}
	err = os.WriteFile(file, []byte(before+beginMark+r.page()+endMark+after), 0o644)
	for name, c := range r.charts() {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(c.svg()), 0o644))
	}
	return err
}

// page returns the measured part of the page.
func (r run) page() string {
	n := r.usualClients()
	var b strings.Builder
	fmt.Fprintf(&b, "\nMeasured on %s: %s, %d cores, %s. Each measurement took %v s", r.Date, r.Processor, r.Cores, r.Go, r.Seconds)
	if r.Rounds > 1 {
		fmt.Fprintf(&b, "; the tables show the medians of %d rounds", r.Rounds)
	}
	fmt.Fprintf(&b, ".\n\n### Compared with the floor\n\nWith %d clients. CPU is the processor time for each request, of the server and of PostgreSQL, in µs.\n\n", n)
	fmt.Fprintf(&b, "![Requests per second as a share of the floor, by scenario](%s)\n\n", floorPlot)
	fmt.Fprintf(&b, "![Processor time for each request, by scenario](%s)\n\n", timePlot)
	b.WriteString(r.floorTable(n))
	fmt.Fprintf(&b, "\n### Rates and latencies\n\nLatencies in ms. In an open loop, requests are due at half the rate that %d clients reached.\n\n", n)
	b.WriteString(r.latencyTable())
	if cloud := r.nextcloudTable(); cloud != "" {
		fmt.Fprintf(&b, "\n### Files and accounts in Nextcloud\n\nNextcloud is the one for development, over TLS, which takes next to no time of its own. Where there is a latency, each of its responses takes as long, and its transfers have %d MiB a second, as over a gigabit link. The direct measurement makes the calls that a careful client of Nextcloud makes: one PUT for a new file, an upload in one chunk and a MOVE to replace one, and all calls that provision an account. A small file has %d KiB, a large one %d MiB; a large file that was created is also removed. Latencies in ms, CPU in µs.\n\n", cloudRate>>20, smallFile>>10, largeFile>>20)
		b.WriteString(cloud)
	}
	if flood := r.floodTable(); flood != "" {
		fmt.Fprintf(&b, "\n### Who am I during a flood of logins\n\nSixteen connections request `/api/users/me` %d times a second in total, while %d clients log in without a pause and obey `Retry-After` or ignore it. Latencies in ms.\n\n",
			askRate, floodClients)
		fmt.Fprintf(&b, "![99th percentile of who am I during floods](%s)\n\n", floodPlot)
		b.WriteString(flood)
	}
	if peers := r.peerTable(); peers != "" {
		fmt.Fprintf(&b, "\n### Compared with other products\n\nPer second, with %d clients. The others were measured on 28 November 2026 on two cores, over plain HTTP instead of TLS, with the same cost of hashes. Their figures are scaled by the speed of the floor then and now. PocketBase uses SQLite. Its refresh neither replaces the token nor writes to the database.\n\n", peerClients)
		b.WriteString(peers)
	}
	if memory := r.memoryTable(); memory != "" {
		b.WriteString("\n### Memory\n\nResident memory of the gateway in MB, after the start and after all clients ran `who-am-i`.\n\n" + memory)
	}
	b.WriteString("\n")
	return b.String()
}

func (r run) floorTable(n int) string {
	rows := [][]string{{"scenario", "engine", "requests/s", "CPU server", "CPU PostgreSQL", "floor", "requests/s", "CPU", "share of the floor"}}
	for _, c := range r.compared(n) {
		rows = append(rows, []string{
			code(c.Scenario), c.Engine, number(c.PerSecond), number(c.Server), number(c.Database),
			code(c.base.Scenario), number(c.base.PerSecond), number(c.base.processor()), number(c.share()),
		})
	}
	return table(rows)
}

func (r run) latencyTable() string {
	rows := [][]string{{"scenario", "engine", "clients", "loop", "requests/s", "p50", "p90", "p99", "max", "CPU server", "CPU PostgreSQL", "CPU load generator"}}
	for _, x := range r.Results {
		if isFlood(x.Scenario) || x.ofNextcloud() {
			continue
		}
		loop := "closed"
		if x.Rate > 0 {
			loop = "open"
		}
		rows = append(rows, []string{
			code(x.Scenario), x.Engine, strconv.Itoa(x.Clients), loop, number(x.PerSecond), number(x.P50), number(x.P90), number(x.P99), number(x.Max),
			number(x.Server), number(x.Database), number(x.Generator),
		})
	}
	return table(rows)
}

// floodTable returns nothing if no floods were measured.
func (r run) floodTable() string {
	rows := [][]string{{"engine", "flood", "p50", "p90", "p99", "max", "p99 ÷ p99 without", "logins/s", "refusals/s"}}
	var calm float64
	for _, x := range r.Results {
		if !isFlood(x.Scenario) {
			continue
		}
		if x.Logins+x.Refused == 0 {
			calm = x.P99
		}
		rows = append(rows, []string{
			x.Engine, strings.TrimPrefix(x.Scenario, floodName+"-"), number(x.P50), number(x.P90), number(x.P99), number(x.Max),
			number(x.P99 / calm), number(x.Logins), number(x.Refused),
		})
	}
	if len(rows) == 1 {
		return ""
	}
	return table(rows)
}

// memoryTable has a row for each engine whose who-am-i was measured.
func (r run) memoryTable() string {
	rows := [][]string{{"engine", "idle", "after", "clients"}}
	for _, engine := range []string{sqlite, postgres} {
		var most result
		for _, x := range r.Results {
			if x.Engine == engine && x.Scenario == "who-am-i" && x.Rate == 0 && x.Clients > most.Clients {
				most = x
			}
		}
		if most.Clients > 0 {
			rows = append(rows, []string{engine, number(most.IdleMemory), number(most.Memory), strconv.Itoa(most.Clients)})
		}
	}
	if len(rows) == 1 {
		return ""
	}
	return table(rows)
}

func (r run) charts() map[string]chart {
	n := r.usualClients()
	share := chart{title: fmt.Sprintf("Share of the floor, %d clients", n), unit: "requests per second ÷ those of the floor"}
	cpu := chart{title: fmt.Sprintf("Processor time, %d clients", n), unit: "µs per request", parts: []string{"server", "PostgreSQL"}}
	if x, ok := r.find(floor, "select", n); ok {
		cpu.bars = append(cpu.bars, bar{"floor: one SELECT", []float64{x.Server, x.Database}})
	}
	for _, c := range r.compared(n) {
		label := c.Scenario + ", " + c.Engine
		share.bars = append(share.bars, bar{label, []float64{c.share()}})
		if c.Scenario != "login" { // a hash takes a thousand times as long
			cpu.bars = append(cpu.bars, bar{label, []float64{c.Server, c.Database}})
		}
	}
	charts := map[string]chart{floorPlot: share, timePlot: cpu}
	flood := chart{title: "Who am I during a flood of logins", unit: "99th percentile in ms"}
	for _, x := range r.Results {
		if isFlood(x.Scenario) {
			flood.bars = append(flood.bars, bar{strings.TrimPrefix(x.Scenario, floodName+"-") + ", " + x.Engine, []float64{x.P99}})
		}
	}
	if len(flood.bars) > 0 {
		charts[floodPlot] = flood
	}
	return charts
}

func isFlood(scenario string) bool { return strings.HasPrefix(scenario, floodName+"-") }

// usualClients returns the middle one of the numbers of clients.
func (r run) usualClients() int {
	var all []int
	for _, x := range r.Results {
		if x.Rate == 0 && !x.ofNextcloud() {
			all = append(all, x.Clients)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) == 0 {
		return 0
	}
	return all[len(all)/2]
}

// code formats a name as code.
func code(name string) string { return "`" + name + "`" }

// table returns the rows as a Markdown table. The first one is its head.
func table(rows [][]string) string {
	var b strings.Builder
	for i, row := range rows {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
	return b.String()
}

// number formats a value with about three digits and commas between thousands.
func number(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	digits := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
