// Command bootstrap is the register function on AWS Lambda.
package main

import (
	"context"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/functions/register"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/identity/registration"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/store/postgres"
)

func main() { faas.Main(open) }

// open wires the store, the passwords and the wishes for Nextcloud.
func open(_ context.Context, env *config.Env) (http.Handler, error) {
	db, ring := postgres.Read(env, postgres.FunctionConns), setup.Ring(env)
	f := &register.Function{Registrar: &registration.Registrar{
		DB: db, Passwords: password.Read(env), Desired: desired.ReadRecorder(env, ring), Now: time.Now,
		Silent: registration.ReadSilent(env),
	}}
	h, err := setup.Handler(env, setup.FunctionLimits(env, ring, db), f.Routes())
	return faas.Closing(h, db.Close), err
}
