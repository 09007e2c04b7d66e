package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	scalePageFile = "scale.md"
	scaleBegin    = "<!-- begin of what \"make scale-page\" writes -->\n"
	scaleEnd      = "<!-- end of what \"make scale-page\" writes -->\n"
)

// writeScalePage replaces the measured part of docs/scale.md.
func writeScalePage(dir, results string) error {
	text, err := os.ReadFile(results)
	if err != nil {
		return err
	}
	var s scaleRun
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	file := filepath.Join(dir, scalePageFile)
	if text, err = os.ReadFile(file); err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), scaleBegin)
	_, after, ended := strings.Cut(rest, scaleEnd)
	if !found || !ended {
		return fmt.Errorf("%s lacks the lines %q and %q", file, scaleBegin, scaleEnd)
	}
	return os.WriteFile(file, []byte(before+scaleBegin+s.page()+scaleEnd+after), 0o644)
}

// page returns the measured part of the page.
func (s scaleRun) page() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nMeasured on %s: %s, %d cores, %s; %d clients, %v s for each measurement.\n\n### Requests\n\n", s.Date, s.Processor, s.Cores, s.Go, s.Clients, s.Seconds)
	b.WriteString("Latencies in ms; CPU is the processor time for each request, of the gateway and of PostgreSQL, in µs.\n\n")
	b.WriteString(s.requestTable())
	b.WriteString("\n### Data and work on it\n\n")
	b.WriteString(s.workTable())
	if most, ok := s.largest(postgres); ok {
		b.WriteString("\n### What gives way first\n\n" + most.budget())
	}
	b.WriteString("\n")
	return b.String()
}

func (s scaleRun) requestTable() string {
	rows := [][]string{{"request", "engine", "users", "requests/s", "p50", "p99", "CPU gateway", "CPU PostgreSQL"}}
	for _, name := range scaleScenarios() {
		for _, x := range s.Sizes {
			r := x.request(name)
			rows = append(rows, []string{
				code(name), x.Engine, number(float64(x.Users)), number(r.PerSecond), number(r.P50), number(r.P99), number(r.Server), number(r.Database),
			})
		}
	}
	return table(rows)
}

func (s scaleRun) workTable() string {
	head := []string{""}
	lines := [][]string{
		{"size of the database, MB"}, {"filled in, s"}, {"memory of the gateway under load, MB"}, {"backup, s"}, {"size of the backup, MB"},
		{"users imported per second"}, {"accounts made in Nextcloud per second"},
		{"deletion of an account with " + number(burden) + " sessions and as many logins, ms"},
		{"expired logins that housekeeping deletes per second"}, {"its longest statement, ms"},
		{"users logged out per second, by `gateway user logout --all`"}, {"so for all users, s"},
	}
	for _, x := range s.Sizes {
		head = append(head, fmt.Sprintf("%s, %s", x.Engine, number(float64(x.Users))))
		for i, v := range []float64{
			x.Size, x.Fill, x.Memory, x.Backup, x.BackupSize, x.Imported, x.Provisioned, x.Deletion, x.Swept, x.SweptLongest, x.LoggedOut, x.LoggedOutTime,
		} {
			lines[i] = append(lines[i], number(v))
		}
	}
	return table(append([][]string{head}, lines...))
}

// largest returns the measurement on an engine with the most users.
func (s scaleRun) largest(engine string) (most atScale, found bool) {
	for _, x := range s.Sizes {
		if x.Engine == engine && x.Users > most.Users {
			most, found = x, true
		}
	}
	return most, found
}

func (x atScale) request(name string) result {
	for _, r := range x.Requests {
		if r.Scenario == name {
			return r
		}
	}
	return result{}
}

// What a user does in a day, on average, for the budget. The busiest hour has peakShare of a
// day.
var perDay = map[string]float64{ //nolint:gochecknoglobals // a table
	"who-am-i": 20, "sessions-list": 20, "sessions-create": 5, "refresh": 8, "login": 1.0 / 7,
}

const (
	peakShare   = 1.0 / 8
	defaultCost = 4 // times as long as a hash of the measurement takes one of BCRYPT_COST=12
	shares      = 2 // cores of each server in the budget
	// A Nextcloud in which a response takes 50 ms makes so many accounts per second
	// (docs/performance.md).
	cloudPace = 30.0
)

