package keyring

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

// The variables of this package. A list of previous secrets may also contain the
// next one: the gateway accepts all of them.
const (
	Variable         = "JWT_SECRET"           // the current secret of access tokens
	VariablePrevious = "JWT_PREVIOUS_SECRETS" // other ones, separated by commas

	DataVariable         = "DATA_SECRET"           // the current secret of everything else
	DataVariablePrevious = "DATA_PREVIOUS_SECRETS" // other ones, separated by commas
)

const (
	minSecret   = 32 // bytes; 256 bits of entropy if they are random
	minDistinct = 8  // different bytes; 32 random ones have about 30
	generated   = 48 // random bytes; 64 characters
)

// takes describes a valid secret, for error messages.
const takes = "32 or more random bytes, for example from `openssl rand -base64 48`"

// placeholders returns the placeholders of example files, in lower case.
func placeholders() []string {
	return []string{
		"changeme", "change-me", "change_me", "placeholder",
		"your-secret", "your_secret", "secret-key", "secret_key",
	}
}

// Placeholder reports whether the text contains a placeholder of an example file,
// which somebody should have replaced with a secret.
func Placeholder(text string) bool {
	lower := strings.ToLower(text)
	return slices.ContainsFunc(placeholders(), func(word string) bool { return strings.Contains(lower, word) })
}

// Generate returns a new random secret: unpadded base64url (RFC 4648 section 5)
// of 384 random bits. It cannot fail: [rand.Read] ends the program if the system
// has no entropy.
func Generate() secret.String {
	b := make([]byte, generated)
	_, _ = rand.Read(b)
	return secret.String(base64.RawURLEncoding.EncodeToString(b))
}

// Settings are the secrets of a [Ring].
type Settings struct {
	Secrets []secret.String // the current one first
}

// Load loads DATA_SECRET or, if it is unset, JWT_SECRET and JWT_PREVIOUS_SECRETS;
// and DATA_PREVIOUS_SECRETS. It refuses weak secrets.
func (s *Settings) Load(r setting.Reader) {
	if r.Secret(DataVariable) != "" {
		s.Secrets = []secret.String{load(r, DataVariable)}
	} else {
		s.Secrets = append([]secret.String{Require(r)}, LoadPrevious(r)...)
	}
	s.Secrets = append(s.Secrets, loadPrevious(r, DataVariablePrevious)...)
	if s.Secrets[0] == "" { // refused
		s.Secrets = nil
	}
}

// Ring returns a ring of the secrets. They must have been loaded without error.
func (s *Settings) Ring() *Ring {
	ring, err := New(s.Secrets[0], s.Secrets[1:]...)
	if err != nil {
		panic("keyring: " + err.Error()) // Load refuses such a secret
	}
	return ring
}

// Contains reports whether any of the given secrets is a secret of the ring. Whoever
// knows one can derive keys.
func (s *Settings) Contains(others []secret.String) bool {
	return slices.ContainsFunc(others, func(o secret.String) bool { return slices.Contains(s.Secrets, o) })
}

// Load returns JWT_SECRET, or "" if it is unset: the caller decides whether to
// generate one or to fail. It refuses a weak secret.
func Load(r setting.Reader) secret.String { return load(r, Variable) }

// Require is [Load] for callers that need the secret: it also refuses an unset
// JWT_SECRET.
func Require(r setting.Reader) secret.String {
	if r.Secret(Variable) == "" {
		r.RefuseSecret(Variable, "is not set", takes)
	}
	return Load(r)
}

// LoadPrevious returns the secrets in JWT_PREVIOUS_SECRETS, which are accepted
// beside the current one during a rotation. It refuses weak ones.
func LoadPrevious(r setting.Reader) []secret.String { return loadPrevious(r, VariablePrevious) }

func load(r setting.Reader, name string) secret.String {
	value := r.Secret(name)
	if value == "" {
		return ""
	}
	if got := weakness(value); got != "" {
		r.RefuseSecret(name, got, takes)
		return ""
	}
	return value
}

func loadPrevious(r setting.Reader, name string) []secret.String {
	var secrets []secret.String
	for _, item := range r.List(name) {
		value := secret.String(item)
		if got := weakness(value); got != "" {
			r.RefuseSecret(name, "has an item that "+got, takes)
			continue
		}
		secrets = append(secrets, value)
	}
	return secrets
}

// weakness returns why s is weak, without quoting it, or "".
func weakness(s secret.String) string {
	plain := s.Reveal()
	if len(plain) < minSecret {
		return fmt.Sprintf("has %d bytes", len(plain))
	}
	if Placeholder(plain) {
		return "is the placeholder of an example"
	}
	distinct := make(map[byte]struct{})
	for i := range len(plain) {
		distinct[plain[i]] = struct{}{}
	}
	if len(distinct) < minDistinct {
		return fmt.Sprintf("has only %d different bytes", len(distinct))
	}
	return ""
}
