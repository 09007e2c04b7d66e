package main

import (
	"io"
	"log/slog"
	"os"
)

// setDefaultLogger makes log the default of [slog], so that LOG_LEVEL also applies to
// packages that are not given a logger. It does so only for the standard error of
// the process: tests run several commands in one process, and each has its own
// output.
func setDefaultLogger(log *slog.Logger, out io.Writer) {
	if s, ok := out.(*screen); ok && s.out == io.Writer(os.Stderr) {
		slog.SetDefault(log)
	}
}
