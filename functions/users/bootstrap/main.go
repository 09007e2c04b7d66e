// Command bootstrap is the users function on AWS Lambda.
package main

import (
	"context"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/functions/users"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/identity/registration"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/store/postgres"
)

func main() { faas.Main(open) }

// open wires the store, the tokens, the passwords and the wishes for Nextcloud.
func open(_ context.Context, env *config.Env) (http.Handler, error) {
	db := postgres.Read(env, postgres.FunctionConns)
	ring := setup.Ring(env)
	limits := setup.FunctionLimits(env, ring, db)
	passwords, wishes := password.Read(env), desired.ReadRecorder(env, ring)
	f := &users.Function{
		Auth:      &endpoint.Authenticator{Keys: token.Read(env), Logins: db, Now: time.Now},
		DB:        db,
		Registrar: &registration.Registrar{DB: db, Passwords: passwords, Desired: wishes, Now: time.Now},
		Passwords: passwords,
		Desired:   wishes,
		Confirmer: &password.Confirmer{Accounts: db, Hasher: passwords, Limits: limits, Now: time.Now},
		Logins:    signin.ReadLifetimes(env),
		Now:       time.Now,
	}
	h, err := setup.Handler(env, limits, f.Routes())
	return faas.Closing(h, db.Close), err
}
