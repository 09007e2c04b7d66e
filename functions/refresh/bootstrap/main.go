// Command bootstrap is the refresh function on AWS Lambda.
package main

import (
	"context"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/functions/refresh"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/store/postgres"
)

func main() { faas.Main(open) }

// settings are the settings of the function.
type settings struct {
	setup.Function

	Database postgres.Settings
	Keys     keyring.Settings
	Tokens   token.IssuerSettings
	Mail     mail.Settings
}

// Load loads all settings.
func (s *settings) Load(r setting.Reader) {
	setting.Load(r, &s.Function, &s.Database, &s.Keys, &s.Tokens, &s.Mail)
}

// open wires the store and tokens.
func open(_ context.Context, s *settings) (http.Handler, error) {
	db, ring := s.Database.Open(), s.Keys.Ring()
	limits := s.Limiter(ring, db)
	f := &refresh.Function{DB: db, Tokens: s.Tokens.Issuer(ring), Outbox: s.Mail.Outbox(), Limits: limits, Now: time.Now}
	return faas.Closing(s.Handler(limits, f.Routes()), db.Close), nil
}
