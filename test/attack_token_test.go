package test_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/identity/token"
)

// tokenAttacks forge tokens and use those of other users. The tests of package token have
// hundreds of such forgeries, for every algorithm; here each class goes through the public
// API.
func tokenAttacks() []attack {
	const header, claims = "AccessTokenHeader", "AccessTokenClaims"
	return []attack{
		{name: "an access token without a signature (alg none)", without: header, run: forge(unsigned)},
		{name: "an access token with its own key (jwk, jku, x5c)", without: header, run: forge(bringsKey)},
		{name: "an access token with a kid that points to another key (path, SQL)", without: header, run: forge(misleads)},
		{name: "an access token signed with the public key (alg confusion)", without: header, run: confuse},
		{name: "an access token of another type or with extensions (typ, crit)", without: header, run: forge(otherHeader)},
		{name: "an access token that is expired, not yet valid or valid too long", without: claims, run: forge(otherTimes)},
		{name: "an access token of another issuer or for another audience", without: claims, run: forge(otherParties)},
		{name: "an access token with duplicate members", without: claims, run: forge(duplicates)},
		{name: "an access token of 20 KB", without: claims, run: forge(huge)},
		{name: "a refresh token as an access token, and vice versa", without: "TokenKind", run: swapKinds},
		{name: "a forged refresh token", without: "RefreshTokenMAC", run: forgeRefresh},
		{name: "a stolen refresh token that is used before its owner's", without: "RefreshTokenReuse",
			settings: []string{"REFRESH_TOKEN_GRACE_SECONDS=0"}, run: replayRefresh},
		{name: "a used refresh token that signs its owner out everywhere", without: "RefreshTokenReuse",
			settings: []string{"REFRESH_TOKEN_GRACE_SECONDS=0"}, run: replayLogout},
	}
}

// A forger has a valid token and, for most attempts, the real key.
type forger struct {
	header, claims string // of the valid token
	key            []byte
}

// forgeries maps what is wrong with a forged token to the token.
type forgeries map[string]string

// forge returns an attack with the forgeries that make creates from a user's token.
func forge(make func(f forger) forgeries) func(a *assault) {
	return func(a *assault) {
		p := a.person()
		f := forger{segment(a.T, p.access, 0), segment(a.T, p.access, 1), []byte(a.secret)}
		if good := f.sign(f.header, f.claims); good != p.access {
			a.Fatalf("the forger lacks the key: got %s, want %s", good, p.access)
		}
		for name, raw := range make(f) {
			got := a.newVisitor().do("GET", "/api/users/me", "", "Authorization: Bearer "+raw)
			a.attempt(got.status != http.StatusUnauthorized, "%s: %d", name, got.status)
		}
	}
}

func segment(t *testing.T, raw string, n int) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[n])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sign returns header and claims, whatever they contain, signed with the right key.
func (f forger) sign(header, claims string) string { return signed(header, claims, f.key) }

func signed(header, claims string, key []byte) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// with returns a one-level JSON object with the value of one member replaced.
func with(object, name, value string) string {
	member := regexp.MustCompile(`"` + name + `":("[^"]*"|\d+)`)
	if !member.MatchString(object) {
		return strings.Replace(object, "{", fmt.Sprintf("{%q:%s,", name, value), 1)
	}
	return member.ReplaceAllLiteralString(object, fmt.Sprintf("%q:%s", name, value))
}

func unsigned(f forger) forgeries {
	all := forgeries{}
	for _, alg := range []string{"none", "None", "NONE", "nOnE"} {
		text := signed(with(f.header, "alg", `"`+alg+`"`), f.claims, nil)
		all[alg] = text[:strings.LastIndexByte(text, '.')+1]
		all[alg+" with a signature"] = f.sign(with(f.header, "alg", `"`+alg+`"`), f.claims)
	}
	all["our header"] = f.sign(f.header, f.claims)[:len(f.sign(f.header, f.claims))-43]
	return all
}

func bringsKey(f forger) forgeries {
	own := []byte("a key that the forger made himself")
	text := base64.RawURLEncoding.EncodeToString(own)
	return forgeries{
		"jwk":      signed(with(f.header, "jwk", fmt.Sprintf(`{"kty":"oct","k":%q}`, text)), f.claims, own),
		"jwk, kid": signed(with(with(f.header, "jwk", fmt.Sprintf(`{"kty":"oct","kid":"x","k":%q}`, text)), "kid", `"x"`), f.claims, own),
		"jku":      signed(with(f.header, "jku", `"https://evil.example.com/jwks.json"`), f.claims, own),
		"x5u":      signed(with(f.header, "x5u", `"https://evil.example.com/chain.pem"`), f.claims, own),
		"x5c":      signed(with(f.header, "x5c", `["MIIB"]`), f.claims, own),
	}
}

