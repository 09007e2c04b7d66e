package server

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// gcPercent replaces the default of 100. So little memory is live that the collector would
// run tens of times a second under load, and take a tenth of the CPU time of a request. At
// 200 the heap grows by a few megabytes more.
const gcPercent = 200

// TuneMemory sets how much memory the process may use before it collects garbage, unless
// the variables GOGC and GOMEMLIMIT do. In a container, the limit is nine tenths of the
// container's.
func TuneMemory(ctx context.Context, log *slog.Logger) {
	const byDefault = 100
	if before := debug.SetGCPercent(gcPercent); before != byDefault {
		debug.SetGCPercent(before)
	}
	if _, err := memlimit.Set(); err != nil && !errors.Is(err, memlimit.ErrCgroupsNotSupported) {
		log.WarnContext(ctx, "the memory limit of the container is unknown", slog.String("cause", err.Error()))
	}
}
