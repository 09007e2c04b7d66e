package keys_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/cmd/gateway/internal/keys"
	"github.com/voiceassist/gateway/shared/crypto/keystore"
)

func TestAdvice(t *testing.T) {
	t.Parallel()
	tokens, data := (*keys.Settings).TokenChain, (*keys.Settings).DataChain
	signs := keys.Configured{State: keystore.StateSigns, ID: "a", Source: "SETTING"}
	with := func(more keys.Configured) []keys.Configured { return []keys.Configured{signs, more} }
	const key, begin = "The signing key a comes from SETTING, and this command changes no settings.",
		"To begin a rotation, where NEW is what `gateway keys generate --algorithm HS256` prints:"
	for _, test := range []struct {
		name       string
		vars       vars
		chain      func(*keys.Settings) keys.Chain
		configured []keys.Configured
		want       []string
	}{
		{"a signing key", vars{"JWT_ALGORITHM": "ES256", "JWT_PRIVATE_KEY": "x"}, tokens, []keys.Configured{signs}, []string{
			key,
			"To begin a rotation: `gateway keys generate --algorithm ES256 --out FILE`, set JWT_NEXT_PUBLIC_KEY_FILE to FILE.pub,",
			"or JWT_NEXT_PUBLIC_KEY to what is in it, and restart every process. Then run this command again.",
		}},
		{"a next key in a file", vars{"JWT_ALGORITHM": "ES256", "JWT_PRIVATE_KEY": "x"}, tokens, with(keys.Configured{State: keystore.StateNext, ID: "b", Source: "b.pem", Changed: start}), []string{
			key,
			"The next key b is published by b.pem. It may sign when every process has published it for 1h1m0s.",
			"Its file was changed at 2026-03-01T12:00:00Z: not before 2026-03-01T13:01:00Z.",
			"Then set JWT_PRIVATE_KEY_FILE to the private half of b, JWT_PREVIOUS_PUBLIC_KEY_FILE to the public half of a,",
			"take out JWT_NEXT_PUBLIC_KEY and JWT_NEXT_PUBLIC_KEY_FILE, and restart every process.",
		}},
		{"a next key in a variable", vars{"JWT_ALGORITHM": "ES256", "JWT_PRIVATE_KEY": "x"}, tokens, with(keys.Configured{State: keystore.StateNext, ID: "b", Source: "B"}), []string{
			key,
			"The next key b is published by B. It may sign when every process has published it for 1h1m0s.",
			"Then set JWT_PRIVATE_KEY_FILE to the private half of b, JWT_PREVIOUS_PUBLIC_KEY_FILE to the public half of a,",
			"take out JWT_NEXT_PUBLIC_KEY and JWT_NEXT_PUBLIC_KEY_FILE, and restart every process.",
		}},
		{"a previous key", vars{"JWT_ALGORITHM": "ES256", "JWT_PRIVATE_KEY": "x"}, tokens, with(keys.Configured{State: keystore.StatePrevious, ID: "b"}), []string{
			key,
			"16m10s after a began to sign: take out JWT_PREVIOUS_PUBLIC_KEY and JWT_PREVIOUS_PUBLIC_KEY_FILE, which name b, and restart every process.",
		}},
		{"one secret for all", vars{"JWT_SECRET": "x"}, tokens, []keys.Configured{signs}, []string{
			"The secret a comes from SETTING, and this command changes no settings.", begin,
			"1. Set JWT_PREVIOUS_SECRETS to NEW, and restart every process: they accept it before any uses it.",
			"2. Set JWT_SECRET to NEW and JWT_PREVIOUS_SECRETS to what JWT_SECRET is now, and restart every process.",
			"3. After 168h1m0s run `gateway keys reseal`, take JWT_PREVIOUS_SECRETS out, and restart every process.",
			"Whoever else verifies access tokens with the secret must accept NEW before step 2.",
		}},
		{"a secret beside a data secret", vars{"JWT_SECRET": "x", "DATA_SECRET": "x"}, tokens, with(keys.Configured{State: keys.StateAccepted, ID: "b"}), []string{
			"The secret a comes from SETTING, and this command changes no settings.",
			"b is accepted, by JWT_PREVIOUS_SECRETS.",
			"If it is the new one: exchange the values of JWT_SECRET and JWT_PREVIOUS_SECRETS, and restart every process.",
			"If it is the old one: 16m10s after it was replaced, take it out of JWT_PREVIOUS_SECRETS, and restart every process.",
		}},
		{"a secret that serves as data secret", vars{"JWT_SECRET": "x"}, data, with(keys.Configured{State: keys.StateAccepted, ID: "b"}), []string{
			"The data secret a comes from SETTING, and this command changes no settings.", begin,
			"1. Set DATA_SECRET to what JWT_SECRET is now and DATA_PREVIOUS_SECRETS to NEW, and restart every process: they accept it before any uses it.",
			"2. Set DATA_SECRET to NEW and DATA_PREVIOUS_SECRETS to what JWT_SECRET is now, and restart every process.",
			"3. After 168h1m0s run `gateway keys reseal`, take DATA_PREVIOUS_SECRETS out, and restart every process.",
		}},
		{"two data secrets", vars{"DATA_SECRET": "x"}, data, with(keys.Configured{State: keys.StateAccepted, ID: "b"}), []string{
			"The data secret a comes from SETTING, and this command changes no settings.",
			"b is accepted, by DATA_PREVIOUS_SECRETS.",
			"If it is the new one: exchange the values of DATA_SECRET and DATA_PREVIOUS_SECRETS, and restart every process.",
			"If it is the old one: 168h1m0s after it was replaced, run `gateway keys reseal`, take it out of DATA_PREVIOUS_SECRETS, and restart every process.",
		}},
	} {
		s, _ := test.vars.load(t)
		if diff := cmp.Diff(test.want, keys.Advice(test.chain(s), test.configured)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
