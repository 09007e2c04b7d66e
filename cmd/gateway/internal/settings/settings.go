// Package settings describes every setting of the gateway: what it means, what it
// accepts and what happens if it is unset. The reference in docs/configuration.md,
// .env.example and `gateway config check` are made from these descriptions.
//
// Defaults and accepted values are those that packages declare with package
// setting. Begin with [Describe]. Only the binary links this package. Lambda
// functions stay small without it.
package settings

import (
	"slices"
	"strings"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

// A Reader is a program that reads a setting.
type Reader string

// The readers of settings.
const (
	Binary    Reader = "gateway"        // the commands of the binary
	Functions Reader = "functions"      // AWS Lambda functions
	Compose   Reader = "docker compose" // docker-compose.yml
)

// A Kind is the type of a value.
type Kind string

// The kinds of values. A [Secret] is never shown. A [SecretURL] may contain a
// password, which is never shown.
const (
	Text      Kind = "text"
	Number    Kind = "number"
	Boolean   Kind = "boolean"
	Choice    Kind = "choice"
	List      Kind = "list" // separated by commas
	Address   Kind = "address"
	File      Kind = "file"
	Folder    Kind = "folder"
	URL       Kind = "URL"
	SecretURL Kind = "URL with credentials"
	Secret    Kind = "secret"
)

// A Setting describes one environment variable.
type Setting struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`

	// Default is the value that the code uses if the variable is unset. Unset says
	// in words what happens then, if that is not a value.
	Default string `json:"default,omitempty"`
	Unset   string `json:"unset,omitempty"`

	Values  string `json:"values,omitempty"`  // what the setting accepts
	Example string `json:"example,omitempty"` // a valid value
	Meaning string `json:"meaning"`           // one sentence, or a few

	Required string   `json:"required,omitempty"` // when the setting must be set
	Needs    string   `json:"needs,omitempty"`    // the condition without which the setting has no effect, see [Setting.Missing]
	ReadBy   []Reader `json:"read_by"`
	// Compose says what docker compose does instead of passing the setting to the
	// gateway.
	Compose string `json:"compose,omitempty"`
	// File is the variable that can name a file with the value instead; "" for none.
	File string `json:"file,omitempty"`
	// SecretsManager reports whether a secret of AWS Secrets Manager may hold it.
	SecretsManager bool `json:"secrets_manager,omitempty"`
	// System reports whether the operating system or Lambda sets the variable, so
	// that it has no place in .env.
	System bool `json:"system,omitempty"`

	// initial is the value in .env.example; nil if the setting is commented out
	// there.
	initial *string
}

// A Group holds the settings of one subject.
type Group struct {
	Title    string    `json:"title"`
	Intro    string    `json:"intro,omitempty"`
	Settings []Setting `json:"settings"`
}

// Groups are all settings by subject.
type Groups []Group

// Describe returns the descriptions of all settings. Defaults and values that they
// leave open are those of the declarations, which are loaded as on a machine that
// sets nothing but the address of a PostgreSQL database.
func Describe(declarations ...setting.Settings) Groups {
	groups := Groups{
		essential(), compose(), network(), database(), keys(), tokens(), passwords(),
		rateLimits(), nextcloud(), mails(), services(), records(), traces(), lambda(), system(),
	}
	declared := record(declarations)
	for _, g := range groups {
		for i := range g.Settings {
			g.Settings[i].complete(declared[g.Settings[i].Name])
		}
	}
	return groups
}

// complete takes over from the declaration what the description leaves open.
func (s *Setting) complete(d declaration) {
	if slices.Contains(config.FileSecrets(), s.Name) {
		s.File = s.Name + config.FileSuffix
	}
	if s.Default == "" && s.Unset == "" {
		s.Default = d.standard
	}
	if s.Values == "" {
		s.Values = d.values
	}
}

// All returns all settings in the order of the groups.
func (g Groups) All() []Setting {
	var all []Setting
	for _, group := range g {
		all = append(all, group.Settings...)
	}
	return all
}

// Hidden reports whether the value must not be shown.
func (s Setting) Hidden() bool { return s.Kind == Secret }

// IsReadBy reports whether the program reads the setting.
func (s Setting) IsReadBy(r Reader) bool { return slices.Contains(s.ReadBy, r) }

// Missing returns the first condition of [Setting.Needs] that is not met, or "".
// Conditions are separated by spaces. NAME means that the setting must be set, and
// NAME=a|b that it must have one of the values. value returns the value of a
// setting, or its default.
func (s Setting) Missing(value func(name string) string) string {
	for condition := range strings.FieldsSeq(s.Needs) {
		name, values, exact := strings.Cut(condition, "=")
		got := value(name)
		if got == "" || exact && !slices.Contains(strings.Split(values, "|"), got) {
			return condition
		}
	}
	return ""
}

func everywhere() []Reader { return []Reader{Binary, Functions} }
func binary() []Reader     { return []Reader{Binary} }
func functions() []Reader  { return []Reader{Functions} }
