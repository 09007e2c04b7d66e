package token_test

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
)

func file(t *testing.T, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRead_LoadsKeysFromFiles(t *testing.T) {
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
		keys := setting.Of[token.Settings](env).Keys()
		if env.Err() != nil {
			t.Fatal(env.Err())
		}
		old, err := token.NewKeys(token.Options{
			Algorithm: algorithm, Private: previous[algorithm], Issuer: "voiceassist", Audience: "voiceassist", Lifetime: token.DefaultLifetime,
		})
		if err != nil {
			t.Fatal(err)
		}
		for name, signer := range map[string]*token.Keys{"current": keys, "previous": old} {
			raw, err := signer.Sign(signin.Login{UserID: account.NewID(), ID: signin.NewID()}, account.User, now)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := keys.Verify(raw, now); err != nil {
				t.Errorf("%s: token of the %s key: %v", algorithm, name, err)
			}
		}
		if n := strings.Count(string(keys.JWKS()), `"kid"`); n != 2 || keys.Lifetime(signin.Login{}, now).Minutes() != 5 {
			t.Errorf("%s: %d keys published, lifetime %v", algorithm, n, keys.Lifetime(signin.Login{}, now))
		}
	}
}

// TestRead_FindsKeysAmongOtherBlocks reads keys as OpenSSL and certbot write them, from a
// file and from a setting that does not preserve line breaks.
func TestRead_FindsKeysAmongOtherBlocks(t *testing.T) {
	t.Parallel()
	previous := signers(t)
	for algorithm, signer := range signers(t) {
		der, err := x509.MarshalPKIXPublicKey(signer.Public())
		if err != nil {
			t.Fatal(err)
		}
		others := string(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}})) +
			string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})) // its content does not matter
		for name, text := range map[string]struct{ private, public string }{
			"blocks before":       {others + private(t, signer), others + public(t, previous[algorithm])},
			"blocks after":        {private(t, signer) + others, public(t, previous[algorithm]) + others},
			"text around":         {"Bag Attributes\n" + private(t, signer) + "the end", "a key\n" + public(t, previous[algorithm])},
			"a byte order mark":   {"\ufeff" + private(t, signer), "\ufeff" + public(t, previous[algorithm])},
			"Windows line breaks": {strings.ReplaceAll(others+private(t, signer), "\n", "\r\n"), strings.ReplaceAll(others+public(t, previous[algorithm]), "\n", "\r\n")},
		} {
			dir := t.TempDir()
			key, old := filepath.Join(dir, "key.pem"), filepath.Join(dir, "old.pem")
			if err := errors.Join(os.WriteFile(key, []byte(text.private), 0o600), os.WriteFile(old, []byte(text.public), 0o600)); err != nil {
				t.Fatal(err)
			}
			one := strings.NewReplacer("\r\n", `\r\n`, "\n", `\n`)
			for way, vars := range map[string]map[string]string{
				"files": {"JWT_PRIVATE_KEY_FILE": key, "JWT_PREVIOUS_PUBLIC_KEY_FILE": old},
				"text":  {"JWT_PRIVATE_KEY": one.Replace(text.private), "JWT_PREVIOUS_PUBLIC_KEY": one.Replace(text.public)},
			} {
				vars["JWT_ALGORITHM"] = algorithm
				env := config.Map(vars)
				if keys := setting.Of[token.Settings](env).Keys(); keys == nil || env.Err() != nil {
					t.Errorf("%s as %s, %s: %v", algorithm, way, name, env.Err())
				} else if n := strings.Count(string(keys.JWKS()), `"kid"`); n != 2 {
					t.Errorf("%s as %s, %s: %d keys published, want 2", algorithm, way, name, n)
				}
			}
		}
	}
}

