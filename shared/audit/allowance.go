package audit

import (
	"sync"
	"time"
)

// allowed is how many events per minute an [Allowance] keeps: more failed logins than
// people cause, and little enough (about 25 MB a day) for an attack that changes its
// address with every attempt.
const allowed = 60

// An Allowance limits the events that unauthenticated callers can have stored or
// logged, to 60 a minute. The zero value is ready for use. It is safe for concurrent
// use.
type Allowance struct {
	mu      sync.Mutex
	minute  time.Time
	taken   int
	omitted int
}

// Take reports whether an event may be kept now, and if so, how many before it were
// omitted.
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
