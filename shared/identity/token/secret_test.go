package token_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// read returns the keys of a valid environment.
func read(t *testing.T, vars map[string]string) *token.Keys {
	t.Helper()
	env := config.Map(vars)
	keys := setting.Of[token.Settings](env).Keys()
	if err := env.Err(); err != nil {
		t.Fatal(err)
	}
	return keys
}

func signed(t *testing.T, keys *token.Keys) string {
	t.Helper()
	raw, err := keys.Sign(signin.Login{UserID: account.NewID(), ID: signin.NewID()}, account.User, now)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestSecret_IsTheHMACKey verifies tokens as another service does: with an HMAC under the
// bytes of JWT_SECRET, and no code of this project.
func TestSecret_IsTheHMACKey(t *testing.T) {
	t.Parallel()
	secret := keyring.Generate().Reveal()
	for algorithm, size := range map[string]func() hash.Hash{"": sha256.New, "HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New} {
		keys := read(t, map[string]string{"JWT_SECRET": secret, "JWT_ALGORITHM": algorithm})
		raw := signed(t, keys)
		end := strings.LastIndexByte(raw, '.')
		mac := hmac.New(size, []byte(secret))
		mac.Write([]byte(raw[:end]))
		if raw[end+1:] != b64.EncodeToString(mac.Sum(nil)) {
			t.Errorf("%q: the signature is not an HMAC under JWT_SECRET: %s", algorithm, raw)
		}
		if strings.Contains(segment(t, raw, 1), `"aud"`) {
			t.Errorf("%q: the token has an audience although none is configured: %s", algorithm, segment(t, raw, 1))
		}
		for audience, claims := range map[string]string{
			"another": with(t, segment(t, raw, 1), "aud", `"another"`), "the former default": with(t, segment(t, raw, 1), "aud", `"voiceassist"`),
		} {
			text := b64.EncodeToString([]byte(segment(t, raw, 0))) + "." + b64.EncodeToString([]byte(claims))
			mac.Reset()
			mac.Write([]byte(text))
			if _, err := keys.Verify(text+"."+b64.EncodeToString(mac.Sum(nil)), now); !errors.Is(err, token.ErrInvalid) {
				t.Errorf("%q: token with audience %q: got %v", algorithm, audience, err)
			}
		}
	}
}

// TestSecret_ConfiguredAudienceIsRequired checks that keys with an audience refuse tokens
// without one, and the reverse.
func TestSecret_ConfiguredAudienceIsRequired(t *testing.T) {
	t.Parallel()
	secret := keyring.Generate().Reveal()
	without := read(t, map[string]string{"JWT_SECRET": secret})
	with := read(t, map[string]string{"JWT_SECRET": secret, "JWT_AUDIENCE": "app"})
	if claims := segment(t, signed(t, with), 1); !strings.Contains(claims, `"aud":"app"`) {
		t.Errorf("got claims %s", claims)
	}
	for name, err := range map[string]error{
		"without an audience, if one is configured": verify(with, signed(t, without)),
		"with an audience, if none is configured":   verify(without, signed(t, with)),
		"with another audience":                     verify(with, signed(t, read(t, map[string]string{"JWT_SECRET": secret, "JWT_AUDIENCE": "apps"}))),
		"of another issuer":                         verify(without, signed(t, read(t, map[string]string{"JWT_SECRET": secret, "JWT_ISSUER": "x"}))),
	} {
		if !errors.Is(err, token.ErrInvalid) {
			t.Errorf("token %s: got %v", name, err)
		}
	}
}

func verify(keys *token.Keys, raw string) error {
	_, err := keys.Verify(raw, now)
	return err
}

// derived returns a token as issued by versions that derived the key from the secret.
func derived(t *testing.T, from, audience string, lifetime int64) string {
	t.Helper()
	ring, err := keyring.New(secret.String(from))
	if err != nil {
		t.Fatal(err)
	}
	first, second := ring.Derive("access token v1").Current(), ring.Derive("access token v1, second half").Current()
	claims, err := json.Marshal(struct {
		Issuer    string `json:"iss"`
		Audience  string `json:"aud"`
		Subject   string `json:"sub"`
		Login     string `json:"sid"`
		Role      string `json:"role"`
		IssuedAt  int64  `json:"iat"`
		ExpiresAt int64  `json:"exp"`
		ID        string `json:"jti"`
	}{"voiceassist", audience, string(account.NewID()), string(signin.NewID()), "user", now.Unix(), now.Unix() + lifetime, string(account.NewID())})
	if err != nil {
		t.Fatal(err)
	}
	header := fmt.Sprintf(`{"alg":"HS256","kid":"%x","typ":"at+jwt"}`, first.ID)
	text := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString(claims)
	return text + "." + b64.EncodeToString(mac(append(first.Bytes[:], second.Bytes[:]...), text))
}

// TestDerived_TokensStayValidUntilExpiry upgrades from a version that signed with a key
// derived from JWT_SECRET, with and without a rotation of the secret.
func TestDerived_TokensStayValidUntilExpiry(t *testing.T) {
	t.Parallel()
	old, next := keyring.Generate().Reveal(), keyring.Generate().Reveal()
	for name, vars := range map[string]map[string]string{
		"without a rotation":       {"JWT_SECRET": old},
		"after a rotation":         {"JWT_SECRET": next, "JWT_PREVIOUS_SECRETS": old},
		"during a rotation":        {"JWT_SECRET": old, "JWT_PREVIOUS_SECRETS": next},
		"with another DATA_SECRET": {"JWT_SECRET": old, "DATA_SECRET": next},
	} {
		keys := read(t, vars)
		raw := derived(t, old, "voiceassist", 900)
		if err := verify(keys, raw); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := keys.Verify(raw, now.Add(token.DefaultLifetime+token.ExpiryLeeway)); !errors.Is(err, token.ErrExpired) {
			t.Errorf("%s: after expiry: got %v", name, err)
		}
		for audience, raw := range map[string]string{"no": derived(t, old, "", 900), "another": derived(t, old, "other", 900)} {
			if err := verify(keys, raw); !errors.Is(err, token.ErrInvalid) {
				t.Errorf("%s: audience %q: got %v", name, audience, err)
			}
		}
		if raw := signed(t, keys); strings.Contains(segment(t, raw, 0), kidOf(t, derived(t, vars["JWT_SECRET"], "voiceassist", 900))) {
			t.Errorf("%s: a new token has header %s", name, segment(t, raw, 0))
		}
	}
	app := read(t, map[string]string{"JWT_SECRET": old, "JWT_AUDIENCE": "app"})
	if err := verify(app, derived(t, old, "app", 900)); err != nil {
		t.Errorf("configured audience: %v", err)
	}
	if err := verify(app, derived(t, old, "voiceassist", 900)); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("another audience: got %v", err)
	}
	if err := verify(read(t, map[string]string{"JWT_SECRET": next}), derived(t, old, "voiceassist", 900)); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("token of a removed secret: got %v", err)
	}
}

