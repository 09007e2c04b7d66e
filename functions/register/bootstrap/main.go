// Command bootstrap is the register function on AWS Lambda.
package main

import (
	"context"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/functions/register"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/identity/registration"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/store/postgres"
)

func main() { faas.Main(open) }

// settings are the settings of the function.
type settings struct {
	setup.Function

	Database     postgres.Settings
	Keys         keyring.Settings
	Passwords    password.Settings
	Desired      desired.Policy
	Registration registration.Settings
	Rules        account.Rules
}

// Load loads all settings.
func (s *settings) Load(r setting.Reader) {
	setting.Load(r, &s.Function, &s.Database, &s.Keys, &s.Passwords, &s.Desired, &s.Registration, &s.Rules)
}

// open wires the store, passwords and the desired state of Nextcloud accounts.
func open(_ context.Context, s *settings) (http.Handler, error) {
	db, ring := s.Database.Open(), s.Keys.Ring()
	f := &register.Function{Registrar: &registration.Registrar{
		DB: db, Passwords: s.Passwords.Hasher(), Desired: desired.NewRecorder(s.Desired, ring), Now: time.Now,
		Outbox: new(mail.Outbox), Rules: s.Rules, Silent: s.Registration.Silent,
	}}
	return faas.Closing(s.Handler(s.Limiter(ring, db), f.Routes()), db.Close), nil
}