func TestRead_RejectsInvalidSettings(t *testing.T) {
	t.Parallel()
	certificate := file(t, "CERTIFICATE", []byte("x"))
	for _, test := range []struct {
		name string
		env  map[string]string
		want string
	}{
		{"an unknown algorithm", map[string]string{"JWT_ALGORITHM": "none"}, `JWT_ALGORITHM is "none"`},
		{"no key file", map[string]string{"JWT_ALGORITHM": "EdDSA"}, `JWT_PRIVATE_KEY_FILE is ""`},
		{"a missing file", map[string]string{"JWT_ALGORITHM": "EdDSA", "JWT_PRIVATE_KEY_FILE": "/nowhere"}, `JWT_PRIVATE_KEY_FILE is "/nowhere"`},
		{"a file without a key", map[string]string{"JWT_ALGORITHM": "EdDSA", "JWT_PRIVATE_KEY_FILE": file(t, "PRIVATE KEY", []byte("x"))}, "JWT_PRIVATE_KEY_FILE is"},
		{"a certificate as the key", map[string]string{"JWT_ALGORITHM": "EdDSA", "JWT_PRIVATE_KEY_FILE": certificate}, fmt.Sprintf("JWT_PRIVATE_KEY_FILE is %q; it must be a file with a PEM private key for EdDSA (no private key, only CERTIFICATE)", certificate)},
		{"a lifetime of zero", map[string]string{"ACCESS_TOKEN_EXPIRE_MINUTES": "0"}, `ACCESS_TOKEN_EXPIRE_MINUTES is "0"`},
	} {
		env := config.Map(test.env)
		setting.Of[token.Settings](env).Keys()
		if err := env.Err(); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
}

// TestRead_PublishesTheNextKeyBeforeUse goes through a rotation by settings, with the
// keys as text, which is how functions get them.
func TestRead_PublishesTheNextKeyBeforeUse(t *testing.T) {
	t.Parallel()
	olds, nexts := signers(t), signers(t)
	for algorithm, old := range olds {
		next := nexts[algorithm]
		read := func(vars map[string]string) *token.Keys {
			vars["JWT_ALGORITHM"] = algorithm
			env := config.Map(vars)
			keys := setting.Of[token.Settings](env).Keys()
			if env.Err() != nil {
				t.Fatal(env.Err())
			}
			return keys
		}
		steps := []*token.Keys{
			read(map[string]string{"JWT_PRIVATE_KEY": private(t, old)}),
			read(map[string]string{"JWT_PRIVATE_KEY": private(t, old), "JWT_NEXT_PUBLIC_KEY": public(t, next)}),
			read(map[string]string{"JWT_PRIVATE_KEY": strings.ReplaceAll(private(t, next), "\n", `\n`), "JWT_PREVIOUS_PUBLIC_KEY": public(t, old)}),
			read(map[string]string{"JWT_PRIVATE_KEY": private(t, next)}),
		}
		for i, published := range []int{1, 2, 2, 1} {
			if n := strings.Count(string(steps[i].JWKS()), `"kid"`); n != published {
				t.Errorf("%s, step %d: %d keys published, want %d", algorithm, i, n, published)
			}
		}
		for i := range len(steps) - 1 { // processes may be one step apart
			for _, pair := range [][2]*token.Keys{{steps[i], steps[i+1]}, {steps[i+1], steps[i]}} {
				if i == len(steps)-2 && pair[0] == steps[i+1] || i != len(steps)-2 {
					raw, err := pair[0].Sign(signin.Login{UserID: account.NewID(), ID: signin.NewID()}, account.User, now)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := pair[1].Verify(raw, now); err != nil {
						t.Errorf("%s, steps %d and %d: token rejected: %v", algorithm, i, i+1, err)
					}
				}
			}
		}
		raw, err := steps[0].Sign(signin.Login{UserID: account.NewID(), ID: signin.NewID()}, account.User, now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := steps[3].Verify(raw, now); err == nil {
			t.Errorf("%s: a removed key is still accepted", algorithm)
		}
	}
}

func private(t *testing.T, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func public(t *testing.T, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func TestRead_ErrorsContainNoKey(t *testing.T) {
	t.Parallel()
	env := config.Map(map[string]string{"JWT_ALGORITHM": "EdDSA", "JWT_PRIVATE_KEY": "MC4CAQAwBQYDK2VwBCIEIA-a-secret"})
	if setting.Of[token.Settings](env).Keys() != nil || env.Err() == nil || strings.Contains(env.Err().Error(), "a-secret") {
		t.Errorf("got %v", env.Err())
	}
}
