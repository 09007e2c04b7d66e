package audit

import (
	"sync"
	"time"
)

// allowed is how many failed logins a minute one process keeps as rows: more
// than people make, and little enough (some 25 MB a day) for a flood that
// changes its address with every try.
const allowed = 60

// An Allowance bounds the rows that callers who are nobody yet can cause. The
// zero value is ready; it is safe for concurrent use.
type Allowance struct {
	mu      sync.Mutex
	minute  time.Time
	taken   int
	omitted int
}

// Take reports whether the event of a failed login may become a row now, and how
// many before it could not.
func (a *Allowance) Take(now time.Time) (ok bool, omitted int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.minute) >= time.Minute || now.Before(a.minute) {
		a.minute, a.taken = now, 0
	}
	if a.taken == allowed {
		a.omitted++
		return false, 0
	}
	omitted, a.omitted = a.omitted, 0
	a.taken++
	return true, omitted
}
