package token_test

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// FuzzVerify checks two properties. Sign with the same keys could have made any token that
// Verify accepts: reassembled from its claims, it is the same text. And Verify accepts
// exactly the tokens that a second, independent check accepts, which knows the one form of
// a token and does not parse JSON.
//
// The fuzzer gets the key, so that it can pass the signature check.
func FuzzVerify(f *testing.F) {
	fix := newFixture(f, "HS256", nil, "0123456789abcdefghijklmnopqrstuv")
	for _, signed := range []bool{true, false} {
		f.Add(fix.header, fix.claims, fix.good, signed)
		f.Add(fix.header, strings.Replace(fix.claims, "}", `,"role":"admin"}`, 1), "..", signed)
		f.Add(strings.Replace(fix.header, "HS256", "none", 1), strings.Replace(fix.claims, `"role":"user"`, `"role":"admin"`, 1), fix.good+"\n", signed)
		f.Add(fix.header, strings.Replace(fix.claims, `"exp":`, `"exp":9`, 1), fix.good+".", signed)
		f.Add(fix.header, regexp.MustCompile(`"exp":\d+`).ReplaceAllString(fix.claims, fmt.Sprintf(`"exp":%d`, now.Unix()+60)), "", signed)
	}
	f.Fuzz(func(t *testing.T, header, claims, raw string, signed bool) {
		if signed {
			raw = fix.sign(t, header, claims)
		}
		c, err := fix.keys.Verify(raw, now)
		if err != nil && fault.Of(err).Kind != fault.InvalidToken {
			t.Fatalf("%q is rejected: %v", raw, err)
		}
		if want := reference(fix.header, fix.secret, raw, now); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Fatalf("%q: Verify returns %v, the reference %v", raw, err, want)
		}
		if err != nil {
			return
		}
		again := fmt.Sprintf(`{"iss":"issuer","aud":"audience","sub":%q,"sid":%q,"role":%q,"iat":%d,"exp":%d,"jti":%q}`,
			c.Subject, c.Login, c.Role, c.IssuedAt.Unix(), c.ExpiresAt.Unix(), c.ID)
		if made := fix.sign(t, fix.header, again); made != raw {
			t.Fatalf("Verify accepts %q, but Sign makes %q from its claims", raw, made)
		}
	})
}

// claimsForm matches the only form of claims that the gateway issues.
var claimsForm = regexp.MustCompile(`\A\{"iss":"issuer","aud":"audience","sub":"U","sid":"U","role":"(?:user|admin)","iat":([1-9][0-9]{0,17}),"exp":([1-9][0-9]{0,17}),"jti":"U"\}\z`)

var uuidForm = regexp.MustCompile(`"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"`)

// reference is the second check.
func reference(header string, key []byte, raw string, now time.Time) error {
	parts := strings.Split(raw, ".")
	if len(raw) > 4096 || len(parts) != 3 {
		return token.ErrInvalid
	}
	var decoded [3]string
	for i, part := range parts {
		b, err := b64.DecodeString(part)
		if err != nil || b64.EncodeToString(b) != part {
			return token.ErrInvalid
		}
		decoded[i] = string(b)
	}
	form := claimsForm.FindStringSubmatch(uuidForm.ReplaceAllString(decoded[1], `"U"`))
	if decoded[0] != header || form == nil || strings.Contains(decoded[1], `"U"`) ||
		!hmac.Equal([]byte(decoded[2]), mac(key, parts[0]+"."+parts[1])) {
		return token.ErrInvalid
	}
	iat, err1 := strconv.ParseInt(form[1], 10, 64)
	exp, err2 := strconv.ParseInt(form[2], 10, 64)
	seconds := func(d time.Duration) int64 { return int64(d / time.Second) }
	switch {
	case err1 != nil, err2 != nil, exp <= iat, exp-iat > seconds(token.MaxLifetime), iat > now.Unix()+seconds(token.IssuedAtLeeway):
		return token.ErrInvalid
	case now.Unix() >= exp+seconds(token.ExpiryLeeway):
		return token.ErrExpired
	}
	return nil
}
