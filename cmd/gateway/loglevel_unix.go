//go:build unix

package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// followLevel changes the log level at each SIGUSR1, until ctx ends: to debug, and back to
// that of the settings. If that is debug, the other level is info.
func followLevel(ctx context.Context, level *slog.LevelVar, log *slog.Logger) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	defer signal.Stop(signals)
	now, next := level.Level(), slog.LevelDebug
	if now == next {
		next = slog.LevelInfo
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
		}
		now, next = next, now
		level.Set(now)
		log.LogAttrs(ctx, slog.LevelWarn, "log level changed", slog.String("to", now.String()))
	}
}
