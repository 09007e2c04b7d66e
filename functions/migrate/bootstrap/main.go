// Command bootstrap is the migrate function on AWS Lambda.
package main

import (
	"context"
	"log/slog"

	"github.com/voiceassist/gateway/functions/migrate"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/store/postgres"
)

func main() { faas.MainResource(open) }

// open wires the store, past any pooler.
func open(ctx context.Context, env *config.Env) (faas.Function, error) {
	db := postgres.ReadDirect(env)
	f := &migrate.Function{DB: db, Tell: func(line string) { slog.WarnContext(ctx, line) }}
	return faas.Function{Resource: f.Resource, Command: f.Command, Close: db.Close}, env.Err()
}
