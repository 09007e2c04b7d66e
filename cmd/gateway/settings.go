package main

import (
	"errors"
	"io/fs"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/config/dotenv"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

const settingsFile = ".env"

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

// mistakes returns the mistakes in settings that err contains.
func mistakes(err error) config.Mistakes {
	found, _ := errors.AsType[config.Mistakes](err)
	return found
}

func dataDir(env setting.Reader) string { return env.String("DATA_DIR", ".data") }
