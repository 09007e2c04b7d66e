// Package setting has the interfaces with which a package declares its settings: a
// struct of values, and a Load method that names the variable, the default and the
// limits of each value.
//
//	// Settings bound password hashing.
//	type Settings struct{ Cost int }
//
//	// Load loads BCRYPT_COST.
//	func (s *Settings) Load(r setting.Reader) {
//		s.Cost = r.Int("BCRYPT_COST", 12, 10, 16)
//	}
//
// Only programs read the environment, with package config. If that succeeds, all
// values are valid.
package setting

import (
	"context"
	"log/slog"
	"net/url"

	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// Settings are the settings of a package. Load must only set its receiver and refuse
// invalid values; it must have no other effect.
type Settings interface{ Load(r Reader) }

// A Reader returns the values of variables. A variable that is empty or blank
// counts as unset. For an invalid value, a method reports the mistake and returns
// the default. Only [Reader.Renew] is safe for concurrent use.
type Reader interface {
	// String returns the variable, or def if it is unset.
	String(name, def string) string
	// Secret returns the variable, or the empty secret.
	Secret(name string) secret.String
	// SecretURL is Secret for a URL that may contain a password. It refuses a value
	// in quotes.
	SecretURL(name string) secret.String
	// Int returns the variable as a whole number from lo to hi, or def.
	Int(name string, def, lo, hi int) int
	// Bool returns the variable, true or false, or def.
	Bool(name string, def bool) bool
	// OneOf returns the variable, one of the allowed words, or the first of them.
	OneOf(name string, allowed ...string) string
	// URL returns the variable as an absolute URL of one of the schemes, without a
	// trailing slash, or nil if it is unset.
	URL(name string, schemes ...string) *url.URL
	// List returns the comma-separated items of the variable, trimmed, without
	// empty ones.
	List(name string) []string

	// Refuse reports that the variable has the invalid value got; takes says what it
	// accepts.
	Refuse(name, got, takes string)
	// RefuseSecret is Refuse for values that must not be shown; got says what is
	// wrong with the value without quoting it.
	RefuseSecret(name, got, takes string)

	// Renew returns the current value of a credential that a service rejected. It is
	// empty if settings cannot change while the process runs. Renew may be called at
	// any time, and concurrently.
	Renew(ctx context.Context, name string) secret.String
}

// Load loads all settings, in order.
func Load(r Reader, all ...Settings) {
	for _, s := range all {
		s.Load(r)
	}
}

// Of returns settings of type S, loaded from r.
func Of[S any, P interface {
	*S
	Settings
}](r Reader) P {
	s := P(new(S))
	s.Load(r)
	return s
}

// LogLevel returns the level that LOG_LEVEL names (debug, info, warn, error).
// DEBUG=true is an older setting for debug.
func LogLevel(r Reader) slog.Level {
	levels := map[string]slog.Level{
		"info": slog.LevelInfo, "debug": slog.LevelDebug, "warn": slog.LevelWarn, "error": slog.LevelError,
	}
	level := levels[r.OneOf("LOG_LEVEL", "info", "debug", "warn", "error")]
	if r.Bool("DEBUG", false) {
		level = slog.LevelDebug
	}
	return level
}
