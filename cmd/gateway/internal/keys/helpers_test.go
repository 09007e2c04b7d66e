package keys_test

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"testing"
	"time"

	"github.com/voiceassist/gateway/cmd/gateway/internal/keys"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/token"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return start.Add(d) }

const (
	secretA = secret.String("0123456789abcdefghijklmnopqrstuv")
	secretB = secret.String("vutsrqponmlkjihgfedcba9876543210")
	secretC = secret.String("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345")
)

// vars are settings.
type vars map[string]string

// in returns the settings with a data directory.
func (v vars) in(dir string) vars {
	all := vars{"DATA_DIR": dir}
	maps.Copy(all, v)
	return all
}

// load returns the settings of keys, and where they were loaded from.
func (v vars) load(t *testing.T) (*keys.Settings, *config.Env) {
	t.Helper()
	env := config.Map(v)
	var s keys.Settings
	if err := env.Load(&s); err != nil {
		t.Fatal(err)
	}
	return &s, env
}

// store replaces the content of the key file.
func store(t *testing.T, f keystore.File, set keystore.Set) {
	t.Helper()
	if err := f.Update(t.Context(), func(keystore.Set) (keystore.Set, error) { return set, nil }); err != nil {
		t.Fatal(err)
	}
}

// read returns the content of the key file.
func read(t *testing.T, f keystore.File) keystore.Set {
	t.Helper()
	set, err := f.Read()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// signing returns keys of which the first signs at start and each other a minute
// later.
func signing(texts ...secret.String) keystore.Keys {
	var list keystore.Keys
	for i, text := range texts {
		when := at(time.Duration(i) * time.Minute)
		list = append(list, keystore.Key{Text: text, Published: when, Signs: when})
	}
	return list
}

// texts returns the texts of the keys.
func texts(list keystore.Keys) []secret.String {
	var all []secret.String
	for _, k := range list {
		all = append(all, k.Text)
	}
	return all
}

// generated returns a new private key.
func generated(t *testing.T, algorithm string) keys.Generated {
	t.Helper()
	g, err := keys.Generate(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// A journal is a rotator with a record of what it does, in order.
type journal struct {
	keys.Rotator

	now    time.Time
	record []string
	rings  []*keyring.Ring // resealed with
	fail   map[string]error
}

var errDown = errors.New("the database is down")

func newJournal(chain keys.Chain) *journal {
	j := &journal{now: start, fail: map[string]error{}}
	j.Rotator = keys.Rotator{
		Chain: chain,
		Now:   func() time.Time { return j.now },
		Audit: func(_ context.Context, detail string, _ time.Time) error {
			j.record = append(j.record, "audit: "+detail)
			return j.fail["audit"]
		},
		Reseal: func(_ context.Context, ring *keyring.Ring) (*keys.Resealed, error) {
			j.record = append(j.record, "reseal")
			j.rings = append(j.rings, ring)
			return &keys.Resealed{Sealed: 3}, j.fail["reseal"]
		},
	}
	return j
}

func TestGenerate_MakesKeysForTheAlgorithm(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"EdDSA", "ES256", "RS256"} {
		g := generated(t, algorithm)
		private, err := token.ParsePrivate(g.Text)
		if err != nil {
			t.Fatal(err)
		}
		if err := token.CheckKey(algorithm, private.Public()); err != nil {
			t.Error(err)
		}
		public, err := token.EncodePublic(private.Public())
		id, err2 := token.KeyID(private.Public())
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		if g.Kind != keys.Signing || g.Public != public || g.ID != id {
			t.Errorf("%s: got the %s %s with the public key %s, want %s, %s", algorithm, g.Kind, g.ID, g.Public, id, public)
		}
	}
	for _, algorithm := range []string{"HS256", "HS384", "HS512"} {
		g := generated(t, algorithm)
		tokens, err := token.NewKeys(token.Options{Algorithm: algorithm, Secrets: []secret.String{g.Text}})
		if err != nil {
			t.Fatal(err)
		}
		if g.Kind != keys.Secret || g.Public != "" || g.ID != tokens.IDs()[0] {
			t.Errorf("%s: got the %s %s, want %s", algorithm, g.Kind, g.ID, tokens.IDs()[0])
		}
	}
	if _, err := keys.Generate("none"); err == nil {
		t.Error("a key for no algorithm")
	}
}

func LegacyFile(dir string) string { return filepath.Join(dir, "jwt_secret") }
