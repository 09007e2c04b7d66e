// Command bootstrap is the jwks function on AWS Lambda.
package main

import (
	"context"
	"net/http"

	"github.com/voiceassist/gateway/functions/jwks"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/token"
)

func main() { faas.Main(open) }

// open wires the keys, and nothing else.
func open(_ context.Context, env *config.Env) (http.Handler, error) {
	ring := setup.Ring(env)
	f := &jwks.Function{Keys: token.Read(env, ring)}
	return setup.Handler(env, setup.FunctionLimits(env, ring, nil), f.Routes())
}
