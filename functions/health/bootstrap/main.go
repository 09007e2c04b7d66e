// Command bootstrap is the health function on AWS Lambda.
package main

import (
	"context"
	"net/http"

	"github.com/voiceassist/gateway/functions/health"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/store/postgres"
)

func main() { faas.Main(open) }

// open wires the store and the probes of what is configured.
func open(_ context.Context, env *config.Env) (http.Handler, error) {
	db := postgres.Read(env, postgres.FunctionConns)
	h, err := setup.Handler(env, setup.FunctionLimits(env, nil, nil), health.Read(env, db).Routes())
	return faas.Closing(h, db.Close), err
}
