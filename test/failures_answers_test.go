package test_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// answers count what clients got during one scenario, and measure how long the
// gateway took to be well again after each fault. It is safe for concurrent use.
type answers struct {
	t *testing.T

	clients int // that use the gateway
	between int // successes between two faults

	mu           sync.Mutex
	counts       map[string]int // responses by status, code and request
	acknowledged int            // changes
	retry        int            // responses that ask to retry
	unanswered   int            // requests without a response
	lost         int            // acknowledged changes that are gone
	wrong        int            // any other response
	succeeded    int            // requests

	faults int
	ended  time.Time // when the latest fault ended; zero while one lasts
	well   time.Time // of the first success after which no request failed
	took   []time.Duration
}

func newAnswers(t *testing.T) *answers {
	t.Helper()
	return &answers{t: t, clients: 4, between: 30, counts: map[string]int{}}
}

// An outcome is how a request ended, as answers count it.
type outcome int

const (
	done       outcome = iota // a success that changed nothing
	changed                   // a success that acknowledged a change
	expected                  // another response that is right
	retryLater                // 503 with Retry-After
	unanswered                // no response
)

// note counts one response.
func (a *answers) note(what string, o outcome) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.counts[what]++
	switch o {
	case changed:
		a.acknowledged++
	case retryLater:
		a.retry++
	case unanswered:
		a.unanswered++
	case done, expected:
	}
	switch {
	case a.ended.IsZero():
	case o == retryLater || o == unanswered:
		a.well = time.Time{}
	case a.well.IsZero():
		a.well = time.Now()
	}
	if o <= changed {
		a.succeeded++
	}
}

// isWrong counts a response that no client should get, and fails the test.
func (a *answers) isWrong(format string, args ...any) {
	a.t.Helper()
	if a.t.Context().Err() != nil {
		return // the test has ended early
	}
	a.mu.Lock()
	a.wrong++
	a.mu.Unlock()
	a.t.Errorf(format, args...)
}

// isLost counts an acknowledged change that is gone, and fails the test.
func (a *answers) isLost(format string, args ...any) {
	a.t.Helper()
	if a.t.Context().Err() != nil {
		return // the test has ended early
	}
	a.mu.Lock()
	a.lost++
	a.mu.Unlock()
	a.t.Errorf(format, args...)
}

// await returns after n more successes.
func (a *answers) await(n int) {
	a.t.Helper()
	a.more(n, "successes", func() int { return a.succeeded })
}

// awaitFailures returns after n more requests have got 503 or no response.
func (a *answers) awaitFailures(n int) {
	a.t.Helper()
	a.more(n, "failures", func() int { return a.retry + a.unanswered })
}

// more returns when count has grown by n. A failure may take longer than a success.
func (a *answers) more(n int, what string, count func() int) {
	a.t.Helper()
	now := func() int {
		a.mu.Lock()
		defer a.mu.Unlock()
		return count()
	}
	late := time.After(3 * answerTime)
	for enough := now() + n; now() < enough; {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-late:
			a.t.Fatalf("too few %s; responses: %v", what, a)
		}
	}
}

// during injects a fault, and begins to measure the recovery when fault returns.
func (a *answers) during(fault func()) {
	a.settle()
	a.mu.Lock()
	a.faults++
	a.mu.Unlock()
	fault()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended, a.well = time.Now(), time.Time{}
}

// settle ends the measurement of a recovery.
func (a *answers) settle() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.ended.IsZero() && !a.well.IsZero() {
		a.took = append(a.took, a.well.Sub(a.ended))
	}
	a.ended = time.Time{}
}

// slowest returns the longest recovery.
func (a *answers) slowest() time.Duration {
	a.settle()
	if len(a.took) == 0 {
		return 0
	}
	return slices.Max(a.took)
}

// String lists the counts.
func (a *answers) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var lines []string
	for _, what := range slices.Sorted(maps.Keys(a.counts)) {
		lines = append(lines, fmt.Sprintf("%6d %s", a.counts[what], what))
	}
	return "\n" + strings.Join(lines, "\n")
}
