// Package secret has a string type that does not print its value: passwords, keys
// and tokens have this type until they leave the gateway.
package secret

import "log/slog"

// A String is a string that fmt, log/slog and encoding/json print as [secret].
type String string

const redacted = "[secret]"

// String hides the secret.
func (String) String() string { return redacted }

// GoString hides the secret.
func (String) GoString() string { return redacted }

// LogValue hides the secret.
func (String) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the secret.
func (String) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Reveal returns the value. Every call is a place to review.
func (s String) Reveal() string { return string(s) }
