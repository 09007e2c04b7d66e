package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/config/dotenv"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/token"
)

const (
	settingsFile = ".env"
	databaseFile = "gateway.db" // in DATA_DIR

	oldSecretFile = "jwt_secret" // in DATA_DIR, until there was a key file
)

// variables are where settings come from: the process's environment, then the
// .env file of the working directory. Keys that neither names are those of the
// key file.
type variables struct {
	process func(string) (string, bool)
	file    *dotenv.File
	kept    map[string]string // from the key file
}

// env reads the .env file, if there is one, and returns all settings, or what is
// wrong in the file.
func (v *variables) env() (*config.Env, error) {
	env, err := v.read()
	if err != nil {
		return nil, err
	}
	return env, env.Err()
}

// read is [variables.env] for those who look for all mistakes at once: what is
// wrong in the file is among those of the settings. The error is that of reading
// the file at all.
func (v *variables) read() (*config.Env, error) {
	file, err := dotenv.Read(settingsFile, v.process)
	wrong, readable := errors.AsType[dotenv.Mistakes](err)
	if err != nil && !readable && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if file == nil {
		file = &dotenv.File{}
	}
	v.file, v.kept = file, map[string]string{}
	env := config.New(v.lookup)
	for _, m := range wrong {
		if _, set := v.process(m.Name); m.Name == "" || set {
			env.Doubt(m)
			continue
		}
		env.Doubt(m, m.Name)
	}
	return env, nil
}

// lookup returns what is kept, or the first of the others that sets the variable
// to something.
func (v *variables) lookup(name string) (string, bool) {
	if value, ok := v.kept[name]; ok {
		return value, true
	}
	if value, ok := v.process(name); ok && value != "" {
		return value, true
	}
	value, ok := v.file.Vars[name]
	return value, ok
}

func dataDir(env setting.Reader) string { return env.String("DATA_DIR", ".data") }

// keyFile returns the file of the keys that are in no settings.
func keyFile(env *config.Env) keystore.File {
	return keystore.In(env.String("JWT_KEYS_DIR", dataDir(env)))
}

// lacksSecret reports whether the settings lack a secret that is needed.
func lacksSecret(env *config.Env) bool {
	return env.Secret(keyring.Variable) == "" &&
		(token.Symmetric(token.LoadAlgorithm(env)) || env.Secret(keyring.DataVariable) == "")
}

// keep sees to it that JWT_SECRET and DATA_SECRET have a value: where they are
// unset, that of the key file, made at the first start. Signing keys, which are
// not needed under every algorithm, come from there, too, where JWT_PRIVATE_KEY is
// unset.
func (v *variables) keep(ctx context.Context, env *config.Env, now time.Time) error {
	if lacksSecret(env) {
		if err := makeSecrets(ctx, env, now); err != nil {
			return fmt.Errorf("%s is not set, and the key file has no secret: %w", keyring.Variable, err)
		}
	}
	return v.load(env, now)
}

// load reads the key file into what is kept, for the settings that are unset.
func (v *variables) load(env *config.Env, now time.Time) error {
	set, err := keyFile(env).Read()
	if err != nil {
		return err
	}
	return v.use(env, set, now)
}

// foresee is [variables.keep] without any effect outside this process: the secrets
// that keep would make are made, and forgotten.
func (v *variables) foresee(env *config.Env, now time.Time) error {
	set, err := keyFile(env).Read()
	if err == nil && lacksSecret(env) {
		set, _, err = firstSecrets(env, set, now)
	}
	if err != nil {
		return err
	}
	return v.use(env, set, now)
}

