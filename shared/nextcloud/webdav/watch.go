package webdav

import (
	"context"
	"errors"
	"io"
	"time"
)

// A watch ends a call when nothing moves any more. A transfer may take as long
// as it needs, so no call has a time limit as a whole.
type watch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	idle   time.Duration
}

func newWatch(ctx context.Context, idle time.Duration) *watch {
	w := &watch{idle: idle}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(idle, func() { w.cancel(errSlow) })
	return w
}

// expect gives the next thing to happen so much time.
func (w *watch) expect(d time.Duration) { w.timer.Reset(d) }

// stop ends the watch, and the call if it goes on.
func (w *watch) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// watched is a body on its way.
type watched struct {
	io.Reader

	watch *watch
	end   time.Duration // what comes after the end may take so long
}

// Read lets the body go on for as long as it moves.
func (b *watched) Read(p []byte) (int, error) {
	b.watch.expect(b.watch.idle)
	n, err := b.Reader.Read(p)
	switch {
	case err != nil && b.end > 0:
		b.watch.expect(b.end)
	default:
		b.watch.expect(b.watch.idle)
	}
	if err != nil && !errors.Is(err, io.EOF) && errors.Is(context.Cause(b.watch.ctx), errSlow) {
		err = errSlow
	}
	return n, err
}

// watchedBody is the body of an answer; closing it ends the call.
type watchedBody struct {
	watched

	body io.Closer
}

// Close ends the call.
func (b *watchedBody) Close() error {
	err := b.body.Close()
	b.watch.stop()
	return err
}
