package migrations

import (
	"context"
	"log/slog"
)

// An appliedLog is a logger for goose that reports each applied migration. goose offers no
// other way to learn of them before all are applied.
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
