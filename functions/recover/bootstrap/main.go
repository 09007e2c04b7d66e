// Command bootstrap is the recover function on AWS Lambda.
package main

import (
	"context"
	"net/http"
	"time"

	recovering "github.com/voiceassist/gateway/functions/recover"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/identity/recovery"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/store/postgres"
)

func main() { faas.Main(open) }

// settings are the settings of the function.
type settings struct {
	setup.Function

	Database  postgres.Settings
	Keys      keyring.Settings
	Tokens    token.IssuerSettings
	Passwords password.Settings
	Desired   desired.Policy
	Rules     account.Rules
	Mail      mail.Settings
}

// Load loads all settings.
func (s *settings) Load(r setting.Reader) {
	setting.Load(r, &s.Function, &s.Database, &s.Keys, &s.Tokens, &s.Passwords, &s.Desired, &s.Rules, &s.Mail)
}

// open wires the store, the tokens in links and of logins, passwords and the outbox, which another
// function sends.
func open(_ context.Context, s *settings) (http.Handler, error) {
	db, ring := s.Database.Open(), s.Keys.Ring()
	limits := s.Limiter(ring, db)
	f := &recovering.Function{Tokens: s.Tokens.Issuer(ring), Service: &recovery.Service{
		DB: db, Tokens: linktoken.NewCodec(ring), Passwords: s.Passwords.Hasher(), Desired: desired.NewRecorder(s.Desired, ring),
		Outbox: s.Mail.Outbox(), Rules: s.Rules, Limits: limits, Now: time.Now, Step: recovery.AnswerStep,
	}}
	return faas.Closing(s.Handler(limits, append(f.Routes(), f.Pages()...)), db.Close), nil
}
