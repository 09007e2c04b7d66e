package keys_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/cmd/gateway/internal/keys"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/signin"
)

// dataID returns the identifier of a data secret in refresh tokens.
func dataID(t *testing.T, text secret.String) string {
	t.Helper()
	ring, err := keyring.New(text)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", ring.Derive(signin.Purpose).Current().ID)
}

func TestStatus_OfKeysInTheFile(t *testing.T) {
	t.Parallel()
	s, _ := vars{"JWT_ALGORITHM": "EdDSA"}.load(t)
	old, current, next := generated(t, "EdDSA"), generated(t, "EdDSA"), generated(t, "EdDSA")
	set := keystore.Set{
		Secrets: signing(secretA), // serves as the data secret
		Signing: append(signing(old.Text, current.Text), keystore.Key{Text: next.Text, Published: at(2 * time.Minute)}),
	}
	path, minute, due := s.File.Path(), at(time.Minute), at(63*time.Minute)
	want := keys.Report{Algorithm: "EdDSA", File: path, Keys: []keys.Line{
		{Kind: keys.Signing, State: "previous", KeyID: old.ID, Source: path, Since: &minute},
		{Kind: keys.Signing, State: "signs", KeyID: current.ID, Source: path, Since: &minute},
		{Kind: keys.Signing, State: "next", KeyID: next.ID, Source: path, Since: new(at(2 * time.Minute)), Until: &due, Ready: new(false)},
		{Kind: keys.Data, State: "signs", KeyID: dataID(t, secretA), Source: path, Since: new(start)},
	}}
	got, err := keys.Status(s, set, nil, at(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got, err := keys.Status(s, keystore.Set{}, nil, start); err != nil || got.Keys == nil || len(got.Keys) != 0 {
		t.Errorf("without keys: %+v, %v", got, err)
	}
	set.Signing[0].Text = "hunter2"
	if _, err := keys.Status(s, set, nil, start); err == nil || !strings.Contains(err.Error(), path+": signing key 1: ") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("with an invalid key: %v", err)
	}
}

func TestStatus_OfConfiguredKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	private, next := filepath.Join(dir, "key.pem"), filepath.Join(dir, "next.pem.pub")
	a, b, c := generated(t, "ES256"), generated(t, "ES256"), generated(t, "ES256")
	for path, text := range map[string]string{private: a.Text.Reveal(), next: b.Public} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, start, start); err != nil {
			t.Fatal(err)
		}
	}
	s, env := vars{
		"JWT_ALGORITHM": "ES256", "JWT_PRIVATE_KEY_FILE": private, "JWT_NEXT_PUBLIC_KEY_FILE": next,
		"JWT_PREVIOUS_PUBLIC_KEY": c.Public,
		"DATA_SECRET":             secretA.Reveal(), "DATA_PREVIOUS_SECRETS": secretB.Reveal(),
	}.load(t)
	configured := map[keys.Kind][]keys.Configured{}
	for _, c := range s.Chains() {
		configured[c.Kind] = c.Configured(env)
	}
	if err := env.Err(); err != nil {
		t.Fatal(err)
	}
	due := at(61 * time.Minute)
	want := []keys.Line{
		{Kind: keys.Signing, State: "signs", KeyID: a.ID, Source: private, Since: new(start)},
		{Kind: keys.Signing, State: "next", KeyID: b.ID, Source: next, Since: new(start), Until: &due, Ready: new(true)},
		{Kind: keys.Signing, State: "previous", KeyID: c.ID, Source: "JWT_PREVIOUS_PUBLIC_KEY"},
		{Kind: keys.Data, State: "signs", KeyID: dataID(t, secretA), Source: "DATA_SECRET"},
		{Kind: keys.Data, State: "accepted", KeyID: dataID(t, secretB), Source: "DATA_PREVIOUS_SECRETS"},
	}
	got, err := keys.Status(s, keystore.Set{}, configured, due)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.Keys); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got, err := keys.Status(s, keystore.Set{}, configured, due.Add(-time.Second)); err != nil || *got.Keys[1].Ready {
		t.Errorf("before its time: %+v, %v", got.Keys[1], err)
	}
}

func TestConfigured_LeavesOutWhatIsInvalid(t *testing.T) {
	t.Parallel()
	for _, v := range []vars{
		{"JWT_SECRET": "weak"},
		{"JWT_SECRET": secretA.Reveal(), "JWT_PREVIOUS_SECRETS": "weak"},
		{"DATA_SECRET": "weak", "JWT_SECRET": secretA.Reveal()},
		{"JWT_ALGORITHM": "EdDSA", "JWT_PRIVATE_KEY": "weak", "JWT_SECRET": secretA.Reveal()},
	} {
		s, env := v.load(t)
		for _, c := range s.Chains() {
			for _, k := range c.Configured(env) {
				if k.ID == "" {
					t.Errorf("%v: a key without ID", v)
				}
			}
		}
		if env.Err() == nil {
			t.Errorf("%v: no mistake is reported", v)
		}
	}
}
