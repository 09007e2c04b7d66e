package test_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// update makes TestFailures write its results into the page.
var update = flag.Bool("update", false, "write the results of TestFailures into docs/failures.md; needs FAILURES=1")

// A failure is something that breaks under a gateway while clients use it.
type failure struct {
	name string // also of its section in docs/failures.md
	long bool   // takes too long for every run of the tests

	// happen starts the built gateway, lets clients use it over TLS, and injects the fault:
	// several times if whole is set, as few times as show something if not.
	happen func(t *testing.T, given *answers, whole bool)
}

// failures are all of them, in the order of the page.
func failures() []failure {
	return []failure{
		{name: "PostgreSQL is killed", happen: postgresIsKilled},
		{name: "PostgreSQL fails over", happen: postgresFailsOver},
		{name: "PgBouncer is restarted", happen: poolerIsRestarted},
		{name: "Redis is lost", long: true, happen: redisIsLost},
		{name: "The disk is full", happen: diskIsFull},
		{name: "The certificate is replaced", long: true, happen: certificateIsReplaced},
		{name: "The gateway is stopped", happen: gatewayIsStopped},
		{name: "The gateway is killed", long: true, happen: gatewayIsKilled},
		{name: "Nextcloud fails", happen: nextcloudFails},
		{name: "The clock is moved", long: true, happen: clockIsMoved},
		{name: "Clocks differ", long: true, happen: clocksDiffer},
	}
}

// TestFailures lets everything fail that the gateway depends on, under load. Clients get only
// success, 503 with Retry-After, or a correct response after a change with an unknown
// outcome. Afterwards, the gateway still has everything that it acknowledged.
//
// With FAILURES=1 it injects every fault repeatedly, one scenario after the other, and
// measures how long the gateway takes to recover.
func TestFailures(t *testing.T) {
	whole := os.Getenv("FAILURES") != ""
	if !whole {
		t.Parallel()
	}
	table := &failureTable{rows: map[string]string{}}
	for _, f := range failures() {
		if f.long && !whole {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			if !whole {
				t.Parallel()
			}
			given := newAnswers(t)
			if whole {
				given.clients, given.between = 8, 100
			}
			f.happen(t, given, whole)
			if whole {
				table.add(f.name, given)
			}
		})
	}
	if !whole {
		return
	}
	fmt.Fprint(t.Output(), table)
	if *update && !t.Failed() {
		if err := table.write(); err != nil {
			t.Error(err)
		}
	}
}

// TestFailures_AreOnThePage compares the scenarios with the sections of the page.
func TestFailures_AreOnThePage(t *testing.T) {
	t.Parallel()
	var want []string
	for _, f := range failures() {
		want = append(want, f.name)
	}
	text, err := os.ReadFile(failuresPage)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			got = append(got, strings.TrimSpace(title))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the sections of %s (-want +got)\n%s", failuresPage, diff)
	}
}

const (
	failuresPage  = "../docs/failures.md"
	failuresBegin = "<!-- begin of what \"make failures-page\" writes -->\n"
	failuresEnd   = "<!-- end of what \"make failures-page\" writes -->\n"
)

// A failureTable collects the results of the scenarios.
type failureTable struct{ rows map[string]string } // by name

func (f *failureTable) add(name string, a *answers) {
	slowest := a.slowest()
	f.rows[name] = fmt.Sprintf("%s%d | %d | %d | %d | %d | %d | %s |\n", rowOf(name), a.faults, a.acknowledged, a.retry, a.unanswered, a.lost, a.wrong, seconds(slowest))
}

// rowOf returns the beginning of the row of a scenario.
func rowOf(name string) string {
	return fmt.Sprintf("| [%s](#%s) | ", name, strings.ReplaceAll(strings.ToLower(name), " ", "-"))
}

// String returns the table in Markdown.
func (f *failureTable) String() string {
	var b strings.Builder
	b.WriteString("| what fails | times | acknowledged | 503 | no response | lost | wrong | well after |\n" + strings.Repeat("|---", 8) + "|\n")
	for _, scenario := range failures() {
		b.WriteString(f.rows[scenario.name])
	}
	return b.String()
}

// write replaces the table in the page. Rows of scenarios that did not run stay.
func (f *failureTable) write() error {
	text, err := os.ReadFile(failuresPage)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), failuresBegin)
	_, after, ended := strings.Cut(rest, failuresEnd)
	if !found || !ended {
		return errors.New(failuresPage + " lacks the marks of the table")
	}
	for line := range strings.Lines(rest) {
		for _, scenario := range failures() {
			if f.rows[scenario.name] == "" && strings.HasPrefix(line, rowOf(scenario.name)) {
				f.rows[scenario.name] = line
			}
		}
	}
	table := fmt.Sprintf("\nMeasured on %s.\n\n%s\n", time.Now().UTC().Format(time.DateOnly), f)
	return os.WriteFile(failuresPage, []byte(before+failuresBegin+table+failuresEnd+after), 0o644)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
