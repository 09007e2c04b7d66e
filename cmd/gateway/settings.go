package main

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/config/dotenv"
)

// settingsFile is where settings are read from unless ENV_FILE names another file.
const settingsFile = ".env"

// variables are the sources of settings: the environment of the process, then .env in
// the working directory or the file that ENV_FILE names, then the key file.
type variables struct {
	process     func(string) (string, bool)
	file        *dotenv.File
	fromKeyFile map[string]string
}

// fileName returns the path of the .env file, and whether ENV_FILE names it, so that it
// must exist.
func (v *variables) fileName() (path string, named bool) {
	path, named = v.process("ENV_FILE")
	if path == "" {
		return settingsFile, false
	}
	return path, named
}

// env reads the .env file, if there is one, and returns all settings. The error is that
// of the file.
func (v *variables) env() (*config.Env, error) {
	env, err := v.read()
	if err != nil {
		return nil, err
	}
	return env, env.Err()
}

// read is [variables.env] for callers that report all mistakes together: the returned
// Env has those of the file. The error is that of a file that cannot be read at all.
func (v *variables) read() (*config.Env, error) {
	path, named := v.fileName()
	file, err := dotenv.Read(path, v.process)
	wrong, readable := errors.AsType[dotenv.Mistakes](err)
	if err != nil && !readable && (named || !errors.Is(err, fs.ErrNotExist)) {
		return nil, err
	}
	if file == nil {
		file = &dotenv.File{}
	}
	v.file, v.fromKeyFile = file, map[string]string{}
	env := config.New(v.lookup)
	for _, m := range wrong {
		if _, set := v.process(m.Name); m.Name == "" || set {
			env.AddMistake(m)
			continue
		}
		env.AddMistake(m, m.Name)
	}
	return env, nil
}

// lookup returns the value of a variable from the key file, the environment or .env.
// The key file only has variables that the others do not set.
func (v *variables) lookup(name string) (string, bool) {
	if value, ok := v.fromKeyFile[name]; ok {
		return value, true
	}
	if secret, ok := strings.CutSuffix(name, config.FileSuffix); ok {
		if _, ok := v.fromKeyFile[secret]; ok { // with the content of a file in it
			return "", false
		}
	}
	if value, ok := v.process(name); ok && value != "" {
		return value, true
	}
	value, ok := v.file.Vars[name]
	return value, ok
}

// mistakes returns the mistakes in settings that err contains.
func mistakes(err error) config.Mistakes {
	found, _ := errors.AsType[config.Mistakes](err)
	return found
}
