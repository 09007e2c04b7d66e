package main

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/voiceassist/gateway/cmd/gateway/internal/keys"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

// keySource returns where the keys come from. Mistakes are in env.
func keySource(env *config.Env) *keys.Source { return setting.Of[keys.Source](env) }

// keep makes the keys of the key file the values of the settings that are unset,
// and creates secrets at the first start.
func (v *variables) keep(ctx context.Context, env *config.Env, now time.Time) error {
	if source := keySource(env); source.LacksSecret() {
		if err := source.CreateSecrets(ctx, now); err != nil {
			return fmt.Errorf("%s is not set, and the key file has no secret: %w", keyring.Variable, err)
		}
	}
	return v.load(env, now)
}

// load is [variables.keep] without creating secrets.
func (v *variables) load(env *config.Env, now time.Time) error {
	source := keySource(env)
	set, err := source.File.Read()
	if err != nil {
		return err
	}
	return v.use(env, source, set, now)
}

// preview is [variables.keep] without any effect outside this process: it generates
// the secrets that keep would create, and does not store them.
func (v *variables) preview(env *config.Env, now time.Time) error {
	source := keySource(env)
	set, err := source.Preview(now)
	if err != nil {
		return err
	}
	return v.use(env, source, set, now)
}

// use keeps the values of the settings that are unset.
func (v *variables) use(env *config.Env, source *keys.Source, set keystore.Set, now time.Time) error {
	values, err := source.Values(env, set, now)
	if err != nil {
		return err
	}
	maps.Copy(v.fromKeyFile, values)
	return nil
}