func kidOf(t *testing.T, raw string) string {
	t.Helper()
	var header struct{ KID string }
	if err := json.Unmarshal([]byte(segment(t, raw, 0)), &header); err != nil || header.KID == "" {
		t.Fatalf("no kid in %s", raw)
	}
	return header.KID
}

// TestPublished_FormerAudienceStaysValid checks the same for EdDSA, ES256 and
// RS256, which named an audience even if none was set.
func TestPublished_FormerAudienceStaysValid(t *testing.T) {
	t.Parallel()
	for algorithm, key := range signers(t) {
		keys := func(audience string) *token.Keys {
			return read(t, map[string]string{"JWT_ALGORITHM": algorithm, "JWT_PRIVATE_KEY": private(t, key), "JWT_AUDIENCE": audience})
		}
		if err := verify(keys(""), signed(t, keys("voiceassist"))); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
		if strings.Contains(segment(t, signed(t, keys("")), 1), `"aud"`) {
			t.Errorf("%s: a new token has an audience", algorithm)
		}
		if err := verify(keys("app"), signed(t, keys("voiceassist"))); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s: another audience: got %v", algorithm, err)
		}
	}
}

// TestSecret_MustBeAsLongAsTheHash checks that RFC 7518 section 3.2 holds, and that keys
// derived from a shorter secret stay valid.
func TestSecret_MustBeAsLongAsTheHash(t *testing.T) {
	t.Parallel()
	text := keyring.Generate().Reveal()
	for algorithm, least := range map[string]int{"HS256": 32, "HS384": 48, "HS512": 64} {
		read(t, map[string]string{"JWT_ALGORITHM": algorithm, "JWT_SECRET": text[:least]})
		env := config.Map(map[string]string{"JWT_ALGORITHM": algorithm, "JWT_SECRET": text[:least-1]})
		keys := setting.Of[token.Settings](env).Keys()
		err := env.Err()
		if want := fmt.Sprintf("JWT_SECRET has %d bytes; it must be %d ", least-1, least); keys != nil || err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", algorithm, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), text[:8])) {
			t.Errorf("%s: the error has several lines or contains the secret: %v", algorithm, err)
		}
	}
	short := text[:32]
	keys := read(t, map[string]string{"JWT_ALGORITHM": "HS512", "JWT_SECRET": text, "JWT_PREVIOUS_SECRETS": short})
	if n := len(keys.IDs()); n != 3 { // the secret, and the keys derived from both
		t.Errorf("got %d keys, want 3", n)
	}
}