func misleads(f forger) forgeries {
	all := forgeries{}
	for _, kid := range []string{
		"/dev/null", "/../../../../dev/null", "../../../../../../dev/null", "/proc/sys/kernel/ostype",
		"x' UNION SELECT '' -- ", "file:///dev/null", "https://evil.example.com/key", "|cat /dev/null", "",
	} {
		for name, key := range map[string][]byte{"nothing": nil, "a file's content": []byte("Linux\n")} {
			all[kid+" under "+name] = signed(with(f.header, "kid", fmt.Sprintf("%q", kid)), f.claims, key)
		}
	}
	return all
}

func otherHeader(f forger) forgeries {
	all := forgeries{"alg twice": f.sign(strings.Replace(f.header, "{", `{"alg":"none",`, 1), f.claims)}
	for name, value := range map[string]string{
		"typ": `"JWT"`, "crit": `["exp"]`, "b64": `false`, "zip": `"DEF"`, "cty": `"JWT"`, "enc": `"A256GCM"`, "x": `"y"`,
	} {
		all[name] = f.sign(with(f.header, name, value), f.claims)
	}
	for _, typ := range []string{"id+jwt", "rt+jwt", "logout+jwt", "application/at+jwt", ""} {
		all["typ "+typ] = f.sign(with(f.header, "typ", fmt.Sprintf("%q", typ)), f.claims)
	}
	return all
}

func otherTimes(f forger) forgeries {
	at := func(issued, expires time.Duration) string {
		now := time.Now()
		claims := with(f.claims, "iat", fmt.Sprint(now.Add(issued).Unix()))
		return f.sign(f.header, with(claims, "exp", fmt.Sprint(now.Add(expires).Unix())))
	}
	return forgeries{
		"over since a minute":   at(-16*time.Minute, -time.Minute),
		"over since 15 seconds": at(-15*time.Minute-15*time.Second, -15*time.Second),
		"issued in the future":  at(time.Minute, 16*time.Minute),
		"issued in 35 seconds":  at(35*time.Second, 15*time.Minute),
		"good for ten years":    at(0, 87600*time.Hour),
		"over before it began":  at(0, -time.Hour),
		"never over":            f.sign(f.header, with(f.claims, "exp", "9223372036854775807")),
		"issued before 1970":    f.sign(f.header, with(f.claims, "iat", "0")),
	}
}

func otherParties(f forger) forgeries {
	all := forgeries{}
	for _, claim := range []string{"iss", "aud"} {
		for _, value := range []string{`"other"`, `""`, `"VoiceAssist"`, `"voiceassist "`, `["voiceassist","other"]`} {
			all[claim+" "+value] = f.sign(f.header, with(f.claims, claim, value))
		}
	}
	return all
}

func duplicates(f forger) forgeries {
	return forgeries{
		"the role":                     f.sign(f.header, strings.Replace(f.claims, "{", `{"role":"admin",`, 1)),
		"the role, the other way":      f.sign(f.header, strings.TrimSuffix(f.claims, "}")+`,"role":"admin"}`),
		"the role, in capitals":        f.sign(f.header, strings.TrimSuffix(f.claims, "}")+`,"ROLE":"admin"}`),
		"the expiry":                   f.sign(f.header, strings.Replace(f.claims, "{", `{"exp":99999999999,`, 1)),
		"a claim that nobody knows":    f.sign(f.header, strings.TrimSuffix(f.claims, "}")+`,"scope":"admin"}`),
		"the issuer, escaped":          f.sign(f.header, strings.Replace(f.claims, `"iss"`, `"\u0069ss"`, 1)),
		"spaces between":               f.sign(f.header, strings.ReplaceAll(f.claims, `,"`, `, "`)),
		"the role, in another writing": f.sign(f.header, strings.Replace(f.claims, `"user"`, `"\u0075ser"`, 1)),
	}
}

func huge(f forger) forgeries {
	return forgeries{"padded": f.sign(f.header, strings.TrimSuffix(f.claims, "}")+`,"pad":"`+strings.Repeat("x", 15<<10)+`"}`)}
}

