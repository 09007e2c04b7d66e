package password

import (
	"context"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/fault"
)

// ErrBusy is what a call gets that finds the queue full.
var ErrBusy = fault.New(fault.Unavailable, "busy",
	"Too many logins are waiting. Try again in a moment.").After(time.Second)

// A queue lets a number of calls run and a number wait, in the order they came.
type queue struct {
	admitted chan struct{} // holds one token for each call that runs or waits
	running  chan struct{} // and one for each that runs
}

func newQueue(slots, waiting int) queue {
	slots, waiting = max(slots, 1), max(waiting, 0)
	return queue{
		admitted: make(chan struct{}, slots+waiting),
		running:  make(chan struct{}, slots),
	}
}

// do runs fn when its turn comes. It fails with [ErrBusy] at once when the
// queue is full, and with the error of ctx when that ends first; fn does not
// run then.
func (g queue) do(ctx context.Context, fn func() error) error {
	select {
	case g.admitted <- struct{}{}:
	default:
		return ErrBusy
	}
	defer func() { <-g.admitted }()
	select {
	case g.running <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("wait to hash: %w", ctx.Err())
	}
	defer func() { <-g.running }()
	if err := ctx.Err(); err != nil { // both were ready: nobody waits for the answer
		return fmt.Errorf("wait to hash: %w", err)
	}
	return fn()
}
