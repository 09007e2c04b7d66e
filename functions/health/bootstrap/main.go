// Command bootstrap is the health function on AWS Lambda.
package main

import (
	"context"
	"net/http"

	"github.com/voiceassist/gateway/functions/health"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/store/postgres"
)

func main() { faas.Main(open) }

// settings are the settings of the function.
type settings struct {
	setup.Function

	Database postgres.Settings
	Health   health.Settings
}

// Load loads all settings.
func (s *settings) Load(r setting.Reader) {
	setting.Load(r, &s.Function, &s.Database, &s.Health)
}

// open wires the store and the probes of the configured dependencies.
func open(_ context.Context, s *settings) (http.Handler, error) {
	db := s.Database.Open()
	h := s.Handler(s.Limiter(nil, nil), health.New(s.Health, db).Routes())
	return faas.Closing(h, db.Close), nil
}
