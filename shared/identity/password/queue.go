package password

import (
	"context"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/fault"
)

// ErrBusy is returned when the queue is full.
var ErrBusy = fault.New(fault.Unavailable, "busy",
	"Too many logins are waiting. Try again in a moment.").After(time.Second)

// A queue limits how many calls run at once and how many wait, in order of
// arrival.
type queue struct {
	admitted chan struct{} // one token for each call that runs or waits
	running  chan struct{} // one token for each call that runs
}

func newQueue(slots, waiting int) queue {
	slots, waiting = max(slots, 1), max(waiting, 0)
	return queue{
		admitted: make(chan struct{}, slots+waiting),
		running:  make(chan struct{}, slots),
	}
}

// full reports whether do would return [ErrBusy] now.
func (q queue) full() bool { return len(q.admitted) == cap(q.admitted) }

// do runs fn when its turn comes. It does not run fn if the queue is full,
// which is [ErrBusy], or if ctx ends first.
func (q queue) do(ctx context.Context, fn func() error) error {
	select {
	case q.admitted <- struct{}{}:
	default:
		return ErrBusy
	}
	defer func() { <-q.admitted }()
	select {
	case q.running <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("wait to hash: %w", ctx.Err())
	}
	defer func() { <-q.running }()
	if err := ctx.Err(); err != nil { // both were ready, but nobody waits for the result
		return fmt.Errorf("wait to hash: %w", err)
	}
	return fn()
}
