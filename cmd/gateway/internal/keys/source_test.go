package keys_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/identity/token"
)

func TestChain_KeysComeFromSettingsOrTheFile(t *testing.T) {
	t.Parallel()
	one := keystore.Set{Secrets: signing(secretA)}
	two := keystore.Set{Secrets: signing(secretA), Data: signing(secretB)}
	for _, test := range []struct {
		name         string
		vars         vars
		set          keystore.Set
		tokens, data bool // come from settings
		lacks        bool // a secret in the settings
	}{
		{"nothing is set", nil, two, false, false, true},
		{"JWT_SECRET serves as both", vars{"JWT_SECRET": "x"}, keystore.Set{}, true, true, false},
		{"JWT_SECRET, and a data secret in the file", vars{"JWT_SECRET": "x"}, two, true, false, false},
		{"JWT_SECRET, and only a secret in the file", vars{"JWT_SECRET": "x"}, one, true, true, false},
		{"DATA_SECRET", vars{"DATA_SECRET": "x"}, two, false, true, true},
		{"DATA_SECRET suffices with signing keys", vars{"DATA_SECRET": "x", "JWT_ALGORITHM": "EdDSA"}, two, false, true, false},
		{"a signing key", vars{"JWT_PRIVATE_KEY": "x", "JWT_ALGORITHM": "EdDSA"}, two, true, false, true},
		{"the file of a signing key", vars{"JWT_PRIVATE_KEY_FILE": "x", "JWT_ALGORITHM": "EdDSA"}, two, true, false, true},
		{"JWT_SECRET is no signing key", vars{"JWT_SECRET": "x", "JWT_ALGORITHM": "EdDSA"}, keystore.Set{}, false, true, false},
	} {
		s, _ := test.vars.load(t)
		tokens, data := s.TokenChain(), s.DataChain()
		if got := tokens.FromSettings(test.set); got != test.tokens {
			t.Errorf("%s: the %s comes from settings: %t", test.name, tokens.Kind, got)
		}
		if got := data.FromSettings(test.set); got != test.data {
			t.Errorf("%s: the data secret comes from settings: %t", test.name, got)
		}
		if got := s.LacksSecret(); got != test.lacks {
			t.Errorf("%s: a secret is lacking: %t", test.name, got)
		}
	}
}

func TestChain_PlansCoverTheTokensInUse(t *testing.T) {
	t.Parallel()
	const access, refresh = 15*time.Minute + token.ExpiryLeeway + time.Minute, 7*24*time.Hour + time.Minute
	for _, test := range []struct {
		name         string
		vars         vars
		publish      time.Duration
		tokens, data time.Duration // retained
	}{
		{"signing keys are published first", vars{"JWT_ALGORITHM": "EdDSA"}, token.JWKSMaxAge + time.Minute, access, refresh},
		{"secrets are not published", nil, 0, access, refresh},
		{"JWT_SECRET serves as both", vars{"JWT_SECRET": "x"}, 0, refresh, refresh},
		{"JWT_SECRET beside DATA_SECRET", vars{"JWT_SECRET": "x", "DATA_SECRET": "x"}, 0, access, refresh},
		{"longer lifetimes", vars{"ACCESS_TOKEN_EXPIRE_MINUTES": "25", "REFRESH_TOKEN_EXPIRE_DAYS": "9"}, 0, access + 10*time.Minute, refresh + 48*time.Hour},
	} {
		s, _ := test.vars.load(t)
		tokens, data := s.TokenChain().Plan, s.DataChain().Plan
		if tokens.Publish != test.publish || tokens.Retain != test.tokens || data.Publish != 0 || data.Retain != test.data {
			t.Errorf("%s: %+v and %+v, want %s, %s and %s", test.name, tokens, data, test.publish, test.tokens, test.data)
		}
	}
}

