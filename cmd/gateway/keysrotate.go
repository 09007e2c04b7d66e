package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/cmd/gateway/internal/database"
	"github.com/voiceassist/gateway/cmd/gateway/internal/keys"
	"github.com/voiceassist/gateway/cmd/gateway/internal/operator"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/store"
)

func keysRotateCommand(vars *variables) *cobra.Command {
	var (
		data, now bool
		olderThan time.Duration
	)
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Take the next step of a key rotation, if it is due",
		Long: `Take the next step of a key rotation, or say when it is due. You can run it as
often as you like, and on a schedule.

A new signing key is published first. It signs once no verifier can have a key set
without it. The previous key is removed when its last token has expired. A secret
of HS256, HS384 or HS512 signs half a minute after it is generated.

With --data, the command rotates the data secret, which protects refresh tokens and
stored credentials. The previous secret is removed when its last refresh token has
expired, after everything encrypted with it has been encrypted anew.

Where the keys come from settings, the command changes nothing, says what to set,
and exits with 1.`,
		Example: `  gateway keys rotate
  gateway keys rotate --data
  gateway keys rotate --older-than 2160h`,
		Annotations: next(`Run the same command again from the printed time on; "gateway keys status" shows
  it, too. No restart is needed.`),
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return rotateKeys(c, vars, data, now, olderThan)
		},
	}
	c.Flags().BoolVar(&data, "data", false, "rotate the data secret instead of what signs access tokens")
	c.Flags().BoolVar(&now, "now", false, "replace a leaked key: a new one signs at once and all others are rejected")
	c.Flags().DurationVar(&olderThan, "older-than", 24*time.Hour, "begin a rotation only when the key has signed for this long")
	return c
}

// rotateKeys takes the next step of a rotation, or replaces leaked keys now.
func rotateKeys(c *cobra.Command, vars *variables, data, now bool, olderThan time.Duration) error {
	env, err := vars.env()
	if err != nil {
		return err
	}
	var s keys.Settings
	if err := env.Load(&s); err != nil {
		return err
	}
	chain := s.TokenChain()
	if data {
		chain = s.DataChain()
	}
	set, _ := s.File.Read() // the rotation reports errors
	if chain.FromSettings(set) {
		return printAdvice(c, env, chain)
	}
	chain.Plan.MinAge = olderThan
	return withRotator(c, env, chain, func(r *keys.Rotator) error {
		rotate := r.Rotate
		if now {
			rotate = r.ReplaceLeaked
		}
		result, err := rotate(c.Context())
		if result.Message == "" {
			return err
		}
		return errors.Join(writeRotation(c, result, data), err)
	})
}

// withRotator runs fn on the configured database. It needs less than [withParts],
// as a rotation must also work if the present keys are invalid.
func withRotator(c *cobra.Command, env *config.Env, chain keys.Chain, fn func(*keys.Rotator) error) error {
	ctx, logs := c.Context(), c.ErrOrStderr()
	log := setup.Log(setting.LogLevel(env), logs)
	setDefaultLogger(log, logs)
	return withDatabaseOf(c, env, new(database.Settings), func(db *store.DB) error {
		db.LogTo(log)
		if err := database.CheckSchema(ctx, db); err != nil {
			return explain(err)
		}
		if source := setting.Of[keys.Source](env); source.LacksSecret() {
			if err := source.CreateSecrets(ctx, time.Now()); err != nil {
				return err
			}
		}
		reseal := &resealer{env: env, db: db, now: time.Now, progress: newProgress(c)}
		return fn(&keys.Rotator{Chain: chain, Now: time.Now, Reseal: reseal.reseal, Audit: func(ctx context.Context, detail string, now time.Time) error {
			event := audit.New(audit.KeysRotated, "", operator.Origin, now)
			event.Detail = detail
			return explain(db.Audit(ctx, event))
		}})
	})
}

// writeRotation prints the result of a rotation.
func writeRotation(c *cobra.Command, r keys.Rotation, data bool) error {
	return writeResult(c, r, func(w io.Writer) {
		fmt.Fprintln(w, r.Message)
		if r.Changed && r.NextAt != nil {
			flag := ""
			if data {
				flag = " --data"
			}
			fmt.Fprintf(w, "next: `gateway keys rotate%s`, from %s on\n", flag, r.NextAt.Format(time.RFC3339))
		}
		if r.Resealed != nil {
			writeResealed(w, r.Resealed)
		}
	})
}

// errKeysInSettings is the result of a rotation that only printed advice.
var errKeysInSettings = errors.New("nothing changed: these keys come from settings")

// printAdvice prints what to set next, for keys that come from settings.
func printAdvice(c *cobra.Command, env *config.Env, chain keys.Chain) error {
	configured := chain.Configured(env)
	if err := env.Err(); err != nil {
		return err
	}
	advice := strings.Join(keys.Advice(chain, configured), "\n")
	return errors.Join(writeRotation(c, keys.Rotation{Message: advice}, false), errKeysInSettings)
}
