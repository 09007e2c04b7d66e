// Command bootstrap is the migrate function on AWS Lambda.
package main

import (
	"context"
	"log/slog"

	"github.com/voiceassist/gateway/functions/migrate"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/store/postgres"
)

func main() { faas.MainResource(open) }

// settings are the settings of the function.
type settings struct {
	Database postgres.DirectSettings
}

// Load loads all settings.
func (s *settings) Load(r setting.Reader) {
	setting.Load(r, &s.Database)
}

// open wires the store, over a connection that bypasses any pooler.
func open(ctx context.Context, s *settings) (faas.Function, error) {
	db := s.Database.Open()
	f := &migrate.Function{DB: db, Report: func(line string) { slog.WarnContext(ctx, line) }}
	return faas.Function{Resource: f.Resource, Command: f.Command, Close: db.Close}, nil
}
