package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/voiceassist/gateway/cmd/gateway/internal/settings"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/store/postgres"
)

// A checkReport is what `gateway config check` finds.
type checkReport struct {
	Settings []checkedSetting `json:"settings"`
	Mistakes []finding        `json:"mistakes"`
	Warnings []finding        `json:"warnings"`
}

// A checkedSetting is a setting with the value that it has, without what is secret.
type checkedSetting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	From  string `json:"from"` // see [checker.from]
	Set   bool   `json:"set"`  // by the environment, .env or the key file
}

// A finding is what is wrong, or may be.
type finding struct {
	Setting string `json:"setting,omitempty"`
	From    string `json:"from,omitempty"`
	Text    string `json:"text"`
}

// keepSet removes the settings that nothing sets.
func (r *checkReport) keepSet() {
	r.Settings = slices.DeleteFunc(r.Settings, func(s checkedSetting) bool { return !s.Set })
}

// A checker knows the settings, and where each comes from.
type checker struct {
	vars   *variables
	env    *config.Env
	kept   map[string]string           // from the key file, or made at the first start
	stored bool                        // whether there is a secret in the key file
	known  map[string]settings.Setting // by name
}

// examine reads all settings as the server and the migrations do, and reports what
// they are and what is wrong with them. It makes, changes and contacts nothing.
func examine(vars *variables) *checkReport {
	r := &checkReport{Settings: []checkedSetting{}, Mistakes: []finding{}, Warnings: []finding{}}
	env, err := vars.read()
	if err != nil {
		r.Mistakes = append(r.Mistakes, finding{Text: err.Error()})
		return r
	}
	readServer(env)
	kept, err := rehearse(vars, env)
	if env.Secret("MIGRATE_DATABASE_URL") != "" {
		err = env.Load(new(postgres.DirectSettings))
	}
	c := &checker{vars: vars, env: env, kept: kept, known: map[string]settings.Setting{}}
	set, _ := keySource(env).File.Read() // what is wrong with it was found above
	c.stored = len(set.Secrets) > 0
	for _, s := range describe().All() {
		c.known[s.Name] = s
		if _, set := c.given(s.Name); !s.System && s.IsReadBy(settings.Binary) || set && s.IsReadBy(settings.Compose) {
			r.Settings = append(r.Settings, c.checked(s))
		}
	}
	wrong, _ := errors.AsType[config.Mistakes](err)
	for _, m := range wrong {
		r.Mistakes = append(r.Mistakes, c.find(m.Variable, m.Error()))
	}
	r.Warnings = append(r.Warnings, c.warnings()...)
	return r
}

// given returns the value that the environment or .env gives to a variable; an
// empty one counts as none.
func (c *checker) given(name string) (value string, set bool) {
	value, _ = c.vars.process(name)
	if value == "" {
		value = c.vars.file.Vars[name]
	}
	value = strings.TrimSpace(value)
	return value, value != ""
}

// value returns what a setting holds, its default included.
func (c *checker) value(name string) string {
	if value, set := c.given(name); set {
		return value
	}
	if value := strings.Trim(c.kept[name], ","); value != "" {
		return value
	}
	return c.known[name].Default
}

// from says where a variable comes from.
func (c *checker) from(name string) string {
	process, _ := c.vars.process(name)
	line, inFile := c.vars.file.Lines[name]
	_, set := c.given(name)
	switch {
	case process != "":
		return "environment"
	case inFile && (set || c.vars.file.Vars[name] == "" && c.invalid(name)):
		return fmt.Sprintf("%s:%d", settingsFile, line)
	case strings.Trim(c.kept[name], ",") == "":
		return "default"
	case c.stored:
		return keySource(c.env).File.Path()
	}
	return "generated at the first start"
}

// invalid reports whether the line of .env that sets the variable cannot be read.
func (c *checker) invalid(name string) bool {
	wrong, _ := errors.AsType[config.Mistakes](c.env.Err())
	return slices.ContainsFunc(wrong, func(m config.Mistake) bool {
		return m.Variable == name && strings.HasPrefix(m.Error(), settingsFile+":")
	})
}

// checked returns the setting as it is shown.
func (c *checker) checked(s settings.Setting) checkedSetting {
	from := c.from(s.Name)
	out := checkedSetting{Name: s.Name, Value: c.shown(s), From: from, Set: from != "default"}
	switch _, set := c.given(s.Name); {
	case !set && strings.HasPrefix(from, settingsFile):
		out.Value = "(cannot be read)"
	case out.Value == "" && s.Unset != "":
		out.Value = "(" + strings.ReplaceAll(s.Unset, "`", "") + ")"
	case out.Value == "":
		out.Value = "-"
	}
	return out
}

// shown returns the value of a setting without anything that is secret in it.
func (c *checker) shown(s settings.Setting) string {
	value := c.value(s.Name)
	switch {
	case value == "":
		return ""
	case s.Hidden(), strings.Contains(value, "PRIVATE KEY"), c.holdsSecret(value):
		return secret.String(value).String()
	case s.Kind == settings.SecretURL:
		return secret.MaskURL(value)
	}
	return value
}

// holdsSecret reports whether a secret is a part of the value, such as with
// ${JWT_SECRET} in .env.
func (c *checker) holdsSecret(value string) bool {
	const least = 8 // characters; a shorter one may be there by chance
	for name, s := range c.known {
		if s.Hidden() {
			if secret, _ := c.given(name); len(secret) >= least && strings.Contains(value, secret) {
				return true
			}
		}
	}
	return false
}

// find returns what is wrong with a variable, which may be "".
func (c *checker) find(name, text string) finding {
	f := finding{Setting: name, Text: text}
	if name != "" {
		f.From = c.from(name)
	}
	return f
}

// lacks reports whether nothing sets the secrets of the gateway.
func (c *checker) lacks() bool {
	_, set := c.given(keyring.Variable)
	return !set && c.kept[keyring.Variable] != ""
}
