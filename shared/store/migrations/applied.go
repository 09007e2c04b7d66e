package migrations

import (
	"context"
	"log/slog"
)

// An appliedLog is a log of goose's that passes on which migrations were applied,
// which goose tells in no other way before all are.
type appliedLog struct {
	slog.Handler

	applied func(name string)
}

func (appliedLog) Enabled(context.Context, slog.Level) bool { return true }

func (l appliedLog) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "migration completed" {
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "source" {
				l.applied(a.Value.String())
			}
			return a.Key != "source"
		})
	}
	return nil
}
