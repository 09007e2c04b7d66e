// Command bootstrap is the users function on AWS Lambda.
package main

import (
	"context"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/functions/users"
	"github.com/voiceassist/gateway/shared/bearer"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/enrol"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/password"
	"github.com/voiceassist/gateway/shared/provision"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/signin"
	"github.com/voiceassist/gateway/shared/store/postgres"
	"github.com/voiceassist/gateway/shared/token"
)

func main() { faas.Main(open) }

// open wires the store, the tokens, the passwords and the wishes for Nextcloud.
func open(_ context.Context, env *config.Env) (http.Handler, error) {
	db := postgres.Read(env, postgres.FunctionConns)
	ring := setup.Ring(env)
	limits := setup.FunctionLimits(env, ring, db)
	passwords, wishes := password.Read(env), provision.ReadWisher(env, ring)
	f := &users.Function{
		Callers:   &bearer.Check{Keys: token.Read(env), DB: db, Now: time.Now},
		DB:        db,
		Office:    &enrol.Office{DB: db, Passwords: passwords, Wishes: wishes, Now: time.Now},
		Passwords: passwords,
		Wishes:    wishes,
		Limits:    limits,
		Logins:    signin.ReadLifetimes(env),
		Now:       time.Now,
	}
	h, err := setup.Handler(env, limits, f.Routes())
	return faas.Closing(h, db.Close), err
}
