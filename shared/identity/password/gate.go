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

// A gate lets a number of calls run and a number wait, in the order they came.
type gate struct {
	inside  chan struct{} // holds one token for each call that runs or waits
	running chan struct{} // and one for each that runs
}

func newGate(slots, queue int) gate {
	slots, queue = max(slots, 1), max(queue, 0)
	return gate{
		inside:  make(chan struct{}, slots+queue),
		running: make(chan struct{}, slots),
	}
}

// do runs fn when its turn comes. It fails with [ErrBusy] at once when the
// queue is full, and with the error of ctx when that ends first; fn does not
// run then.
func (g gate) do(ctx context.Context, fn func() error) error {
	select {
	case g.inside <- struct{}{}:
	default:
		return ErrBusy
	}
	defer func() { <-g.inside }()
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
