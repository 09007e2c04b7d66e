package token

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/pemtext"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/signin"
)

// The variables of the keys of EdDSA, ES256 and RS256, in PEM: each names a file
// with _FILE behind it, or holds the text itself, for functions, which have no
// files.
const (
	VariablePrivate  = "JWT_PRIVATE_KEY"
	VariableNext     = "JWT_NEXT_PUBLIC_KEY"     // published before it signs
	VariablePrevious = "JWT_PREVIOUS_PUBLIC_KEY" // accepted until its tokens are gone
)

// Read returns the keys that the environment asks for: JWT_ALGORITHM, JWT_SECRET
// and JWT_PREVIOUS_SECRETS or the keys above, JWT_ISSUER, JWT_AUDIENCE and
// ACCESS_TOKEN_EXPIRE_MINUTES. What is wrong goes to env; the keys are nil then.
func Read(env *config.Env) *Keys { return read(env, readSecrets) }

// ReadPublic is [Read] for who only publishes the keys. It needs no secret, as
// nothing is published of one.
func ReadPublic(env *config.Env) *Keys {
	return read(env, func(*config.Env, string) []secret.String {
		return []secret.String{keyring.Generate()} // which signs nothing
	})
}

// readSecrets returns JWT_SECRET and JWT_PREVIOUS_SECRETS, or none after a mistake.
func readSecrets(env *config.Env, algorithm string) []secret.String {
	current := keyring.Require(env)
	if current == "" {
		return nil
	}
	if least := MinSecret(algorithm); len(current) < least {
		env.RefuseSecret(keyring.Variable, fmt.Sprintf("has %d bytes", len(current)), fmt.Sprintf("%d random bytes or more with %s", least, algorithm))
		return nil
	}
	return append([]secret.String{current}, keyring.ReadPrevious(env)...)
}

func read(env *config.Env, secrets func(env *config.Env, algorithm string) []secret.String) *Keys {
	o := Options{
		Algorithm: ReadAlgorithm(env),
		Issuer:    env.String("JWT_ISSUER", "voiceassist"),
		Audience:  env.String("JWT_AUDIENCE", ""),
		Lifetime:  ReadLifetime(env),
	}
	if Symmetric(o.Algorithm) {
		if o.Secrets = secrets(env, o.Algorithm); o.Secrets == nil {
			return nil
		}
	} else {
		key, ok := readKey(env, VariablePrivate, "private", o.Algorithm, pemtext.PrivateKey)
		if !ok {
			return nil
		}
		o.Private = key
		for _, name := range []string{VariableNext, VariablePrevious} {
			if env.String(name, "") == "" && env.String(name+"_FILE", "") == "" {
				continue
			}
			pub, ok := readKey(env, name, "public", o.Algorithm, pemtext.PublicKey)
			if !ok {
				return nil
			}
			if err := CheckKey(o.Algorithm, pub); err != nil {
				env.RefuseSecret(name, "holds "+err.Error(), "a public key for "+o.Algorithm)
				return nil
			}
			o.Accepted = append(o.Accepted, pub)
		}
	}
	keys, err := NewKeys(o)
	if err != nil {
		env.Refuse(VariablePrivate+"_FILE", env.String(VariablePrivate+"_FILE", ""), "a key that fits JWT_ALGORITHM ("+err.Error()+")")
		return nil
	}
	return keys
}

// ReadIssuer reads [signin.ReadLifetimes] and REFRESH_TOKEN_GRACE_SECONDS (30).
func ReadIssuer(env *config.Env, access *Keys, refresh *signin.Codec) *Issuer {
	return &Issuer{
		Access: access, Refresh: refresh, Logins: signin.ReadLifetimes(env),
		Grace: time.Duration(env.Int("REFRESH_TOKEN_GRACE_SECONDS", int(signin.DefaultGrace/time.Second), 0, int(signin.MaxGrace/time.Second))) * time.Second,
	}
}

// ReadAlgorithm returns JWT_ALGORITHM, HS256 where it is unset.
func ReadAlgorithm(env *config.Env) string {
	return env.OneOf("JWT_ALGORITHM", "HS256", "HS384", "HS512", "EdDSA", "ES256", "RS256")
}

// Symmetric reports whether the algorithm signs with JWT_SECRET, instead of a key
// of its own.
func Symmetric(algorithm string) bool { return strings.HasPrefix(algorithm, "HS") }

// ReadLifetime returns ACCESS_TOKEN_EXPIRE_MINUTES.
func ReadLifetime(env *config.Env) time.Duration {
	const longest = int(MaxLifetime / time.Minute)
	return time.Duration(env.Int("ACCESS_TOKEN_EXPIRE_MINUTES", int(DefaultLifetime/time.Minute), 1, longest)) * time.Minute
}

// readKey parses the key in the variable, or in the file that the one with _FILE
// names; ok is false after a mistake, which is in env.
func readKey[K any](env *config.Env, name, kind, algorithm string, parse func(text []byte) (K, error)) (key K, ok bool) {
	takes := "a PEM " + kind + " key for " + algorithm
	if text := env.Secret(name); text != "" {
		key, err := parse(pemtext.Unescape(text.Reveal()))
		if err != nil {
			env.RefuseSecret(name, "cannot be read ("+err.Error()+")", takes)
		}
		return key, err == nil
	}
	path := env.String(name+"_FILE", "")
	text, err := os.ReadFile(path)
	if err == nil {
		key, err = parse(text)
	}
	if err != nil {
		env.Refuse(name+"_FILE", path, "a file with "+takes+" ("+err.Error()+")")
	}
	return key, err == nil
}
