package migrations

import (
	"sync"
	"time"
)

const reportEvery = 10 * time.Second // while the wait is for the same thing

// A waitReporter reports what is waited for. It is safe for concurrent use.
type waitReporter struct {
	to      func(line string) // may be nil
	applied func(name string) // may be nil

	mu      sync.Mutex
	line    string    // the last reported line
	at      time.Time // when line was reported
	waiting bool      // the wait is not over
}

// report reports line, unless it was reported less than reportEvery ago.
func (t *waitReporter) report(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting && line == t.line && time.Since(t.at) < reportEvery {
		return
	}
	t.line, t.at, t.waiting = line, time.Now(), true
	if t.to != nil {
		t.to(line)
	}
}

// over records that the wait is over.
func (t *waitReporter) over() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting = false
}

// last returns the last reported line, and whether that wait continues.
func (t *waitReporter) last() (line string, waiting bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.line, t.waiting
}
