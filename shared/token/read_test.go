package token_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/account"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/signin"
	"github.com/voiceassist/gateway/shared/token"
)

func file(t *testing.T, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRead_TakesKeysFromFiles(t *testing.T) {
	t.Parallel()
	previous := signers(t)
	for algorithm, private := range signers(t) {
		der, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			t.Fatal(err)
		}
		oldPublic, err := x509.MarshalPKIXPublicKey(previous[algorithm].Public())
		if err != nil {
			t.Fatal(err)
		}
		env := config.Map(map[string]string{
			"JWT_ALGORITHM": algorithm, "JWT_PRIVATE_KEY_FILE": file(t, "PRIVATE KEY", der),
			"JWT_PREVIOUS_PUBLIC_KEY_FILE": file(t, "PUBLIC KEY", oldPublic), "ACCESS_TOKEN_EXPIRE_MINUTES": "5",
		})
		keys := token.Read(env, ring(t))
		if env.Err() != nil {
			t.Fatal(env.Err())
		}
		old, err := token.NewKeys(token.Options{
			Algorithm: algorithm, Private: previous[algorithm], Issuer: "voiceassist", Audience: "voiceassist", Lifetime: token.Lifetime,
		})
		if err != nil {
			t.Fatal(err)
		}
		for name, signer := range map[string]*token.Keys{"current": keys, "previous": old} {
			raw, err := signer.Sign(account.NewID(), account.User, signin.NewID(), now)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := keys.Verify(raw, now); err != nil {
				t.Errorf("%s: a token of the %s key is refused: %v", algorithm, name, err)
			}
		}
		if n := strings.Count(string(keys.JWKS()), `"kid"`); n != 2 || keys.Lifetime().Minutes() != 5 {
			t.Errorf("%s: %d keys are published, tokens live %v", algorithm, n, keys.Lifetime())
		}
	}
}

func TestRead_RefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		env  map[string]string
		want string
	}{
		{"an unknown algorithm", map[string]string{"JWT_ALGORITHM": "none"}, `JWT_ALGORITHM is "none"`},
		{"no key file", map[string]string{"JWT_ALGORITHM": "EdDSA"}, `JWT_PRIVATE_KEY_FILE is ""`},
		{"a file that is not there", map[string]string{"JWT_ALGORITHM": "EdDSA", "JWT_PRIVATE_KEY_FILE": "/nowhere"}, `JWT_PRIVATE_KEY_FILE is "/nowhere"`},
		{"a file that is no key", map[string]string{"JWT_ALGORITHM": "EdDSA", "JWT_PRIVATE_KEY_FILE": file(t, "PRIVATE KEY", []byte("x"))}, "JWT_PRIVATE_KEY_FILE is"},
		{"a lifetime of no time", map[string]string{"ACCESS_TOKEN_EXPIRE_MINUTES": "0"}, `ACCESS_TOKEN_EXPIRE_MINUTES is "0"`},
	} {
		env := config.Map(test.env)
		token.Read(env, ring(t))
		if err := env.Err(); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
}
