package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/voiceassist/gateway/cmd/gateway/internal/keys"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// followKeys uses changed keys until ctx ends. SIGHUP triggers an additional read.
func (p *parts) followKeys(ctx context.Context) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	defer signal.Stop(signals)
	keys.Follower{Read: p.readKeys, Every: keys.FollowInterval, Now: signals, Log: p.log}.Run(ctx)
}

// readKeys reads the keys from settings and files, and uses them if they are valid.
// It creates nothing: a missing key file is an error.
func (p *parts) readKeys(ctx context.Context) error {
	vars := &variables{process: p.vars.process, file: p.vars.file, fromKeyFile: map[string]string{}}
	env := config.New(vars.lookup)
	if err := vars.load(env, p.Now()); err != nil {
		return err
	}
	var secrets keyring.Settings
	var tokens token.Settings
	if err := env.Load(&secrets, &tokens); err != nil {
		return err
	}
	signing := tokens.Keys()
	// The order does not matter: each set accepts what the other one signs.
	changed := p.ring.Replace(secrets.Ring())
	if p.Tokens.Access.Replace(signing) || changed {
		ids := signing.IDs()
		p.log.LogAttrs(ctx, slog.LevelInfo, "keys changed", slog.String("signs", ids[0]),
			slog.Any("accepted", slices.Clone(ids[1:])), slog.Bool("secret", changed))
	}
	return nil
}
