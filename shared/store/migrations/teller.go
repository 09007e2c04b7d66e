package migrations

import (
	"sync"
	"time"
)

const tellEvery = 10 * time.Second // while it is the same that is waited for

// A teller tells what is waited for. It is safe for concurrent use.
type teller struct {
	to      func(line string) // may be nil
	applied func(name string) // may be nil

	mu      sync.Mutex
	line    string    // the last that was told
	at      time.Time // when
	waiting bool      // for it, still
}

// tell passes the line on, unless it was told a moment ago.
func (t *teller) tell(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting && line == t.line && time.Since(t.at) < tellEvery {
		return
	}
	t.line, t.at, t.waiting = line, time.Now(), true
	if t.to != nil {
		t.to(line)
	}
}

// over notes that nothing is waited for any more.
func (t *teller) over() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting = false
}

// last returns what was told last, and whether it is still waited for.
func (t *teller) last() (line string, waiting bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.line, t.waiting
}
