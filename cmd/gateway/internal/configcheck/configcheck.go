// Package configcheck explains the settings of an installation for `gateway config
// check`: the value of each, where it comes from, and what is wrong or suspicious.
// Begin with [Check].
package configcheck

import (
	"fmt"
	"slices"
	"strings"

	"github.com/voiceassist/gateway/cmd/gateway/internal/settings"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/config/dotenv"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// A Source is where the settings of an installation come from, and what reading
// them has shown.
type Source struct {
	Environment func(name string) (value string, set bool)
	FileName    string // of the .env file, as mistakes name it
	File        *dotenv.File

	// Keys are the settings that come from the key file, or would be generated at the
	// first start. KeyFile is its path; "" if it has no secrets yet.
	Keys    map[string]string
	KeyFile string

	Mistakes     []Finding // found by the code that reads the settings
	SharedSecret string    // the warning of setup.SharedSecret; "" for none
	Debug        bool      // the log level in effect is debug
}

// A Report is the result of a check.
type Report struct {
	Settings []Setting `json:"settings"`
	Mistakes []Finding `json:"mistakes"` // the gateway does not start with these
	Warnings []Finding `json:"warnings"`
}

// A Setting is a setting and its value, without anything secret.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	From  string `json:"from"` // "environment", a line of .env, the path of the key file or of a file with the secret, "default" or "generated at the first start"
	Set   bool   `json:"set"`  // the value is not the default
}

// A Finding is a mistake or a warning.
type Finding struct {
	Setting string `json:"setting,omitempty"`
	From    string `json:"from,omitempty"` // as [Setting.From]
	Text    string `json:"text"`
}

// KeepSet removes the settings that have their default.
func (r *Report) KeepSet() {
	r.Settings = slices.DeleteFunc(r.Settings, func(s Setting) bool { return !s.Set })
}

// Unreadable returns the report about a .env file that cannot be read at all.
func Unreadable(err error) *Report {
	return &Report{Settings: []Setting{}, Mistakes: []Finding{{Text: err.Error()}}, Warnings: []Finding{}}
}

// Check returns the report about the settings, as the source has them: those that
// the gateway reads, and those of docker compose that are set. It reads compose
// files in the working directory, whose variables are known.
func Check(all []settings.Setting, source Source) *Report {
	c := &checker{Source: source, all: all, known: map[string]settings.Setting{}}
	r := &Report{Settings: []Setting{}, Mistakes: []Finding{}}
	for _, s := range all {
		c.known[s.Name] = s
		if s.File != "" {
			c.known[s.File] = settings.Setting{Name: s.File, Kind: settings.File, ReadBy: s.ReadBy}
		}
	}
	for _, s := range all {
		if _, set := c.given(s.Name); !s.System && s.IsReadBy(settings.Binary) || set && s.IsReadBy(settings.Compose) {
			r.Settings = append(r.Settings, c.setting(s))
		}
	}
	for _, m := range source.Mistakes {
		r.Mistakes = append(r.Mistakes, c.finding(m.Setting, m.Text))
	}
	r.Warnings = append([]Finding{}, c.warnings()...)
	return r
}

// A checker knows the settings and where each comes from.
type checker struct {
	Source

	all   []settings.Setting
	known map[string]settings.Setting // by name
}

// given returns the value of a variable in the environment or .env, or in the file that
// it names for the variable. An empty variable is not set.
func (c *checker) given(name string) (value string, set bool) {
	value, _ = c.Environment(name)
	if value == "" {
		value = c.File.Vars[name]
	}
	value = strings.TrimSpace(value)
	if value == "" {
		if path := c.secretFile(name); path != "" {
			content, err := config.ReadSecretFile(path) // an error is a mistake already
			return content.Reveal(), err == nil
		}
	}
	return value, value != ""
}

// secretFile returns the path of the file with the value of a variable, or "".
func (c *checker) secretFile(name string) string {
	s := c.known[name]
	if s.File == "" {
		return ""
	}
	path, _ := c.given(s.File)
	return path
}

// value returns the value of a setting, which may be its default.
func (c *checker) value(name string) string {
	if value, set := c.given(name); set {
		return value
	}
	if value := c.key(name); value != "" {
		return value
	}
	return c.known[name].Default
}

// key returns what the key file has for a setting. A list of older keys that
// contains only commas is empty.
func (c *checker) key(name string) string { return strings.Trim(c.Keys[name], ",") }

// from returns where a variable comes from, as [Setting.From].
func (c *checker) from(name string) string {
	process, _ := c.Environment(name)
	line, inFile := c.File.Lines[name]
	_, set := c.given(name)
	switch {
	case process != "":
		return "environment"
	case !inFile && c.secretFile(name) != "":
		return c.secretFile(name)
	case inFile && (set || c.File.Vars[name] == "" && c.unreadable(name)):
		return fmt.Sprintf("%s:%d", c.FileName, line)
	case c.key(name) == "":
		return "default"
	case c.KeyFile != "":
		return c.KeyFile
	}
	return "generated at the first start"
}

// unreadable reports whether the line of .env that sets the variable cannot be read.
func (c *checker) unreadable(name string) bool {
	return slices.ContainsFunc(c.Mistakes, func(m Finding) bool {
		return m.Setting == name && strings.HasPrefix(m.Text, c.FileName+":")
	})
}

// setting returns the setting as the report shows it.
func (c *checker) setting(s settings.Setting) Setting {
	from := c.from(s.Name)
	out := Setting{Name: s.Name, Value: c.masked(s), From: from, Set: from != "default"}
	switch _, set := c.given(s.Name); {
	case !set && strings.HasPrefix(from, c.FileName):
		out.Value = "(cannot be read)"
	case out.Value == "" && s.Unset != "":
		out.Value = "(" + strings.ReplaceAll(s.Unset, "`", "") + ")"
	case out.Value == "":
		out.Value = "-"
	}
	return out
}

// masked returns the value of a setting without anything secret.
func (c *checker) masked(s settings.Setting) string {
	value := c.value(s.Name)
	switch {
	case value == "":
		return ""
	case s.Hidden(), strings.Contains(value, "PRIVATE KEY"), c.containsSecret(value):
		return secret.String(value).String()
	case s.Kind == settings.SecretURL:
		return secret.MaskURL(value)
	}
	return value
}

// containsSecret reports whether a secret is a part of the value, as after
// ${JWT_SECRET} in .env.
func (c *checker) containsSecret(value string) bool {
	const minLength = 8 // bytes; a shorter secret may be there by chance
	for name, s := range c.known {
		if s.Hidden() {
			if secret, _ := c.given(name); len(secret) >= minLength && strings.Contains(value, secret) {
				return true
			}
		}
	}
	return false
}

// finding returns a finding about the variable, which may be "".
func (c *checker) finding(name, text string) Finding {
	f := Finding{Setting: name, Text: text}
	if name != "" {
		f.From = c.from(name)
	}
	return f
}

// ownSecret reports whether the secret of the gateway is in no setting.
func (c *checker) ownSecret() bool {
	_, set := c.given(keyring.Variable)
	return !set && c.Keys[keyring.Variable] != ""
}