// confuse signs with the public key, which anyone can get, as an HMAC key.
func confuse(a *assault) {
	key, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	private, err2 := x509.MarshalPKCS8PrivateKey(key)
	public, err3 := x509.MarshalPKIXPublicKey(key.Public())
	file := filepath.Join(a.TempDir(), "key.pem")
	err4 := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		a.Fatal(err)
	}
	a.start("JWT_ALGORITHM=ES256", "JWT_PRIVATE_KEY_FILE="+file)
	p := a.person()
	header, claims := segment(a.T, p.access, 0), segment(a.T, p.access, 1)
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	keys := a.newVisitor().do("GET", "/.well-known/jwks.json", "").body
	for name, secret := range map[string][]byte{
		"PEM": text, "PEM without its last line break": text[:len(text)-1], "DER": public,
		"the key set": []byte(keys), "nothing": nil,
	} {
		for _, alg := range []string{"HS256", "ES256"} {
			raw := signed(with(header, "alg", `"`+alg+`"`), claims, secret)
			got := a.newVisitor().do("GET", "/api/users/me", "", "Authorization: Bearer "+raw)
			a.attempt(got.status != http.StatusUnauthorized, "%s under %s: %d", alg, name, got.status)
		}
	}
}

// swapKinds presents each kind of token where the other is expected.
func swapKinds(a *assault) {
	p := a.person()
	got := p.do("GET", "/api/users/me", "", "Authorization: Bearer "+p.refresh)
	a.attempt(got.status != http.StatusUnauthorized, "a refresh token opens the account: %d", got.status)
	for where, got := range map[string]answer{
		"in the body":     p.do("POST", "/api/auth/refresh", `{"refresh_token":"`+p.access+`"}`),
		"in the cookie":   p.do("POST", "/api/auth/refresh", "", "Cookie: "+token.RefreshCookie+"="+p.access),
		"in both headers": p.do("POST", "/api/auth/refresh", "", p.bearer()),
	} {
		a.attempt(got.ok(), "an access token %s refreshes: %d", where, got.status)
	}
}

// forgeRefresh changes the login, the counter or the MAC of its own refresh token.
func forgeRefresh(a *assault) {
	p := a.person()
	raw, err := base64.RawURLEncoding.DecodeString(p.refresh)
	if err != nil {
		a.Fatal(err)
	}
	for _, bit := range []int{8*28 + 1, 8*59 + 7, 8*44 + 3, 8*28 - 1, 8*19 + 2, 8 * 3} {
		forged := append([]byte{}, raw...)
		forged[bit/8] ^= 0x80 >> (bit % 8)
		got := p.do("POST", "/api/auth/refresh", `{"refresh_token":"`+base64.RawURLEncoding.EncodeToString(forged)+`"}`)
		a.attempt(got.ok(), "bit %d turned: %d", bit, got.status)
	}
	got := p.do("GET", "/api/users/me", "", p.bearer())
	a.attempt(!got.ok(), "forged tokens ended somebody's login: %d", got.status)
}

// replayRefresh steals a refresh token and uses it before its owner does. When the owner
// presents it, too, the gateway cannot tell the two apart, so the login ends.
func replayRefresh(a *assault) {
	refresh := func(c visitor, raw string) answer {
		return c.do("POST", "/api/auth/refresh", `{"refresh_token":"`+raw+`"}`)
	}
	p, thief := a.person(), a.newVisitor()
	stolen := p.refresh
	won := refresh(thief, stolen)
	if !won.ok() {
		a.Fatalf("refresh: %d %s", won.status, won.body)
	}
	again := refresh(p.visitor, stolen)
	a.attempt(again.ok(), "a token is good twice")
	next := refresh(thief, won.get("refresh_token"))
	a.attempt(next.ok(), "the thief's next token is good after the owner came with the stolen one")
	me := thief.do("GET", "/api/users/me", "", "Authorization: Bearer "+won.get("access_token"))
	a.attempt(me.ok(), "so is the access token")
	for _, raw := range []string{stolen, won.get("refresh_token")} {
		a.attempt(refresh(thief, raw).ok(), "one of them is good later")
	}
}

// replayLogout steals a refresh token of a user who has two logins and has refreshed
// since. It may end the login that the token belongs to, but not the other.
func replayLogout(a *assault) {
	for generations := 1; generations <= 3; generations++ {
		p := a.person()
		stolen, current := p.refresh, p.refresh
		for range generations {
			got := p.do("POST", "/api/auth/refresh", `{"refresh_token":"`+current+`"}`)
			if current = got.get("refresh_token"); current == "" {
				a.Fatalf("refresh: %d %s", got.status, got.body)
			}
		}
		p.login(plain)
		got := a.newVisitor().do("POST", "/api/auth/logout?all=true", `{"refresh_token":"`+stolen+`"}`)
		me := p.do("GET", "/api/users/me", "", p.bearer())
		a.attempt(!me.ok(), "a token of %d generations before answers %d and ends the other login, too", generations, got.status)
	}
}