func TestSource_CreatesSecretsOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		vars   vars
		legacy string
		before keystore.Set
		data   int // data secrets afterwards
		err    string
	}{
		{"two secrets", nil, "", keystore.Set{}, 1, ""},
		{"one beside DATA_SECRET", vars{"DATA_SECRET": "x"}, "", keystore.Set{}, 0, ""},
		{"one beside a stored data secret", nil, "", keystore.Set{Data: signing(secretB)}, 1, ""},
		{"the legacy secret serves as both", nil, secretA.Reveal() + "\n", keystore.Set{}, 0, ""},
		{"a weak legacy secret", nil, "weak", keystore.Set{}, 0, "has 4 bytes"},
	} {
		dir := t.TempDir()
		s, _ := test.vars.in(dir).load(t)
		store(t, s.File, test.before)
		if test.legacy != "" {
			if err := os.WriteFile(LegacyFile(dir), []byte(test.legacy), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		preview, err := s.Preview(start)
		if (err != nil) != (test.err != "") || !cmp.Equal(read(t, s.File), test.before) {
			t.Errorf("%s: the preview wrote %v, %v", test.name, read(t, s.File), err)
		}
		err = s.CreateSecrets(t.Context(), start)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s: got %v, want %s", test.name, err, test.err)
			}
			continue
		}
		set := read(t, s.File)
		if err != nil || len(set.Secrets) != 1 || len(set.Data) != test.data || len(preview.Secrets) != 1 || len(preview.Data) != test.data {
			t.Errorf("%s: %d and %d secrets, %v", test.name, len(set.Secrets), len(set.Data), err)
		}
		if _, err := os.Stat(LegacyFile(dir)); err == nil || test.legacy != "" && set.Secrets[0].Text != secretA {
			t.Errorf("%s: the legacy secret was not moved", test.name)
		}
		if err := s.CreateSecrets(t.Context(), at(time.Hour)); err != nil || !cmp.Equal(read(t, s.File), set) {
			t.Errorf("%s: a second start changed the secrets, %v", test.name, err)
		}
		if again, err := s.Preview(at(time.Hour)); err != nil || !cmp.Equal(again, set) {
			t.Errorf("%s: a preview of the second start has other secrets, %v", test.name, err)
		}
	}
}

func TestSource_ValuesOfUnsetSettings(t *testing.T) {
	t.Parallel()
	old, current, next := generated(t, "EdDSA"), generated(t, "EdDSA"), generated(t, "EdDSA")
	set := keystore.Set{
		Secrets: signing(secretA, secretB), Data: signing(secretC),
		Signing: append(signing(old.Text, current.Text), keystore.Key{Text: next.Text, Published: at(time.Minute)}),
	}
	a, b, c := secretA.Reveal(), secretB.Reveal(), secretC.Reveal()
	data := vars{"DATA_SECRET": c, "DATA_PREVIOUS_SECRETS": ""}
	pem := vars{
		"JWT_PRIVATE_KEY": current.Text.Reveal(), "JWT_NEXT_PUBLIC_KEY": next.Public, "JWT_PREVIOUS_PUBLIC_KEY": old.Public,
		"JWT_SECRET": b, "JWT_PREVIOUS_SECRETS": "," + a, "DATA_SECRET": c, "DATA_PREVIOUS_SECRETS": "",
	}
	for _, test := range []struct {
		name string
		vars vars
		now  time.Duration
		want vars
	}{
		{"the first secret signs", nil, 0, vars{"JWT_SECRET": a, "JWT_PREVIOUS_SECRETS": "," + b, "DATA_SECRET": c, "DATA_PREVIOUS_SECRETS": ""}},
		{"the second secret signs", nil, time.Minute, vars{"JWT_SECRET": b, "JWT_PREVIOUS_SECRETS": "," + a, "DATA_SECRET": c, "DATA_PREVIOUS_SECRETS": ""}},
		{"more secrets in the settings", vars{"JWT_PREVIOUS_SECRETS": "more"}, 0, vars{"JWT_SECRET": a, "JWT_PREVIOUS_SECRETS": "more," + b, "DATA_SECRET": c, "DATA_PREVIOUS_SECRETS": ""}},
		{"JWT_SECRET", vars{"JWT_SECRET": "x"}, 0, data},
		{"both secrets", vars{"JWT_SECRET": "x", "DATA_SECRET": "x"}, 0, vars{}},
		{"signing keys", vars{"JWT_ALGORITHM": "EdDSA"}, time.Minute, pem},
		{"another signing key", vars{"JWT_ALGORITHM": "EdDSA", "JWT_PRIVATE_KEY": "x", "JWT_SECRET": "x"}, time.Minute, data},
	} {
		s, env := test.vars.load(t)
		got, err := s.Values(env, set, at(test.now))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if diff := cmp.Diff(map[string]string(test.want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	s, env := vars{"JWT_ALGORITHM": "ES256"}.load(t)
	if _, err := s.Values(env, set, start); err == nil || !strings.Contains(err.Error(), "does not fit ES256") || !strings.Contains(err.Error(), s.File.Path()) {
		t.Errorf("with a key of another algorithm: %v", err)
	}
}
