// Package secret has a string that does not print itself: passwords, keys and
// tokens have this type until they leave the gateway.
package secret

import "log/slog"

// A String is a string that prints as [secret], by fmt, log/slog and
// encoding/json alike.
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

// Reveal returns the string itself. Every call is a place to review.
func (s String) Reveal() string { return string(s) }
