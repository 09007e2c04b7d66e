package keyring_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

const (
	first  = secret.String("0123456789abcdefghijklmnopqrstuv")
	second = secret.String("vutsrqponmlkjihgfedcba9876543210")
)

func ring(t *testing.T, current secret.String, previous ...secret.String) *keyring.Ring {
	t.Helper()
	r, err := keyring.New(current, previous...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestDerive_IsHKDFOfTheSecret(t *testing.T) {
	t.Parallel()
	// RFC 5869 by hand: Extract with the empty salt, then the one block of Expand.
	mac := func(key []byte, parts ...string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(strings.Join(parts, "")))
		return h.Sum(nil)
	}
	prk := mac(make([]byte, 32), first.Reveal())
	var want keyring.Key
	copy(want.Bytes[:], mac(prk, "voiceassist gateway key v1\x00", "purpose", "\x01"))
	copy(want.ID[:], mac(prk, "voiceassist gateway key id v1\x00", "purpose", "\x01"))

	if got := ring(t, first).Derive("purpose").Current(); got != want {
		t.Error("the key differs from RFC 5869; what was sealed before cannot be opened")
	}
}

func TestDerive_KeysDifferByPurposeAndSecret(t *testing.T) {
	t.Parallel()
	seen := map[[32]byte]bool{}
	ids := map[[4]byte]bool{}
	for _, secret := range []secret.String{first, second} {
		for _, purpose := range []string{"a", "b", "id a", ""} {
			k := ring(t, secret).Derive(purpose).Current()
			seen[k.Bytes], ids[k.ID] = true, true
			if bytes.HasPrefix(k.Bytes[:], k.ID[:]) {
				t.Errorf("the id of purpose %q is a part of its key", purpose)
			}
		}
	}
	if len(seen) != 8 || len(ids) != 8 {
		t.Errorf("8 purposes and secrets gave %d keys and %d ids, want 8 of each", len(seen), len(ids))
	}
}

func TestKeys_WriteWithCurrentReadWithAll(t *testing.T) {
	t.Parallel()
	old := ring(t, first).Derive("p").Current()
	keys := ring(t, second, "", first, first, second).Derive("p")
	if n := len(keys.All()); n != 2 {
		t.Fatalf("two different secrets gave %d keys, want 2", n)
	}
	if keys.Current() != ring(t, second).Derive("p").Current() {
		t.Error("the current key is not that of the current secret")
	}
	if got, ok := keys.ByID(old.ID); !ok || got != old {
		t.Error("the key of the previous secret is not found by its id")
	}
	if got, ok := keys.ByID([4]byte{}); ok || got != (keyring.Key{}) {
		t.Error("an id of no key found a key")
	}
}

func TestNew_RejectsWeakSecretsWithoutQuotingThem(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		current  secret.String
		previous []secret.String
	}{
		"no current secret":                         {"", nil},
		"no current secret is not saved by another": {"", []secret.String{first}},
		"31 bytes":        {first[:31], nil},
		"a weak previous": {first, []secret.String{"hunter2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := keyring.New(tt.current, tt.previous...)
			if err == nil {
				t.Fatal("New took it")
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "0123456") {
				t.Errorf("the error quotes the secret: %v", err)
			}
		})
	}
}

func TestRead_RejectsGuessableSecrets(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, secret, want string }{
		{"unset is the caller's decision", "", ""},
		{"32 bytes are enough", first.Reveal(), ""},
		{"31 bytes are not", first.Reveal()[:31], "JWT_SECRET has 31 bytes"},
		{"a placeholder", "please-ChangeMe-please-0123456789", "is the placeholder"},
		{"a placeholder with a dash", "dev-change-me-in-production-0123456", "is the placeholder"},
		{"the word itself", "this_is_a_PlaceHolder_0123456789abc", "is the placeholder"},
		{"the one of tutorials", "your-secret-0123456789abcdefghijkl", "is the placeholder"},
		{"the other one of tutorials", "my-very-own-secret-key-0123456789", "is the placeholder"},
		{"seven different bytes", strings.Repeat("abcdefg", 6), "has only 7 different bytes"},
		{"eight different bytes", strings.Repeat("abcdefgh", 4), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := config.Map(map[string]string{"JWT_SECRET": tt.secret})
			got, err := keyring.Load(env), env.Err()
			if tt.want == "" {
				if err != nil || got.Reveal() != tt.secret {
					t.Errorf("Read = %q, %v; want the secret", got.Reveal(), err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || got != "" {
				t.Errorf("Read = %q, %v; want nothing and %q", got.Reveal(), err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), tt.secret) {
				t.Errorf("the error quotes the secret: %v", err)
			}
		})
	}
}

func TestReadPrevious_RejectsWeakItemsOfTheList(t *testing.T) {
	t.Parallel()
	env := config.Map(map[string]string{
		"JWT_PREVIOUS_SECRETS": first.Reveal() + ", hunter2," + second.Reveal(),
	})
	if diff := cmp.Diff([]secret.String{first, second}, keyring.LoadPrevious(env)); diff != "" {
		t.Errorf("the secrets differ (-want +got):\n%s", diff)
	}
	err := env.Err()
	if err == nil || !strings.Contains(err.Error(), "has an item that has 7 bytes") ||
		strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Err() = %v; want the length of the weak item and not the item", err)
	}
}

func TestGenerate_IsStrongEnoughForEveryAlgorithm(t *testing.T) {
	t.Parallel()
	a, b := keyring.Generate(), keyring.Generate()
	if a == b {
		t.Error("two generated secrets are equal")
	}
	if got := len(a.Reveal()); got != 64 {
		t.Errorf("a generated secret has %d bytes, want 64", got)
	}
	ring(t, a, b)
}

