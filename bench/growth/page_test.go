package growth_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/store"
)

const (
	pageFile  = "../../docs/performance.md"
	beginMark = "<!-- begin of what \"make growth-page\" writes -->\n"
	endMark   = "<!-- end of what \"make growth-page\" writes -->\n"
)

// A page collects what the section "Growth" shows.
type page struct {
	calls []string // in order
	rows  map[string]map[string]growth
	took  map[string]time.Duration // to fill the larger database, by engine
}

func newPage() *page {
	return &page{rows: map[string]map[string]growth{}, took: map[string]time.Duration{}}
}

func (p *page) add(engine string, g growth) {
	if p.rows[g.call] == nil {
		p.rows[g.call] = map[string]growth{}
		p.calls = append(p.calls, g.call)
	}
	p.rows[g.call][engine] = g
}

// write replaces the measured part of the section.
func (p *page) write() error {
	text, err := os.ReadFile(pageFile)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), beginMark)
	_, after, ended := strings.Cut(rest, endMark)
	if !found || !ended {
		return errors.New(pageFile + " lacks the marks of the section")
	}
	return os.WriteFile(pageFile, []byte(before+beginMark+p.section()+endMark+after), 0o644)
}

func (p *page) section() string {
	var b strings.Builder
	var slow []string
	for _, call := range p.calls {
		for _, engine := range []string{store.PostgreSQL, store.SQLite} {
			if g := p.rows[call][engine]; g.ratio() > bound {
				slow = append(slow, fmt.Sprintf("`%s` (%s, %.2f)", call, engine, g.ratio()))
			}
		}
	}
	fmt.Fprintf(&b, "\nMeasured on %s. ", time.Now().UTC().Format(time.DateOnly))
	if len(slow) == 0 {
		fmt.Fprintf(&b, "No call takes more than %.2f times as long.", bound)
	} else {
		fmt.Fprintf(&b, "These calls take more than %.2f times as long: %s.", bound, strings.Join(slow, ", "))
	}
	fmt.Fprintf(&b, " It took %.0f s to fill PostgreSQL with a million users, and %.0f s to fill SQLite.\n\n",
		p.took[store.PostgreSQL].Seconds(), p.took[store.SQLite].Seconds())
	b.WriteString("| call | PostgreSQL, 1k | 1M | ratio | p99, 1k | 1M | pages, 1k | 1M | SQLite, 1k | 1M | ratio | p99, 1k | 1M |\n")
	b.WriteString(strings.Repeat("|---", 13) + "|\n")
	for _, call := range p.calls {
		pg, lite := p.rows[call][store.PostgreSQL], p.rows[call][store.SQLite]
		fmt.Fprintf(&b, "| `%s` | %s | %d | %d | %s |\n", call, pg.cells(), pg.pages[0], pg.pages[1], lite.cells())
	}
	b.WriteString("\n")
	return b.String()
}

func (g growth) cells() string {
	return fmt.Sprintf("%s | %s | %.2f | %s | %s", millis(g.median[0]), millis(g.median[1]), g.ratio(), millis(g.p99[0]), millis(g.p99[1]))
}

func millis(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond)) }
