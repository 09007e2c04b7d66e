package keys

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// LegacyFile is the file in DATA_DIR with the only secret, before there was a key file.
const LegacyFile = "jwt_secret"

// A Source says where keys come from: each kind from settings if these name it,
// otherwise from the key file.
type Source struct {
	File      keystore.File
	Algorithm string // of access tokens

	legacy                         string // path of the legacy file
	hasSecret, hasData, hasPrivate bool   // whether the settings name JWT_SECRET, DATA_SECRET and JWT_PRIVATE_KEY
}

// Load loads DATA_DIR, JWT_KEYS_DIR and JWT_ALGORITHM, and checks which keys are
// set. It does not check the keys.
func (s *Source) Load(r setting.Reader) {
	data := r.String("DATA_DIR", ".data")
	s.File = keystore.In(r.String("JWT_KEYS_DIR", data))
	s.legacy = filepath.Join(data, LegacyFile)
	s.Algorithm = token.LoadAlgorithm(r)
	s.hasSecret = r.Secret(keyring.Variable) != ""
	s.hasData = r.Secret(keyring.DataVariable) != ""
	s.hasPrivate = r.Secret(token.VariablePrivate) != "" || r.String(token.VariablePrivate+"_FILE", "") != ""
}

// LacksSecret reports whether the settings lack a secret that the gateway needs, so
// that the key file must contain it.
func (s *Source) LacksSecret() bool {
	return !s.hasSecret && (token.Symmetric(s.Algorithm) || !s.hasData)
}

// CreateSecrets adds secrets to the key file unless it has some. Of processes that
// start at the same time, all get the same secrets. A legacy secret file is moved
// into the key file.
func (s *Source) CreateSecrets(ctx context.Context, now time.Time) error {
	if set, err := s.File.Read(); err != nil || len(set.Secrets) > 0 {
		return err
	}
	var moved bool
	err := s.File.Update(ctx, func(set keystore.Set) (after keystore.Set, err error) {
		after, moved, err = s.withSecrets(set, now)
		return after, err
	})
	if err == nil && moved {
		err = os.Remove(s.legacy)
	}
	return err
}

// Preview returns the content of the key file as it would be after the start of a
// gateway. It writes nothing, so generated secrets are lost.
func (s *Source) Preview(now time.Time) (keystore.Set, error) {
	set, err := s.File.Read()
	if err == nil && s.LacksSecret() {
		set, _, err = s.withSecrets(set, now)
	}
	return set, err
}

// withSecrets returns the set with secrets, unless it has some; moved reports
// whether the secret is the legacy one. A legacy secret remains the data secret,
// too, until the first rotation.
func (s *Source) withSecrets(set keystore.Set, now time.Time) (_ keystore.Set, moved bool, err error) {
	if len(set.Secrets) > 0 {
		return set, false, nil
	}
	now = now.UTC().Truncate(time.Second)
	key := keystore.Key{Text: keyring.Generate(), Published: now, Signs: now}
	text, err := os.ReadFile(s.legacy)
	switch {
	case err == nil:
		key.Text, moved = secret.String(strings.TrimSpace(string(text))), true
	case !errors.Is(err, fs.ErrNotExist):
		return set, false, err
	case len(set.Data) == 0 && !s.hasData:
		set.Data = keystore.Keys{{Text: keyring.Generate(), Published: now, Signs: now}}
	}
	if _, err := keyring.New(key.Text); err != nil {
		return set, false, fmt.Errorf("the secret kept in %s: %w", s.legacy, err)
	}
	set.Secrets = keystore.Keys{key}
	return set, moved, nil
}

// Values returns the variables that the key file supplies: those for keys that the
// settings do not name. r supplies further accepted secrets from the settings.
func (s *Source) Values(r setting.Reader, set keystore.Set, now time.Time) (map[string]string, error) {
	values := map[string]string{}
	add := func(keys keystore.Keys, current, others string) {
		previous, signing, next := keys.Split(now)
		list := strings.Split(r.String(others, ""), ",")
		for _, k := range slices.Concat(previous, next) {
			list = append(list, k.Text.Reveal())
		}
		values[current], values[others] = signing.Text.Reveal(), strings.Join(list, ",")
	}
	if len(set.Secrets) > 0 && !s.hasSecret {
		add(set.Secrets, keyring.Variable, keyring.VariablePrevious)
	}
	if len(set.Data) > 0 && !s.hasData {
		add(set.Data, keyring.DataVariable, keyring.DataVariablePrevious)
	}
	if len(set.Signing) == 0 || s.hasPrivate || token.Symmetric(s.Algorithm) {
		return values, nil
	}
	previous, signing, next := set.Signing.Split(now)
	if err := s.checkAlgorithm(signing); err != nil {
		return nil, err
	}
	values[token.VariablePrivate] = signing.Text.Reveal()
	for name, keys := range map[string]keystore.Keys{token.VariableNext: next, token.VariablePrevious: previous} {
		if len(keys) == 0 {
			continue
		}
		public, err := publicKey(keys[len(keys)-1].Text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.File.Path(), err)
		}
		values[name] = public
	}
	return values, nil
}

// checkAlgorithm returns an error if the signing key is for another algorithm.
func (s *Source) checkAlgorithm(key keystore.Key) error {
	private, err := token.ParsePrivate(key.Text)
	if err == nil {
		err = token.CheckKey(s.Algorithm, private.Public())
	}
	if err != nil {
		return fmt.Errorf("%s: %w; `gateway keys rotate --now` creates one that does", s.File.Path(), err)
	}
	return nil
}
