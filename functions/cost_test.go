package functions_test

import (
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/voiceassist/gateway/shared/store"
)

var update = flag.Bool("update", false, "rewrite testdata/cost.txt")

// costFile holds the expected costs.
const costFile = "testdata/cost.txt"

// costHeader explains the file to those who read it after the test has failed.
const costHeader = `# What one request costs. TestCost compares: the first four counts must be equal, the
# others may differ by 5 percent. "make cost" rewrites this file.
#
# statements   of the store, without those that begin and end transactions
# round trips  to PostgreSQL
# commits      of SQLite, each of which syncs the disk
# calls        of Nextcloud
# allocations  on the heap, in the server of net/http, the handler and the database driver
# allocated    bytes by these allocations
# answer       bytes of the response, with its header
#
`

// A count is one column of the costs.
type count int

const (
	statements count = iota
	roundTrips
	commits
	calls
	allocations
	allocated
	answer
	counts
)

var countNames = [counts]string{"statements", "round trips", "commits", "calls", "allocations", "allocated bytes", "answer bytes"}

// tolerance is how much counts may differ that depend on the Go version or on chance.
const tolerance = 0.05

// A cost is what one request costs.
type cost [counts]float64

// TestCost counts what each scenario costs, and compares it with costFile. Counts are the
// same on every machine, unlike times. Lower costs also fail, so that they are kept.
//
// It is not parallel, so that no other test of the package allocates at the same time.
func TestCost(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // one cache of each sync.Pool
	want, err := readCosts()
	if err != nil && !*update {
		t.Fatal(err)
	}
	got := map[string]cost{}
	measureEngine := func(engine string, open func(testing.TB) *meteredDB) {
		t.Run(engine, func(t *testing.T) {
			known := map[string]bool{}
			for _, gateway := range []func(testing.TB, *meteredDB) *metered{plainGateway, limitedGateway, nextcloudGateway} {
				m := gateway(t, open(t))
				for _, s := range m.scenarios {
					row := engine + " " + s.name
					known[row] = true
					t.Run(s.name, func(t *testing.T) {
						got[row] = m.measure(t, s)
						if !*update {
							want[row].compare(t, got[row])
						}
					})
				}
			}
			owned, unknown := got[engine+" forgot-password"], got[engine+" forgot-unknown-email"]
			for c := range allocations {
				if owned[c] != unknown[c] {
					t.Errorf("%s: %.0f for forgot-password, %.0f for forgot-unknown-email", countNames[c], owned[c], unknown[c])
				}
			}
			for row := range want {
				switch {
				case !strings.HasPrefix(row, engine+" ") || known[row]:
				case *update:
					delete(want, row)
				default:
					t.Errorf("%s is in %s, but there is no such scenario", row, costFile)
				}
			}
		})
	}
	measureEngine(store.SQLite, meteredSQLite)
	if !testing.Short() {
		measureEngine(store.PostgreSQL, meteredPostgres)
	}
	if t.Failed() {
		t.Log(`if the changes are intended or savings, commit what "make cost" writes`)
	}
	if *update && !t.Failed() {
		if err := writeCosts(want, got); err != nil {
			t.Fatal(err)
		}
	}
}

// compare fails the test for every count that differs too much.
func (want cost) compare(t *testing.T, got cost) {
	t.Helper()
	for c := range counts {
		if (c == allocations || c == allocated) && raceDetector {
			continue // it allocates
		}
		change := got[c]/want[c] - 1
		switch {
		case got[c] == want[c], c >= allocations && math.Abs(change) <= tolerance:
		case want[c] == 0:
			t.Errorf("%s: 0, now %.0f", countNames[c], got[c])
		default:
			t.Errorf("%s: %.0f, now %.0f (%+.1f %%)", countNames[c], want[c], got[c], 100*change)
		}
	}
}

func readCosts() (map[string]cost, error) {
	text, err := os.ReadFile(costFile)
	costs := map[string]cost{}
	if err != nil {
		return costs, err
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "#" || fields[0] == "engine" {
			continue
		}
		if len(fields) != 2+int(counts) {
			return nil, fmt.Errorf("%s: %q has %d fields", costFile, line, len(fields))
		}
		var c cost
		for i, field := range fields[2:] {
			if c[i], err = strconv.ParseFloat(field, 64); err != nil {
				return nil, fmt.Errorf("%s: %w", costFile, err)
			}
		}
		costs[fields[0]+" "+fields[1]] = c
	}
	return costs, nil
}

// noise is how much counts differ between runs. Such differences are not written.
const noise = 0.01

// writeCosts writes all costs, those in got with their new values.
func writeCosts(all, got map[string]cost) error {
	for row, now := range got {
		for c, before := range all[row] {
			if math.Abs(now[c]-before) <= noise*before {
				now[c] = before
			}
		}
		all[row] = now
	}
	var b strings.Builder
	b.WriteString(costHeader)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "engine\tscenario\tstatements\tround trips\tcommits\tcalls\tallocations\tallocated\tanswer\t")
	for _, row := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprint(w, strings.ReplaceAll(row, " ", "\t"), "\t")
		for _, n := range all[row] {
			fmt.Fprintf(w, "%.0f\t", n)
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return os.WriteFile(costFile, []byte(b.String()), 0o644)
}
