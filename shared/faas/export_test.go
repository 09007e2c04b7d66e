package faas

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/faas/secrets"
)

// Late returns the function that open creates with the environment env and the result of
// fetch.
func Late(
	ctx context.Context, env map[string]string, fetch func(context.Context) (*secrets.Values, error),
	open func(context.Context, *config.Env) (Function, error),
) lambda.Handler {
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	return newLazy(ctx, lookup, fetch, open)
}
