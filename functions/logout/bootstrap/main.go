// Command bootstrap is the logout function on AWS Lambda.
package main

import (
	"context"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/functions/logout"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/store/postgres"
)

func main() { faas.Main(open) }

// open wires the store, the tokens and the wishes for Nextcloud.
func open(_ context.Context, env *config.Env) (http.Handler, error) {
	db, ring := postgres.Read(env, postgres.FunctionConns), setup.Ring(env)
	f := &logout.Function{DB: db, Tokens: setup.Issuer(env, ring), Desired: desired.ReadRecorder(env, ring), Now: time.Now}
	h, err := setup.Handler(env, setup.FunctionLimits(env, ring, db), f.Routes())
	return faas.Closing(h, db.Close), err
}
