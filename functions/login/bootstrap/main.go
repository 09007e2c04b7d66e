// Command bootstrap is the login function on AWS Lambda.
package main

import (
	"context"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/functions/login"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/mfa"
	"github.com/voiceassist/gateway/shared/identity/password"
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

// open wires the store, passwords, tokens and the desired state of Nextcloud accounts.
func open(_ context.Context, s *settings) (http.Handler, error) {
	db, ring := s.Database.Open(), s.Keys.Ring()
	limits := s.Limiter(ring, db)
	f := &login.Function{
		DB: db, Passwords: s.Passwords.Hasher(), Tokens: s.Tokens.Issuer(ring),
		Desired: desired.NewRecorder(s.Desired, ring), Outbox: s.Mail.Outbox(), Rules: s.Rules, Limits: limits, Now: time.Now,
		Challenges: mfa.NewChallengeCodec(ring),
	}
	return faas.Closing(s.Handler(limits, f.Routes()), db.Close), nil
}
