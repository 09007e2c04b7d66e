package token_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// TestForgery_Claims tries claims that the gateway never issues. Each is signed with the
// right key under the right header, so only the claims can cause the refusal.
func TestForgery_Claims(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "HS256", nil, keyring.Generate())
	f.accepted(t)
	other := account.NewID()
	cases := map[string]string{}
	set := func(name string, values ...string) {
		for _, value := range values {
			cases[name+" = "+value] = with(t, f.claims, name, value)
		}
	}
	iat := now.Unix()
	set("iat", `"now"`, fmt.Sprintf(`"%d"`, iat), fmt.Sprintf("%d.0", iat), fmt.Sprintf("%d.5", iat), "1.7e9", "0", "-1", "null", "true",
		"9223372036854775807", "9223372036854775808", "1e300", "-1e300", "[1]", "{}", fmt.Sprintf("0%d", iat), fmt.Sprintf("+%d", iat), "0x10", "NaN", "Infinity",
		fmt.Sprint(now.Add(token.IssuedAtLeeway+time.Second).Unix()))
	set("exp", `"never"`, fmt.Sprintf(`"%d"`, iat+900), fmt.Sprintf("%d.0", iat+900), "1.8e9", "0", "-1", "null", "false",
		"9223372036854775807", "9223372036854775808", "1e300", "[]", fmt.Sprint(iat), fmt.Sprint(iat-1),
		fmt.Sprint(now.Add(token.MaxLifetime+time.Second).Unix()))
	set("nbf", fmt.Sprint(iat), fmt.Sprint(iat+3600), `"x"`, "null")
	set("aud", `["audience"]`, `["audience","other"]`, `["other","audience"]`, `"other"`, `""`, `"Audience"`, `"audience "`, `"audience\u0000"`, "null", "1", "{}", "[]",
		`"\u0061udience"`)
	set("iss", `"other"`, `""`, `"ISSUER"`, `"issuer/"`, `["issuer"]`, "null", "1", `"i\u0073suer"`)
	set("sub", `""`, `"1"`, "1", `"admin"`, `"ada@example.org"`, "null", `["`+string(other)+`"]`, `"`+strings.ToUpper(string(other))+`"`,
		`"{`+string(other)+`}"`, `"urn:uuid:`+string(other)+`"`, `"`+strings.ReplaceAll(string(other), "-", "")+`"`, `"`+string(other)+`\u0000"`, `" `+string(other)+`"`)
	set("sid", `""`, `"1"`, "1", "null", `"`+strings.ToUpper(string(other))+`"`)
	set("jti", `""`, `"1"`, "1", "null", `"`+strings.ToUpper(string(other))+`"`)
	set("role", `"king"`, `"ADMIN"`, `"Admin"`, `"admin "`, `["admin"]`, `""`, "null", "true", `{"admin":true}`)
	for _, name := range []string{"iss", "aud", "sub", "sid", "role", "iat", "exp", "jti"} {
		cases["without "+name] = with(t, f.claims, name, "")
		cases[name+" in upper case"] = strings.Replace(f.claims, `"`+name+`"`, `"`+strings.ToUpper(name)+`"`, 1)
		cases[name+" also in upper case"] = with(t, f.claims, strings.ToUpper(name), `"admin"`)
	}
	maps.Copy(cases, map[string]string{
		"an unknown member": with(t, f.claims, "scope", `"admin"`), "an unused claim of RFC 7519": with(t, f.claims, "nbf", "0"),
		"sub twice, the last is another's":  strings.Replace(f.claims, "}", `,"sub":"`+string(other)+`"}`, 1),
		"sub twice, the first is another's": strings.Replace(f.claims, "{", `{"sub":"`+string(other)+`",`, 1),
		"role twice":                        strings.Replace(f.claims, "}", `,"role":"admin"}`, 1), "exp twice": strings.Replace(f.claims, "}", `,"exp":9999999999}`, 1),
		"role twice, escaped": strings.Replace(f.claims, "}", `,"rol\u0065":"admin"}`, 1), "the long s of Unicode": strings.Replace(f.claims, `"sub"`, `"ſub"`, 1),
		"deep nesting":   with(t, f.claims, "x", strings.Repeat("[", 900)+strings.Repeat("]", 900)),
		"deeper nesting": strings.Repeat(`{"a":`, 400) + "1" + strings.Repeat("}", 400),
		"a list":         "[" + f.claims + "]", "null": "null", "nothing": "", "a string": `"x"`, "a number": "1", "an empty object": "{}",
		"two objects": f.claims + f.claims, "a missing brace": f.claims[:len(f.claims)-1], "a line break at the end": f.claims + "\n",
		"a space": strings.Replace(f.claims, ",", ", ", 1), "a comment": strings.Replace(f.claims, "{", "{/**/", 1), "a trailing comma": strings.Replace(f.claims, "}", ",}", 1),
		"a BOM": "\ufeff" + f.claims, "not UTF-8": strings.Replace(f.claims, "issuer", "issue\xff", 1), "an escaped letter": strings.Replace(f.claims, "issuer", `\u0069ssuer`, 1),
	})
	taken := 0
	for name, claims := range cases {
		raw := f.sign(t, f.header, claims)
		if f.naive(raw) {
			taken++
		}
		f.refused(t, name, raw)
	}
	if taken < len(cases)/2 {
		t.Errorf("the naive verifier accepts only %d of %d", taken, len(cases))
	}
	t.Logf("the naive verifier accepts %[2]d of %[1]d claim sets", len(cases), taken)
}

func TestVerify_Time(t *testing.T) {
	t.Parallel()
	keys := newFixture(t, "HS256", nil, keyring.Generate()).keys
	raw, err := keys.Sign(signin.Login{UserID: account.NewID(), ID: signin.NewID()}, account.User, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		at   time.Duration // after signing
		want error
	}{
		{"at once", 0, nil},
		{"a clock 30 s behind", -30 * time.Second, nil},
		{"a clock slightly more than 30 s behind", -30*time.Second - 1, token.ErrInvalid},
		{"a clock 31 s behind", -31 * time.Second, token.ErrInvalid},
		{"just before expiry", token.DefaultLifetime - time.Second, nil},
		{"within the leeway", token.DefaultLifetime + token.ExpiryLeeway - time.Second, nil},
		{"after the leeway", token.DefaultLifetime + token.ExpiryLeeway, token.ErrExpired},
	} {
		if _, err := keys.Verify(raw, now.Add(test.at)); !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
	}
	if longest := max(token.ExpiryLeeway, token.IssuedAtLeeway); longest > 30*time.Second {
		t.Errorf("leeway %v is longer than 30 s", longest)
	}
}
