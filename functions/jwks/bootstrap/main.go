// Command bootstrap is the jwks function on AWS Lambda.
package main

import (
	"context"
	"net/http"

	"github.com/voiceassist/gateway/functions/jwks"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/setup"
)

func main() { faas.Main(open) }

// settings are the settings of the function.
type settings struct {
	setup.Function

	Tokens token.PublicSettings
}

// Load loads all settings.
func (s *settings) Load(r setting.Reader) {
	setting.Load(r, &s.Function, &s.Tokens)
}

// open wires the public keys. The function has no secret.
func open(_ context.Context, s *settings) (http.Handler, error) {
	f := &jwks.Function{Keys: s.Tokens.Keys()}
	return s.Handler(s.Limiter(nil, nil), f.Routes()), nil
}
