// Package background repeats work in the background of a process: one loop for
// everything that runs periodically. Start with [Loop].
package background

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"
)

// A Loop runs rounds of work with pauses between them. It is a value; Run may be
// called on copies concurrently.
type Loop struct {
	// Failed is the log message for a round that returns an error.
	Failed string
	// Level returns the log level of such an error. The default is
	// [slog.LevelWarn]: the next round may succeed.
	Level func(error) slog.Level

	// Interval is the shortest pause, counted from the end of a round.
	Interval time.Duration
	// Jitter is the upper bound of a random addition to each pause, so that
	// processes which start together do not work in step. 0 adds nothing.
	Jitter time.Duration
	// Wake ends a pause when it delivers. A nil channel never does.
	Wake <-chan struct{}
}

// Run calls round at once and after each pause, until ctx ends. It logs the error
// of a round and continues, except when ctx ended the round.
func (l Loop) Run(ctx context.Context, round func(context.Context) error) {
	for ctx.Err() == nil {
		if err := round(ctx); err != nil && ctx.Err() == nil {
			level := slog.LevelWarn
			if l.Level != nil {
				level = l.Level(err)
			}
			slog.LogAttrs(ctx, level, l.Failed, slog.String("cause", err.Error()))
		}
		l.pause(ctx)
	}
}

// pause returns after the pause, when woken, or when ctx ends.
func (l Loop) pause(ctx context.Context) {
	d := l.Interval
	if l.Jitter > 0 {
		d += rand.N(l.Jitter)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-l.Wake:
	case <-timer.C:
	}
}
