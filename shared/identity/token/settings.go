package token

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/pemtext"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
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

// Settings are the keys of access tokens.
type Settings struct {
	Options

	keys *Keys
}

// Load loads JWT_ALGORITHM, JWT_SECRET and JWT_PREVIOUS_SECRETS or the keys above,
// JWT_ISSUER, JWT_AUDIENCE and ACCESS_TOKEN_EXPIRE_MINUTES.
func (s *Settings) Load(r setting.Reader) {
	s.loadOptions(r)
	if Symmetric(s.Algorithm) {
		if s.Secrets = loadSecrets(r, s.Algorithm); s.Secrets == nil {
			return
		}
	}
	s.loadKeys(r)
}

// Keys returns the keys of the settings, which were loaded without error.
func (s *Settings) Keys() *Keys { return s.keys }

// PublicSettings are [Settings] for programs that only publish the keys. They need no
// secret, since nothing is published under a symmetric algorithm.
type PublicSettings struct{ Settings }

// Load is [Settings.Load] without secrets.
func (s *PublicSettings) Load(r setting.Reader) {
	s.loadOptions(r)
	if Symmetric(s.Algorithm) {
		s.keys = &Keys{issuer: s.Issuer, lifetime: s.Lifetime}
		s.keys.set.Store(&keySet{})
		return
	}
	s.loadKeys(r)
}

// loadOptions loads what is not secret.
func (s *Settings) loadOptions(r setting.Reader) {
	s.Options = Options{
		Algorithm: LoadAlgorithm(r),
		Issuer:    r.String("JWT_ISSUER", "voiceassist"),
		Audience:  r.String("JWT_AUDIENCE", ""),
		Lifetime:  LoadLifetime(r),
	}
}

// loadSecrets returns JWT_SECRET and JWT_PREVIOUS_SECRETS, or nil after a mistake.
func loadSecrets(r setting.Reader, algorithm string) []secret.String {
	current := keyring.Require(r)
	if current == "" {
		return nil
	}
	if least := MinSecret(algorithm); len(current) < least {
		r.RefuseSecret(keyring.Variable, fmt.Sprintf("has %d bytes", len(current)), fmt.Sprintf("%d random bytes or more with %s", least, algorithm))
		return nil
	}
	return append([]secret.String{current}, keyring.LoadPrevious(r)...)
}

// loadKeys loads the asymmetric keys, if the algorithm has some, and makes keys of
// everything.
func (s *Settings) loadKeys(r setting.Reader) {
	if !Symmetric(s.Algorithm) && !s.loadAsymmetric(r) {
		return
	}
	var err error
	if s.keys, err = NewKeys(s.Options); err != nil {
		r.Refuse(VariablePrivate+"_FILE", r.String(VariablePrivate+"_FILE", ""), "a key that fits JWT_ALGORITHM ("+err.Error()+")")
	}
}

// loadAsymmetric loads the private key and the public keys beside it. It reports
// whether all are good.
func (s *Settings) loadAsymmetric(r setting.Reader) bool {
	key, ok := loadKey(r, VariablePrivate, "private", s.Algorithm, pemtext.PrivateKey)
	if !ok {
		return false
	}
	s.Private = key
	for _, name := range []string{VariableNext, VariablePrevious} {
		if r.String(name, "") == "" && r.String(name+"_FILE", "") == "" {
			continue
		}
		pub, ok := loadKey(r, name, "public", s.Algorithm, pemtext.PublicKey)
		if !ok {
			return false
		}
		if err := CheckKey(s.Algorithm, pub); err != nil {
			r.RefuseSecret(name, "holds "+err.Error(), "a public key for "+s.Algorithm)
			return false
		}
		s.Accepted = append(s.Accepted, pub)
	}
	return true
}

// IssuerSettings are what tokens are issued with.
type IssuerSettings struct {
	Settings

	Logins signin.Lifetimes
	Grace  time.Duration // during which a used refresh token is accepted again
}

// Load loads the keys, the lifetimes of logins and REFRESH_TOKEN_GRACE_SECONDS.
func (s *IssuerSettings) Load(r setting.Reader) {
	setting.Load(r, &s.Settings, &s.Logins)
	s.Grace = time.Duration(r.Int("REFRESH_TOKEN_GRACE_SECONDS", int(signin.DefaultGrace/time.Second), 0, int(signin.MaxGrace/time.Second))) * time.Second
}

// Issuer returns an issuer whose refresh tokens are authenticated with a key of the
// ring.
func (s *IssuerSettings) Issuer(ring *keyring.Ring) *Issuer {
	return &Issuer{Access: s.keys, Refresh: signin.NewCodec(ring.Derive(signin.Purpose)), Logins: s.Logins, Grace: s.Grace}
}

// LoadAlgorithm returns JWT_ALGORITHM, HS256 if it is unset.
func LoadAlgorithm(r setting.Reader) string {
	return r.OneOf("JWT_ALGORITHM", "HS256", "HS384", "HS512", "EdDSA", "ES256", "RS256")
}

// Symmetric reports whether the algorithm signs with JWT_SECRET, instead of a key
// of its own.
func Symmetric(algorithm string) bool { return strings.HasPrefix(algorithm, "HS") }

// LoadLifetime returns ACCESS_TOKEN_EXPIRE_MINUTES.
func LoadLifetime(r setting.Reader) time.Duration {
	const longest = int(MaxLifetime / time.Minute)
	return time.Duration(r.Int("ACCESS_TOKEN_EXPIRE_MINUTES", int(DefaultLifetime/time.Minute), 1, longest)) * time.Minute
}

// loadKey parses the key in the variable, or in the file that the one with _FILE
// names; ok is false after a mistake.
func loadKey[K any](r setting.Reader, name, kind, algorithm string, parse func(text []byte) (K, error)) (key K, ok bool) {
	takes := "a PEM " + kind + " key for " + algorithm
	path := r.String(name+"_FILE", "")
	if text := r.Secret(name); text != "" {
		if path != "" {
			r.RefuseSecret(name+"_FILE", "is set, and "+name+" is, too", "the only one of the two")
			return key, false
		}
		key, err := parse(pemtext.Unescape(text.Reveal()))
		if err != nil {
			r.RefuseSecret(name, "cannot be read ("+err.Error()+")", takes)
		}
		return key, err == nil
	}
	text, err := os.ReadFile(path)
	if err == nil {
		key, err = parse(text)
	}
	if err != nil {
		r.Refuse(name+"_FILE", path, "a file with "+takes+" ("+err.Error()+")")
	}
	return key, err == nil
}