// A bound is what one resource carries.
type bound struct {
	resource string
	users    float64
	how      string
}

// budget returns what gives way first, computed from the costs of x.
func (x atScale) budget() string {
	rate := func(name string) float64 { return perDay[name] * peakShare / 3600 } // per user and second
	var gateway, database, commits float64                                       // seconds of processor time, and commits, per user and second
	rows := [][]string{{"request", "per user and day", "per second and million users", "gateway, cores", "PostgreSQL, cores"}}
	for _, name := range scaleScenarios() {
		r, hash := x.request(name), 0.0
		if name == "login" {
			hash = r.Server * (defaultCost - 1)
		}
		server, db := rate(name)*(r.Server+hash)/1e6, rate(name)*r.Database/1e6
		rows = append(rows, []string{code(name), number(perDay[name]), number(rate(name) * 1e6), number(server * 1e6), number(db * 1e6)})
		if name != "login" {
			gateway += server
		}
		database += db
		if name != "who-am-i" && name != "sessions-list" {
			commits += rate(name)
		}
	}
	hash := x.request("login").Server * defaultCost / 1e6 // seconds
	writes := min(x.request("refresh").PerSecond, x.request("sessions-create").PerSecond)
	bounds := []bound{
		{"password hashes", shares / (rate("login") * hash), fmt.Sprintf("%d cores of a gateway, %s s for a hash of cost 12. More gateways", shares, number(hash))},
		{"everything else in the gateway", shares / gateway, fmt.Sprintf("%d cores. More gateways", shares)},
		{"processors of PostgreSQL", shares / database, fmt.Sprintf("%d cores. A larger server; reads are few and cheap, so replicas gain little", shares)},
		{"commits of PostgreSQL", writes / commits, fmt.Sprintf("%s per second, as measured with all on one disk. A faster disk, then distributed SQL", number(writes))},
		{"housekeeping", x.Swept * 86400 / perDay["login"], fmt.Sprintf("%s expired logins per second. Every gateway takes part", number(x.Swept))},
	}
	slices.SortFunc(bounds, func(a, b bound) int { return cmp.Compare(a.users, b.users) })
	var b strings.Builder
	fmt.Fprintf(&b, "The costs are those of %s users on PostgreSQL. The use is an assumption: replace it with your own. The busiest hour has an eighth of a day's requests.\n\n%s", number(float64(x.Users)), table(rows))
	fmt.Fprintf(&b, "\nSo, in the busiest hour, with %d cores for the gateways and as many for PostgreSQL:\n\n", shares)
	limits := [][]string{{"", "what gives way", "at users", "of which"}}
	for i, l := range bounds {
		limits = append(limits, []string{strconv.Itoa(i + 1), l.resource, number(rough(l.users)), l.how})
	}
	b.WriteString(table(limits))
	fmt.Fprintf(&b, "\nRare events cost more than the busiest hour:\n\n")
	fmt.Fprintf(&b, "- Everybody logs in again, as after `gateway keys rotate --data --now`: a million logins are %s hours of one core. Within an hour, that takes %s cores for hashes. The queue refuses what it cannot take (503 with `Retry-After`), and other requests are not slowed.\n",
		number(1e6*hash/3600), number(1e6*hash/3600))
	fmt.Fprintf(&b, "- Nextcloud gets a million new accounts: %s hours at %s per second, the pace with a response time of 50 ms; the gateway by itself manages %s per second. Logins and files of others do not wait for it.\n",
		number(1e6/cloudPace/3600), number(cloudPace), number(x.Provisioned))
	fmt.Fprintf(&b, "- `gateway user logout --all` ends the logins of a million users in %s minutes, and can be interrupted. To end all at once, rotate the data secret.\n", number(1e6/x.LoggedOut/60))
	return b.String()
}

// rough returns v with two digits: an estimate has no more.
func rough(v float64) float64 {
	if v <= 0 {
		return 0
	}
	unit := math.Pow(10, math.Floor(math.Log10(v))-1)
	return math.Round(v/unit) * unit
}
