package token_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/identity/token"
)

func TestJWKS(t *testing.T) {
	t.Parallel()
	if got := string(newFixture(t, "HS256", nil, keyring.Generate()).keys.JWKS()); got != `{"keys":[]}` {
		t.Errorf("got JWKS %s of a symmetric key, want no keys", got)
	}
	private := signers(t)
	for algorithm, members := range map[string]string{
		"EdDSA": "alg crv kid kty use x", "ES256": "alg crv kid kty use x y", "RS256": "alg e kid kty n use",
	} {
		f := newFixture(t, algorithm, private[algorithm])
		var set struct{ Keys []map[string]string }
		if err := json.Unmarshal(f.keys.JWKS(), &set); err != nil || len(set.Keys) != 1 {
			t.Fatalf("%s: %s, %v", algorithm, f.keys.JWKS(), err)
		}
		for name := range strings.FieldsSeq(members) {
			if set.Keys[0][name] == "" {
				t.Errorf("%s: member %s missing in %s", algorithm, name, f.keys.JWKS())
			}
		}
		if len(set.Keys[0]) != len(strings.Fields(members)) {
			t.Errorf("%s publishes %s, want only %s", algorithm, f.keys.JWKS(), members)
		}
		if !strings.Contains(f.header, `"kid":"`+set.Keys[0]["kid"]+`"`) {
			t.Errorf("%s: got header %s, JWKS %s", algorithm, f.header, f.keys.JWKS())
		}
	}
}

func TestNewKeys_RejectsUnsuitableKeys(t *testing.T) {
	t.Parallel()
	private := signers(t)
	for _, algorithm := range []string{"EdDSA", "ES256", "RS256"} {
		for other, key := range private {
			if _, err := token.NewKeys(token.Options{Algorithm: algorithm, Private: key}); (err == nil) != (algorithm == other) {
				t.Errorf("%s with a key for %s: %v", algorithm, other, err)
			}
		}
		if _, err := token.NewKeys(token.Options{Algorithm: algorithm}); err == nil {
			t.Errorf("%s is accepted without a key", algorithm)
		}
	}
	if _, err := token.NewKeys(token.Options{Algorithm: "none"}); err == nil {
		t.Error(`algorithm "none" is accepted`)
	}
}
