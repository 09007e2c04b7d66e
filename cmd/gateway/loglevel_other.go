//go:build !unix

package main

import (
	"context"
	"log/slog"
)

// followLevel does nothing: the system has no signal for it.
func followLevel(context.Context, *slog.LevelVar, *slog.Logger) {}
