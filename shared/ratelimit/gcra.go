// Package ratelimit bounds how often something may be done.
//
// The rule is the generic cell rate algorithm in its form of virtual scheduling
// (ITU-T I.371 annex A): all that is kept for a key is one time, so a store
// needs one atomic step for each request. [Bounds.Take] is the rule, without a
// clock or I/O; [Memory] applies it in this process, and a [Store] in what
// several processes share.
//
// Start with [Limiter], which knows the limits of the gateway, counts clients and
// accounts, and goes on in memory while the store does not answer.
package ratelimit

import "time"

// A Limit lets Burst requests through at once, and one more each Window/Burst
// after that. Its zero value lets everything through.
type Limit struct {
	Burst  int
	Window time.Duration // in which a used-up burst comes back
}

// PerMinute returns the limit of n in a minute; 0 is no limit.
func PerMinute(n int) Limit { return Limit{Burst: n, Window: time.Minute} }

// None reports whether the limit lets everything through.
func (l Limit) None() bool { return l.Burst <= 0 }

// Bounds are what the rule compares with for one request: times in microseconds
// since the Unix epoch, and the interval, in microseconds. A store that cannot
// call [Bounds.Take] repeats it with these numbers.
type Bounds struct {
	Now      int64
	Interval int64 // in which one request comes back
	Last     int64 // the latest time kept that still lets a request through
	Full     int64 // the latest time that an honest clock leaves behind
}

// At returns the bounds of a request at now. l must not be [Limit.None].
func (l Limit) At(now time.Time) Bounds {
	interval := max(1, l.Window.Microseconds()/int64(l.Burst))
	n := now.UnixMicro()
	return Bounds{Now: n, Interval: interval, Last: n + interval*int64(l.Burst-1), Full: n + interval*int64(l.Burst)}
}

// Take judges one request. kept is what is kept for its key: the time when the
// burst will have come back, 0 for nothing; next is to be kept instead.
//
// A time that no request can have left behind is of a clock that was ahead, in
// another process or before this machine's was set back. It counts as a burst
// used up now, or the key would be refused for as long as that clock was wrong.
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

// Refuses reports whether kept, as a time that somebody else left behind, is
// reason enough to refuse: no other process can have made it smaller since.
func (b Bounds) Refuses(kept int64) bool { return kept > b.Last && kept <= b.Full }

// A Decision is what became of one request.
type Decision struct {
	Allowed   bool
	Remaining int           // requests that would pass now
	Next      time.Duration // until there is one more; after a refusal, until trying again helps
}

// decide returns the decision that kept, after the request, stands for.
func (b Bounds) decide(kept int64, allowed bool) Decision {
	used := (kept - b.Now + b.Interval - 1) / b.Interval // requests that have not come back
	burst := (b.Full - b.Now) / b.Interval
	return Decision{
		Allowed:   allowed,
		Remaining: int(max(0, burst-used)),
		Next:      time.Duration(kept-b.Now-(used-1)*b.Interval) * time.Microsecond,
	}
}
