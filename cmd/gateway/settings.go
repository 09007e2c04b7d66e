package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/joho/godotenv"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/keyring"
)

const (
	dotenv       = ".env"
	databaseFile = "gateway.db" // in DATA_DIR
	secretFile   = "jwt_secret" // in DATA_DIR
)

// variables are where settings come from: the process's environment, then the
// .env file of the working directory, then what this binary keeps for itself.
type variables struct {
	process func(string) (string, bool)
	file    map[string]string
	kept    map[string]string
}

// env reads the .env file, if there is one, and returns all settings.
func (v *variables) env() (*config.Env, error) {
	file, err := godotenv.Read(dotenv)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New(dotenv + " cannot be read as lines of NAME=value") // its error may quote a secret
	}
	v.file, v.kept = file, map[string]string{}
	return config.New(v.lookup), nil
}

// lookup returns the first of the three that sets the variable to something.
func (v *variables) lookup(name string) (string, bool) {
	if value, ok := v.process(name); ok && value != "" {
		return value, true
	}
	if value, ok := v.file[name]; ok && value != "" {
		return value, true
	}
	value, ok := v.kept[name]
	return value, ok
}

func dataDir(env *config.Env) string { return env.String("DATA_DIR", ".data") }

func secretPath(env *config.Env) string { return filepath.Join(dataDir(env), secretFile) }

// keepSecret sees to it that JWT_SECRET has a value: where it is unset, the one
// in DATA_DIR, made at the first start. It reports whether it is that one.
func (v *variables) keepSecret(env *config.Env) (kept bool, err error) {
	if env.Secret(keyring.Variable) != "" {
		return false, nil
	}
	path := secretPath(env)
	secret, err := readOrMake(path)
	if err != nil {
		return false, fmt.Errorf("%s is not set, and the one kept in %s: %w", keyring.Variable, path, err)
	}
	if _, err := keyring.New(secret); err != nil {
		return false, fmt.Errorf("the secret kept in %s: %w", path, err)
	}
	v.kept[keyring.Variable] = secret.Reveal()
	return true, nil
}

// readOrMake returns the secret in the file, made when missing. The file
// appears whole or not at all, and of two processes that start at once both get
// the same.
func readOrMake(path string) (config.Secret, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		return config.Secret(strings.TrimSpace(string(text))), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	draft, err := os.CreateTemp(filepath.Dir(path), secretFile+".*")
	if err != nil {
		return "", err
	}
	defer os.Remove(draft.Name())
	_, err = draft.WriteString(keyring.Generate().Reveal() + "\n")
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return "", err
	}
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	text, err = os.ReadFile(path)
	return config.Secret(strings.TrimSpace(string(text))), err
}
