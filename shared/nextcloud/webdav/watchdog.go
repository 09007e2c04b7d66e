package webdav

import (
	"context"
	"errors"
	"io"
	"time"
)

// A watchdog cancels a call that makes no progress. A transfer may take as long as it needs,
// so calls have no overall time limit.
type watchdog struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	idle   time.Duration
}

func newWatchdog(ctx context.Context, idle time.Duration) *watchdog {
	w := &watchdog{idle: idle}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(idle, func() { w.cancel(errSlow) })
	return w
}

// extend allows d until the next progress.
func (w *watchdog) extend(d time.Duration) { w.timer.Reset(d) }

// stop stops the watchdog, and cancels the call if it is still in progress.
func (w *watchdog) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// A watchedReader reports the progress of a body to its watchdog.
type watchedReader struct {
	io.Reader

	watchdog *watchdog
	end      time.Duration // limit for the response after the end of the body
}

// Read reads from the body and resets the timer.
func (b *watchedReader) Read(p []byte) (int, error) {
	b.watchdog.extend(b.watchdog.idle)
	n, err := b.Reader.Read(p)
	switch {
	case err != nil && b.end > 0:
		b.watchdog.extend(b.end)
	default:
		b.watchdog.extend(b.watchdog.idle)
	}
	if err != nil && !errors.Is(err, io.EOF) && errors.Is(context.Cause(b.watchdog.ctx), errSlow) {
		err = errSlow
	}
	return n, err
}

// A watchedBody is the body of a response. Closing it ends the call.
type watchedBody struct {
	watchedReader

	body io.Closer
}

// Close ends the call.
func (b *watchedBody) Close() error {
	err := b.body.Close()
	b.watchdog.stop()
	return err
}
