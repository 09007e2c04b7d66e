// Command bootstrap is the login function on AWS Lambda.
package main

import (
	"context"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/functions/login"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/store/postgres"
)

func main() { faas.Main(open) }

// open wires the store, the passwords, the tokens and the wishes.
func open(_ context.Context, env *config.Env) (http.Handler, error) {
	db, ring := postgres.Read(env, postgres.FunctionConns), setup.Ring(env)
	limits := setup.FunctionLimits(env, ring, db)
	f := &login.Function{
		DB: db, Passwords: password.Read(env), Tokens: setup.Issuer(env, ring),
		Desired: desired.ReadRecorder(env, ring), Limits: limits, Now: time.Now,
	}
	h, err := setup.Handler(env, limits, f.Routes())
	return faas.Closing(h, db.Close), err
}
