package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// keysPolled is how often a server reads its keys again: files that were changed
// by `gateway keys`, by hand or by a mount, and times that have come. It is far
// below settle.
const keysPolled = 2 * time.Second

// followKeys uses changed keys as they come, and at once after SIGHUP, until ctx
// ends. While there is something wrong with them, those before stay in use, and
// the log has one line.
func (p *parts) followKeys(ctx context.Context) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGHUP)
	defer signal.Stop(asked)
	t := time.NewTicker(keysPolled)
	defer t.Stop()
	for told := ""; ; {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-asked:
		}
		wrong := ""
		if err := p.readKeys(ctx); err != nil {
			wrong = err.Error()
		}
		if wrong != told && wrong != "" {
			p.log.LogAttrs(ctx, slog.LevelError, "the keys cannot be read again; those before stay in use", slog.String("cause", wrong))
		} else if wrong != told {
			p.log.LogAttrs(ctx, slog.LevelInfo, "the keys can be read again")
		}
		told = wrong
	}
}

// readKeys reads everything that keys come from, and uses it if all is well.
// Nothing is ever made here: a key file that is gone is a mistake.
func (p *parts) readKeys(ctx context.Context) error {
	vars := &variables{process: p.vars.process, file: p.vars.file, kept: map[string]string{}}
	env := config.New(vars.lookup)
	if err := vars.load(env, p.Now()); err != nil {
		return err
	}
	var secrets keyring.Settings
	var tokens token.Settings
	if err := env.Load(&secrets, &tokens); err != nil {
		return err
	}
	keys := tokens.Keys()
	// Each set accepts what the other signs, so it does not matter which is first.
	changed := p.ring.Replace(secrets.Ring())
	if signing := p.Tokens.Access.Replace(keys); signing || changed {
		ids := keys.IDs()
		p.log.LogAttrs(ctx, slog.LevelInfo, "keys changed", slog.String("signs", ids[0]),
			slog.Any("accepted", slices.Clone(ids[1:])), slog.Bool("secret", changed))
	}
	return nil
}
