// Command bootstrap is the jwks function on AWS Lambda.
package main

import (
	"context"
	"net/http"

	"github.com/voiceassist/gateway/functions/jwks"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/setup"
)

func main() { faas.Main(open) }

// open wires what there is to publish, and no secret.
func open(_ context.Context, env *config.Env) (http.Handler, error) {
	f := &jwks.Function{Keys: token.ReadPublic(env)}
	return setup.Handler(env, setup.FunctionLimits(env, nil, nil), f.Routes())
}
