package config

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

// An Env reads variables and collects mistakes. It is for one goroutine, at the
// start of the program; only [Env.Renew] is safe for concurrent use.
type Env struct {
	lookup     func(string) (string, bool)
	renew      func(context.Context, string) secret.String
	mistakes   Mistakes
	unreliable map[string]bool // variables for which later mistakes are not reported
	files      secretFiles
}

// New returns an Env that reads through lookup, such as [os.LookupEnv]. A
// variable that is set to the empty string counts as unset. The variables of
// [FileSecrets] can be in files.
func New(lookup func(string) (string, bool)) *Env { return &Env{lookup: lookup} }

// Map returns an Env over m.
func Map(m map[string]string) *Env {
	return New(func(k string) (string, bool) { v, ok := m[k]; return v, ok })
}

var _ setting.Reader = (*Env)(nil)

// Load loads all settings, and returns every mistake found so far as [Mistakes].
// The settings are valid if the error is nil.
func (e *Env) Load(all ...setting.Settings) error {
	setting.Load(e, all...)
	return e.Err()
}

// RenewWith makes [Env.Renew] call renew, for settings that can change while the
// process runs. The function must be safe for concurrent use.
func (e *Env) RenewWith(renew func(ctx context.Context, name string) secret.String) { e.renew = renew }

// Renew returns the current value of a credential that a service rejected. It may
// be the rejected one. A file with it is read again. It is empty if settings cannot
// change while the process runs. Renew is safe for concurrent use.
func (e *Env) Renew(ctx context.Context, name string) secret.String {
	if path := e.files.path(name); path != "" {
		value, _ := ReadSecretFile(path) // empty while the file is being replaced
		return value
	}
	if e.renew == nil {
		return ""
	}
	return e.renew(ctx, name)
}

func (e *Env) get(name string) (string, bool) {
	v, ok := e.lookup(name)
	v = strings.TrimSpace(v)
	if file := e.fromFile(name, v); file != "" {
		return file, true
	}
	return v, ok && v != ""
}

// unquoted is get for values that never contain quotes. Some programs, such as
// docker run --env-file, keep the quotes of a file.
func (e *Env) unquoted(name string) (string, bool) {
	v, ok := e.get(name)
	if len(v) > 1 && (v[0] == '"' || v[0] == '\'') && v[len(v)-1] == v[0] {
		e.RefuseSecret(name, "is in quotes, which become part of the value", "the value without quotes")
		return "", false
	}
	return v, ok
}

// String returns the variable, or def if it is unset.
func (e *Env) String(name, def string) string {
	if v, ok := e.unquoted(name); ok {
		return v
	}
	return def
}

// Secret returns the variable unchanged, or the empty secret.
func (e *Env) Secret(name string) secret.String {
	v, _ := e.get(name)
	return secret.String(v)
}

// SecretURL is [Env.Secret] for a URL that may contain a password. Quotes around
// it are refused.
func (e *Env) SecretURL(name string) secret.String { return secret.String(e.String(name, "")) }

// Int returns the variable as a whole number from lo to hi, or def.
func (e *Env) Int(name string, def, lo, hi int) int {
	v, ok := e.unquoted(name)
	if !ok {
		return def
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < lo || n > hi {
		e.Refuse(name, v, fmt.Sprintf("a whole number from %d to %d", lo, hi))
		return def
	}
	return n
}

// Bool returns the variable, or def. It accepts "true" and "false", and also "1",
// "0", "yes" and "no".
func (e *Env) Bool(name string, def bool) bool {
	v, ok := e.unquoted(name)
	if !ok {
		return def
	}
	switch strings.ToLower(v) {
	case "true", "1", "yes":
		return true
	case "false", "0", "no":
		return false
	}
	e.Refuse(name, v, `"true" or "false"`)
	return def
}

// OneOf returns the variable, one of the allowed words, or the first of them.
func (e *Env) OneOf(name string, allowed ...string) string {
	v, ok := e.unquoted(name)
	if !ok {
		return allowed[0]
	}
	if !slices.Contains(allowed, v) {
		e.Refuse(name, v, "one of "+strings.Join(allowed, ", "))
		return allowed[0]
	}
	return v
}

// URL returns the variable as an absolute URL of one of the schemes, without a
// trailing slash, or nil if it is unset. A password in it is not shown in
// the error.
func (e *Env) URL(name string, schemes ...string) *url.URL {
	v, ok := e.unquoted(name)
	if !ok {
		return nil
	}
	takes := "an absolute URL with the scheme " + strings.Join(schemes, " or ")
	u, err := url.Parse(v)
	if err != nil {
		e.RefuseSecret(name, "cannot be parsed as a URL", takes)
		return nil
	}
	if !slices.Contains(schemes, u.Scheme) || u.Host == "" {
		e.Refuse(name, secret.MaskURL(v), takes)
		return nil
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u
}

// List returns the comma-separated items of the variable, trimmed, without
// empty ones.
func (e *Env) List(name string) []string {
	v, _ := e.unquoted(name)
	var items []string
	for item := range strings.SplitSeq(v, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
