package main

import (
	"context"
	"log/slog"
	"time"
)

const (
	clockLook = 5 * time.Second // between two looks at the clock
	clockStep = time.Minute     // the least that counts; times of smaller steps come soon enough
)

// followClock notices when the clock of this machine is set, until ctx ends. What was
// scheduled while it was ahead is not due for as long, so it is then made due at once.
func (p *parts) followClock(ctx context.Context) {
	look := time.NewTicker(clockLook)
	defer look.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		now := time.Now()
		step := clockStepBetween(last, now)
		last = now
		if step.Abs() < clockStep {
			continue
		}
		p.log.WarnContext(ctx, "the clock was set", slog.Float64("by_seconds", step.Seconds()))
		if step > 0 {
			continue
		}
		if err := p.DB.Reschedule(ctx, now); err != nil {
			p.log.WarnContext(ctx, "background work may come late", slog.String("cause", err.Error()))
		}
	}
}

// clockStepBetween returns by how much the clock was set between two readings: the
// difference of the time of day, less the time that has passed.
func clockStepBetween(last, now time.Time) time.Duration {
	return now.Round(0).Sub(last.Round(0)) - now.Sub(last)
}
