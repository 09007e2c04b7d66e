// Command bootstrap is the ncprovision function on AWS Lambda: its calls, and
// its job on schedule.
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/voiceassist/gateway/functions/ncprovision"
	"github.com/voiceassist/gateway/shared/audit/trail"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/nextcloud/access"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/store/janitor"
	"github.com/voiceassist/gateway/shared/store/postgres"
)

func main() { faas.MainJob(open) }

// open wires the store, the check of tokens and the reconciler.
func open(ctx context.Context, env *config.Env) (faas.Function, error) {
	db, ring := postgres.Read(env, postgres.FunctionConns), setup.Ring(env)
	limits := setup.FunctionLimits(env, ring, db)
	if shared := setup.SharedSecret(env); shared != "" {
		slog.WarnContext(ctx, shared)
	}
	f := &ncprovision.Function{
		Auth:       &endpoint.Authenticator{Keys: token.Read(env), Logins: db, Now: time.Now},
		DB:         db,
		Reconciler: reconcile.ReadReconciler(env, db, ring),
		Apps:       access.ReadStorage(env, db, ring, time.Now).AppPasswords(),
		Confirmer:  &password.Confirmer{Accounts: db, Hasher: password.Read(env), Limits: limits, Now: time.Now},
		Trail:      trail.Read(env, db, ring),
		Janitor:    janitor.New(db, time.Now),
		Resealer:   reconcile.NewResealer(db, ring, time.Now),
		Public:     nextcloud.ReadServer(env).PublicURL,
		Now:        time.Now,
	}
	h, err := setup.Handler(env, limits, f.Routes())
	return faas.Function{
		HTTP: h, Close: db.Close,
		Job: func(ctx context.Context, _ faas.Event) error { return errors.Join(f.Run(ctx), measure(ctx, f)) },
	}, err
}

// measure tells how long somebody waits for an account, after each run: also one
// whose time is up, which is when it matters. Without a Nextcloud everybody does.
func measure(ctx context.Context, f *ncprovision.Function) error {
	if f.Reconciler == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), faas.Margin/2)
	defer cancel()
	waiting, err := f.Waiting(ctx)
	if err != nil {
		return err
	}
	return faas.Seconds(os.Stdout, "OldestUnprovisionedSeconds", waiting, time.Now())
}
