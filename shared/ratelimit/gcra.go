package ratelimit

import "time"

// A Limit lets Burst requests through at once, and then one more every Window/Burst. The
// zero value lets everything through.
type Limit struct {
	Burst  int
	Window time.Duration // in which a used-up burst is restored
}

// PerMinute returns the limit of n requests a minute. If n is 0, there is no limit.
func PerMinute(n int) Limit { return Limit{Burst: n, Window: time.Minute} }

// None reports whether the limit lets everything through.
func (l Limit) None() bool { return l.Burst <= 0 }

// Bounds are the numbers that one request is compared with: times in microseconds since
// the Unix epoch, and the interval in microseconds. A store that cannot call [Bounds.Take]
// implements it with these numbers.
type Bounds struct {
	Now      int64
	Interval int64 // in which one request is restored
	Last     int64 // the latest kept time that still lets a request through
	Full     int64 // the latest time that a correct clock can have stored
}

// At returns the bounds of a request at now. l must not be unlimited; see [Limit.None].
func (l Limit) At(now time.Time) Bounds {
	interval := max(1, l.Window.Microseconds()/int64(l.Burst))
	n := now.UnixMicro()
	return Bounds{Now: n, Interval: interval, Last: n + interval*int64(l.Burst-1), Full: n + interval*int64(l.Burst)}
}

// Take decides one request. kept is the time kept for its key, at which the burst is fully
// restored, or 0 if there is none; next replaces it.
//
// A time that no request can have stored comes from a clock that was ahead, in another
// process or on this machine before its clock was set back. It counts as a burst used up
// now; otherwise the key would be refused for as long as that clock was ahead.
func (b Bounds) Take(kept int64) (next int64, allowed bool) {
	switch {
	case kept <= b.Now:
		return b.Now + b.Interval, true
	case kept <= b.Last:
		return kept + b.Interval, true
	case kept <= b.Full:
		return kept, false
	default:
		return b.Full, false
	}
}

// Refuses reports whether kept, as stored by another process, is enough to refuse the
// request: no process can have decreased it since.
func (b Bounds) Refuses(kept int64) bool { return kept > b.Last && kept <= b.Full }

// A Decision is the result of one request.
type Decision struct {
	Allowed   bool
	Remaining int           // requests that would pass now
	Next      time.Duration // until one more would pass; after a refusal, how long to wait before retrying
}

// decide returns the decision that follows from kept, the time kept after the request.
func (b Bounds) decide(kept int64, allowed bool) Decision {
	used := (kept - b.Now + b.Interval - 1) / b.Interval // requests that are not restored yet
	burst := (b.Full - b.Now) / b.Interval
	return Decision{
		Allowed:   allowed,
		Remaining: int(max(0, burst-used)),
		Next:      time.Duration(kept-b.Now-(used-1)*b.Interval) * time.Microsecond,
	}
}
