// Command bootstrap is the sessions function on AWS Lambda.
package main

import (
	"context"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/functions/sessions"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/store/postgres"
)

func main() { faas.Main(open) }

// open wires the store and the check of tokens.
func open(_ context.Context, env *config.Env) (http.Handler, error) {
	db, ring := postgres.Read(env, postgres.FunctionConns), setup.Ring(env)
	f := &sessions.Function{
		Auth:    &endpoint.Authenticator{Keys: token.Read(env), Logins: db, Now: time.Now},
		DB:      db,
		PerUser: setup.SessionsPerUser(env),
		Now:     time.Now,
	}
	h, err := setup.Handler(env, setup.FunctionLimits(env, ring, db), f.Routes())
	return faas.Closing(h, db.Close), err
}
