package keyring

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// The variables of this package. A list of previous secrets also takes one that
// comes next: all of them are read with.
const (
	Variable         = "JWT_SECRET"           // the current secret of access tokens
	VariablePrevious = "JWT_PREVIOUS_SECRETS" // other ones, separated by commas

	DataVariable         = "DATA_SECRET"           // the current secret of everything else
	DataVariablePrevious = "DATA_PREVIOUS_SECRETS" // other ones, separated by commas
)

const (
	minSecret   = 32 // bytes; 256 bits, if they are random
	minDistinct = 8  // different bytes; 32 random ones have about 30
	generated   = 48 // random bytes; 64 characters
)

// Takes says what a secret must be.
const Takes = "32 or more random bytes, for example from `openssl rand -base64 48`"

// placeholders returns what stands in example files, in lower case.
func placeholders() []string {
	return []string{
		"changeme", "change-me", "change_me", "placeholder",
		"your-secret", "your_secret", "secret-key", "secret_key",
	}
}

// Placeholder reports whether the text stands in an example file for a secret that
// somebody must choose.
func Placeholder(text string) bool {
	lower := strings.ToLower(text)
	return slices.ContainsFunc(placeholders(), func(word string) bool { return strings.Contains(lower, word) })
}

// Generate returns a new random secret: unpadded base64url (RFC 4648 section 5)
// of 384 bits. It cannot fail: [rand.Read] ends the program if the system has no
// entropy.
func Generate() secret.String {
	b := make([]byte, generated)
	_, _ = rand.Read(b)
	return secret.String(base64.RawURLEncoding.EncodeToString(b))
}

// Read returns JWT_SECRET, or "" where it is unset: the caller knows whether to
// make one or to give up. A weak secret is refused through env, and "" returned.
func Read(env *config.Env) secret.String { return read(env, Variable) }

// Require is [Read] for who cannot do without: an unset JWT_SECRET is refused
// through env, too.
func Require(env *config.Env) secret.String {
	if env.Secret(Variable) == "" {
		env.RefuseSecret(Variable, "is not set", Takes)
	}
	return Read(env)
}

// ReadPrevious returns the secrets in JWT_PREVIOUS_SECRETS, which are still read
// with after a rotation. Weak ones are refused through env.
func ReadPrevious(env *config.Env) []secret.String { return readPrevious(env, VariablePrevious) }

// ReadData returns the secrets that the keys of a [Ring] are drawn from, the
// current one first: DATA_SECRET, or JWT_SECRET and JWT_PREVIOUS_SECRETS where it
// is unset, and then DATA_PREVIOUS_SECRETS. It returns none after a mistake, which
// is in env; neither being set is one.
func ReadData(env *config.Env) []secret.String {
	var secrets []secret.String
	if env.Secret(DataVariable) != "" {
		secrets = append(secrets, read(env, DataVariable))
	} else {
		secrets = append(secrets, Require(env))
		secrets = append(secrets, ReadPrevious(env)...)
	}
	secrets = append(secrets, readPrevious(env, DataVariablePrevious)...)
	if secrets[0] == "" {
		return nil
	}
	return secrets
}

// Shared reports whether a secret of access tokens is one of [ReadData], so that
// whoever verifies tokens with it could make what only the gateway should.
func Shared(env *config.Env) bool {
	data := ReadData(env)
	return slices.ContainsFunc(append(ReadPrevious(env), Read(env)), func(s secret.String) bool {
		return s != "" && slices.Contains(data, s)
	})
}

func read(env *config.Env, name string) secret.String {
	secret := env.Secret(name)
	if secret == "" {
		return ""
	}
	if got := weakness(secret); got != "" {
		env.RefuseSecret(name, got, Takes)
		return ""
	}
	return secret
}

func readPrevious(env *config.Env, name string) []secret.String {
	var secrets []secret.String
	for _, item := range env.List(name) {
		secret := secret.String(item)
		if got := weakness(secret); got != "" {
			env.RefuseSecret(name, "has an item that "+got, Takes)
			continue
		}
		secrets = append(secrets, secret)
	}
	return secrets
}

// weakness says what makes s no secret, without quoting it, or returns "".
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
