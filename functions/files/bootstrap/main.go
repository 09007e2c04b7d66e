// Command bootstrap is the files function on AWS Lambda.
package main

import (
	"context"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/functions/files"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/nextcloud/access"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/store/postgres"
)

func main() { faas.Main(open) }

// open wires the store, the check of tokens and the storage.
func open(_ context.Context, env *config.Env) (http.Handler, error) {
	db, ring := postgres.Read(env, postgres.FunctionConns), setup.Ring(env)
	f := &files.Function{
		Auth:    &endpoint.Authenticator{Keys: token.Read(env), Logins: db, Now: time.Now},
		Storage: access.ReadStorage(env, db, ring, time.Now),
		MaxBody: files.LambdaBody,
	}
	h, err := setup.Handler(env, setup.FunctionLimits(env, ring, db), f.Routes())
	return faas.Closing(h, db.Close), err
}