// use puts the keys into what is kept, for the settings that are unset.
func (v *variables) use(env *config.Env, set keystore.Set, now time.Time) (err error) {
	kept := map[string]string{}
	keepSecrets := func(keys keystore.Keys, name, others string) {
		if len(keys) == 0 || env.Secret(name) != "" {
			return
		}
		previous, signing, next := keys.Split(now)
		list := strings.Split(env.String(others, ""), ",")
		for _, k := range slices.Concat(previous, next) {
			list = append(list, k.Text.Reveal())
		}
		kept[name], kept[others] = signing.Text.Reveal(), strings.Join(list, ",")
	}
	keepSecrets(set.Secrets, keyring.Variable, keyring.VariablePrevious)
	keepSecrets(set.Data, keyring.DataVariable, keyring.DataVariablePrevious)
	if algorithm := token.LoadAlgorithm(env); len(set.Signing) > 0 && !token.Symmetric(algorithm) && !signingKeySet(env) {
		previous, signing, next := set.Signing.Split(now)
		c := &chain{file: keyFile(env), algorithm: algorithm, kind: signingKey}
		if err := c.fit(keystore.Keys{signing}); err != nil {
			return err
		}
		kept[token.VariablePrivate] = signing.Text.Reveal()
		for name, keys := range map[string]keystore.Keys{token.VariableNext: next, token.VariablePrevious: previous} {
			if len(keys) == 0 {
				continue
			}
			if kept[name], err = publicHalf(keys[len(keys)-1].Text); err != nil {
				return fmt.Errorf("%s: %w", keyFile(env).Path(), err)
			}
		}
	}
	maps.Copy(v.kept, kept)
	return nil
}

// signingKeySet reports whether the settings name a private key.
func signingKeySet(env *config.Env) bool {
	return env.Secret(token.VariablePrivate) != "" || env.String(token.VariablePrivate+"_FILE", "") != ""
}

// fits returns an error where the private key is none for the algorithm.
func fits(algorithm string, private secret.String) error {
	key, err := token.ParsePrivate(private)
	if err != nil {
		return err
	}
	return token.CheckKey(algorithm, key.Public())
}

// publicHalf returns the public half of a private key, both in PEM.
func publicHalf(private secret.String) (string, error) {
	key, err := token.ParsePrivate(private)
	if err != nil {
		return "", err
	}
	return token.EncodePublic(key.Public())
}

// makeSecrets puts the secrets into the key file, unless there are some: of
// processes that start at once all get the same. An installation of before keeps
// drawing its keys from the one secret that it has, until `gateway keys rotate`;
// versions before kept it in a file of its own, which is taken over.
func makeSecrets(ctx context.Context, env *config.Env, now time.Time) error {
	file := keyFile(env)
	if set, err := file.Read(); err != nil || len(set.Secrets) > 0 {
		return err
	}
	var takenOver bool
	err := file.Update(ctx, func(set keystore.Set) (out keystore.Set, err error) {
		out, takenOver, err = firstSecrets(env, set, now)
		return out, err
	})
	if err == nil && takenOver {
		err = os.Remove(oldSecret(env))
	}
	return err
}

// oldSecret returns the file in which versions before kept their one secret.
func oldSecret(env *config.Env) string { return filepath.Join(dataDir(env), oldSecretFile) }

// firstSecrets returns the set with secrets, unless it has some; takenOver reports
// whether one is that of [oldSecret].
func firstSecrets(env *config.Env, set keystore.Set, now time.Time) (_ keystore.Set, takenOver bool, err error) {
	if len(set.Secrets) > 0 {
		return set, false, nil
	}
	now = now.UTC().Truncate(time.Second)
	key := keystore.Key{Text: keyring.Generate(), Published: now, Signs: now}
	text, err := os.ReadFile(oldSecret(env))
	switch {
	case err == nil:
		key.Text, takenOver = secret.String(strings.TrimSpace(string(text))), true
	case !errors.Is(err, fs.ErrNotExist):
		return set, false, err
	case len(set.Data) == 0 && env.Secret(keyring.DataVariable) == "":
		set.Data = keystore.Keys{{Text: keyring.Generate(), Published: now, Signs: now}}
	}
	if _, err := keyring.New(key.Text); err != nil {
		return set, false, fmt.Errorf("the secret kept in %s: %w", oldSecret(env), err)
	}
	set.Secrets = keystore.Keys{key}
	return set, takenOver, nil
}