func TestKeys_NeverPrintThemselves(t *testing.T) {
	t.Parallel()
	r := ring(t, first)
	keys := r.Derive("p")
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("m", slog.Any("ring", r), slog.Any("keys", keys), slog.Any("key", keys.Current()))
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", slog.Any("ring", r), slog.Any("keys", keys))
	j, err := json.Marshal(map[string]any{"ring": r, "keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(j)
	for _, v := range []any{r, keys, keys.Current(), &keys.All()[0], struct{ K keyring.Keys }{keys}} {
		fmt.Fprintf(&out, "%v %+v %#v %s %q %x %X %d\n", v, v, v, v, v, v, v, v)
	}
	out.WriteString(r.String() + keys.Current().String() + keys.Current().GoString())

	current := keys.Current()
	b := current.Bytes[:3]
	for _, leak := range []string{
		fmt.Sprintf("%x", b), fmt.Sprintf("%X", b), fmt.Sprintf("%d %d %d", b[0], b[1], b[2]),
		fmt.Sprintf("%d,%d,%d", b[0], b[1], b[2]), fmt.Sprintf("%#x, %#x", b[0], b[1]), string(b),
	} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("the key shows as %q in\n%s", leak, out.String())
		}
	}
}

func TestRing_ReplaceUpdatesDerivedKeys(t *testing.T) {
	t.Parallel()
	r := ring(t, first)
	keys := r.Derive("p")
	old := keys.Current()
	if !r.Replace(ring(t, second, first)) {
		t.Error("other secrets do not count as changed")
	}
	if keys.Current() != ring(t, second).Derive("p").Current() {
		t.Error("the current key is still that of the secret that was replaced")
	}
	if _, ok := keys.ByID(old.ID); !ok {
		t.Error("the key of the secret before is gone")
	}
	if r.Replace(ring(t, second, first, first)) {
		t.Error("the same secrets count as changed")
	}
	if !r.Replace(ring(t, first, second)) || keys.Current() != old {
		t.Error("secrets that changed places do not count as changed, or do not change what was derived")
	}
}

func TestReadData_UsesDataSecretOrJWTSecret(t *testing.T) {
	t.Parallel()
	third := secret.String(strings.Repeat("third of three ", 3))
	for _, test := range []struct {
		name   string
		env    map[string]string
		want   []secret.String
		shared bool
		err    string
	}{
		{"one for all", map[string]string{"JWT_SECRET": first.Reveal()}, []secret.String{first}, true, ""},
		{"one for all, with previous", map[string]string{"JWT_SECRET": first.Reveal(), "JWT_PREVIOUS_SECRETS": second.Reveal()},
			[]secret.String{first, second}, true, ""},
		{"two", map[string]string{"JWT_SECRET": first.Reveal(), "JWT_PREVIOUS_SECRETS": third.Reveal(), "DATA_SECRET": second.Reveal()},
			[]secret.String{second}, false, ""},
		{"two that are the same", map[string]string{"JWT_SECRET": first.Reveal(), "DATA_SECRET": first.Reveal()}, []secret.String{first}, true, ""},
		{"on the way to two", map[string]string{"JWT_SECRET": first.Reveal(), "DATA_SECRET": second.Reveal(), "DATA_PREVIOUS_SECRETS": first.Reveal()},
			[]secret.String{second, first}, true, ""},
		{"with the secret before of tokens", map[string]string{"JWT_SECRET": third.Reveal(), "JWT_PREVIOUS_SECRETS": first.Reveal(), "DATA_SECRET": first.Reveal()},
			[]secret.String{first}, true, ""},
		{"on the way back", map[string]string{"JWT_SECRET": first.Reveal(), "DATA_PREVIOUS_SECRETS": second.Reveal()}, []secret.String{first, second}, true, ""},
		{"of signing keys", map[string]string{"DATA_SECRET": second.Reveal()}, []secret.String{second}, false, ""},
		{"none", nil, nil, false, "JWT_SECRET is not set"},
		{"a weak one", map[string]string{"JWT_SECRET": first.Reveal(), "DATA_SECRET": "hunter2"}, nil, false, "DATA_SECRET has 7 bytes; it must be"},
		{"a placeholder", map[string]string{"JWT_SECRET": first.Reveal(), "DATA_SECRET": "changeme-with-openssl-rand-base64-48"}, nil, false, "DATA_SECRET is the placeholder"},
		{"a weak previous one", map[string]string{"DATA_SECRET": first.Reveal(), "DATA_PREVIOUS_SECRETS": "hunter2"}, []secret.String{first}, false, "DATA_PREVIOUS_SECRETS has an item that has 7 bytes"},
	} {
		env := config.Map(test.env)
		keys := setting.Of[keyring.Settings](env)
		if diff := cmp.Diff(test.want, keys.Secrets); diff != "" {
			t.Errorf("%s: the secrets differ (-want +got):\n%s", test.name, diff)
		}
		err := ""
		if env.Err() != nil {
			err = env.Err().Error()
		}
		if !strings.Contains(err, test.err) || (err == "") != (test.err == "") || strings.Contains(err, "hunter2") || strings.Contains(err, "\n") {
			t.Errorf("%s: got %q, want %q", test.name, err, test.err)
		}
		if shared := keys.Contains(append(keyring.LoadPrevious(env), keyring.Load(env))); shared != test.shared {
			t.Errorf("%s: JWT_SECRET reads data: got %t, want %t", test.name, shared, test.shared)
		}
	}
}
