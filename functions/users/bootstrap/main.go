// Command bootstrap is the users function on AWS Lambda.
package main

import (
	"context"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/functions/users"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/codes"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/identity/registration"
	"github.com/voiceassist/gateway/shared/identity/signin"
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
	Tokens    token.Settings
	Logins    signin.Lifetimes
	Passwords password.Settings
	Desired   desired.Policy
	Rules     account.Rules
	Mail      mail.Settings
}

// Load loads all settings.
func (s *settings) Load(r setting.Reader) {
	setting.Load(r, &s.Function, &s.Database, &s.Keys, &s.Tokens, &s.Logins, &s.Passwords, &s.Desired, &s.Rules, &s.Mail)
}

// open wires the store, tokens, passwords and the desired state of Nextcloud accounts.
func open(_ context.Context, s *settings) (http.Handler, error) {
	db, ring := s.Database.Open(), s.Keys.Ring()
	limits := s.Limiter(ring, db)
	passwords, accounts, outbox := s.Passwords.Hasher(), desired.NewRecorder(s.Desired, ring), s.Mail.Outbox()
	f := &users.Function{
		Auth:      s.Authenticator(s.Tokens.Keys(), db),
		DB:        db,
		Registrar: &registration.Registrar{DB: db, Passwords: passwords, Desired: accounts, Outbox: outbox, Rules: s.Rules, Now: time.Now},
		Passwords: passwords,
		Desired:   accounts,
		Outbox:    outbox,
		Rules:     s.Rules,
		Confirmer: &password.Confirmer{
			Accounts: db, Codes: codes.New(db, ring, time.Now), Hasher: passwords, Limits: limits, Now: time.Now,
		},
		Logins: s.Logins,
		Now:    time.Now,
	}
	return faas.Closing(s.Handler(limits, f.Routes()), db.Close), nil
}
