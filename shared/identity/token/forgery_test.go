package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
)

// TestForgery_Header tries every header that differs from the gateway's. Each is signed with
// the right key, and the naive verifier accepts it.
func TestForgery_Header(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures(t) {
		f.accepted(t)
		alg := fmt.Sprintf("%q", f.algorithm)
		kid := strings.Split(f.header, `"`)[7]
		for name, header := range map[string]string{
			"typ JWT":                       with(t, f.header, "typ", `"JWT"`),
			"typ of an id token":            with(t, f.header, "typ", `"id+jwt"`),
			"typ of a refresh token":        with(t, f.header, "typ", `"rt+jwt"`),
			"typ of a logout token":         with(t, f.header, "typ", `"logout+jwt"`),
			"typ with its long name":        with(t, f.header, "typ", `"application/at+jwt"`),
			"typ in upper case":             with(t, f.header, "typ", `"AT+JWT"`),
			"typ a list":                    with(t, f.header, "typ", `["at+jwt"]`),
			"no typ":                        with(t, f.header, "typ", ""),
			"no kid":                        with(t, f.header, "kid", ""),
			"kid unknown":                   with(t, f.header, "kid", `"00000000"`),
			"kid empty":                     with(t, f.header, "kid", `""`),
			"kid a path":                    with(t, f.header, "kid", `"../../../../dev/null"`),
			"kid a file":                    with(t, f.header, "kid", `"/proc/sys/kernel/randomize_va_space"`),
			"kid SQL":                       with(t, f.header, "kid", `"x' UNION SELECT 'secret' -- "`),
			"kid a command":                 with(t, f.header, "kid", `"key.pem|whoami"`),
			"kid LDAP":                      with(t, f.header, "kid", `"*)(uid=*"`),
			"kid a URL":                     with(t, f.header, "kid", `"https://evil.example.com/key"`),
			"kid a list":                    with(t, f.header, "kid", fmt.Sprintf(`[%q]`, kid)),
			"kid an object":                 with(t, f.header, "kid", `{"$ne":null}`),
			"kid a number":                  with(t, f.header, "kid", "1"),
			"kid null":                      with(t, f.header, "kid", "null"),
			"kid ends in NUL":               with(t, f.header, "kid", fmt.Sprintf(`"%s\u0000"`, kid)),
			"kid begins with a space":       with(t, f.header, "kid", fmt.Sprintf(`" %s"`, kid)),
			"kid escaped":                   with(t, f.header, "kid", fmt.Sprintf(`"\u00%02x%s"`, kid[0], kid[1:])),
			"crit with a known member":      with(t, f.header, "crit", `["exp"]`),
			"crit with an unknown member":   with(t, f.header, "crit", `["http://example.com/x"]`),
			"crit empty":                    with(t, f.header, "crit", `[]`),
			"b64 false":                     with(t, f.header, "b64", "false"),
			"b64 false, critical":           with(t, with(t, f.header, "b64", "false"), "crit", `["b64"]`),
			"b64 true":                      with(t, f.header, "b64", "true"),
			"jku":                           with(t, f.header, "jku", `"https://evil.example.com/jwks.json"`),
			"jku of the gateway":            with(t, f.header, "jku", `"https://gateway.example.org/.well-known/jwks.json"`),
			"x5u":                           with(t, f.header, "x5u", `"https://evil.example.com/chain.pem"`),
			"x5c":                           with(t, f.header, "x5c", `["MIIB"]`),
			"x5t":                           with(t, f.header, "x5t", `"AAAA"`),
			"jwk":                           with(t, f.header, "jwk", embedded(t, f)),
			"zip":                           with(t, f.header, "zip", `"DEF"`),
			"cty of a nested token":         with(t, f.header, "cty", `"JWT"`),
			"enc":                           with(t, f.header, "enc", `"A256GCM"`),
			"nonce":                         with(t, f.header, "nonce", `"x"`),
			"alg twice, the right one last": strings.Replace(f.header, "{", `{"alg":"none",`, 1),
			"kid twice, the right one last": strings.Replace(f.header, "{", `{"kid":"x",`, 1),
			"typ twice, the right one last": strings.Replace(f.header, "{", `{"typ":"JWT",`, 1),
			"a second member in upper case": strings.Replace(f.header, "{", `{"ALG":"none",`, 1),
			"a space":                       strings.Replace(f.header, ":", ": ", 1),
			"a line break":                  f.header + "\n",
			"another order":                 fmt.Sprintf(`{"typ":"at+jwt","alg":%s,"kid":%q}`, alg, kid),
			"deep nesting":                  with(t, f.header, "x", strings.Repeat("[", 900)+strings.Repeat("]", 900)),
		} {
			raw := f.sign(t, header, f.claims)
			if !f.naive(raw) {
				t.Errorf("%s, %s: even the naive verifier rejects it, so the case proves nothing", f.algorithm, name)
			}
			f.refused(t, name, raw)
		}
		for name, header := range map[string]string{
			"no alg": with(t, f.header, "alg", ""), "alg null": with(t, f.header, "alg", "null"),
			"alg a list": with(t, f.header, "alg", "["+alg+"]"), "alg a number": with(t, f.header, "alg", "256"),
			"alg with a space":  with(t, f.header, "alg", fmt.Sprintf(`"%s "`, f.algorithm)),
			"alg in lower case": with(t, f.header, "alg", strings.ToLower(alg)),
			"a BOM":             "\ufeff" + f.header, "a list": "[" + f.header + "]", "two headers": f.header + f.header,
			"null": "null", "an empty header": "", "a string": `"x"`, "not UTF-8": "{\"alg\":\"\xff\"}",
		} {
			f.refused(t, name, f.sign(t, header, f.claims))
		}
	}
}

// embedded returns the key that verifies the fixture's tokens, as a JWK.
func embedded(t *testing.T, f *fixture) string {
	t.Helper()
	if f.private == nil {
		return fmt.Sprintf(`{"kty":"oct","k":%q}`, b64.EncodeToString(f.secret))
	}
	return strings.TrimSuffix(strings.TrimPrefix(string(f.keys.JWKS()), `{"keys":[`), `]}`)
}

// TestForgery_None tries the algorithm "none" in all spellings, with and without a signature.
// The naive verifier reads the algorithm from the token.
func TestForgery_None(t *testing.T) {
	t.Parallel()
	careless := func(raw string) bool {
		p := jwt.NewParser(jwt.WithoutClaimsValidation())
		_, err := p.Parse(raw, func(*jwt.Token) (any, error) { return jwt.UnsafeAllowNoneSignatureType, nil })
		return err == nil
	}
	for _, f := range fixtures(t) {
		for n := range 1 << len("none") {
			spelling := []byte("none")
			for i := range spelling {
				if n>>i&1 == 1 {
					spelling[i] -= 'a' - 'A'
				}
			}
			header := with(t, f.header, "alg", fmt.Sprintf("%q", spelling))
			unsigned := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(f.claims))
			if n == 0 && !careless(unsigned+".") {
				t.Error("the token under test is not unsigned")
			}
			f.refused(t, "unsigned, "+string(spelling), unsigned+".")
			f.refused(t, "no dot, "+string(spelling), unsigned)
			f.refused(t, "signed, "+string(spelling), f.signText(t, unsigned))
		}
		for _, other := range []string{"", " ", "none ", " none", "none\\u0000", "n\\u006fne", "null", "undefined", "HS", "*"} {
			header := with(t, f.header, "alg", `"`+other+`"`)
			f.refused(t, "alg "+other, b64.EncodeToString([]byte(header))+"."+b64.EncodeToString([]byte(f.claims))+".")
		}
		f.refused(t, "the right header, unsigned", f.good[:strings.LastIndexByte(f.good, '.')+1])
	}
}

// TestForgery_Confusion uses the public key, which anyone can get, as an HMAC key, in each
// form in which code might hold it, and each algorithm in place of every other.
func TestForgery_Confusion(t *testing.T) {
	t.Parallel()
	for algorithm, f := range fixtures(t) {
		for _, other := range []string{"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA"} {
			if other != algorithm {
				f.refused(t, "alg "+other, f.sign(t, with(t, f.header, "alg", fmt.Sprintf("%q", other)), f.claims))
			}
		}
		if f.private == nil {
			continue
		}
		pkix, err := x509.MarshalPKIXPublicKey(f.private.Public())
		if err != nil {
			t.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix})
		for name, key := range map[string][]byte{
			"DER": pkix, "PEM": text, "PEM without its final newline": text[:len(text)-1],
			"PEM with CRLF line breaks": []byte(strings.ReplaceAll(string(text), "\n", "\r\n")),
			"base64":                    []byte(base64.StdEncoding.EncodeToString(pkix)),
			"JWK":                       []byte(embedded(t, f)), "JWKS": f.keys.JWKS(), "nothing": nil,
		} {
			for _, alg := range []string{"HS256", algorithm} {
				signed := b64.EncodeToString([]byte(with(t, f.header, "alg", fmt.Sprintf("%q", alg)))) + "." + b64.EncodeToString([]byte(f.claims))
				raw := signed + "." + b64.EncodeToString(mac(key, signed))
				_, careless := jwt.NewParser(jwt.WithoutClaimsValidation()).Parse(raw, func(*jwt.Token) (any, error) { return key, nil })
				if alg == "HS256" && careless != nil {
					t.Errorf("%s: the naive verifier rejects it: %v", name, careless)
				}
				f.refused(t, alg+" with the public key as "+name, raw)
			}
		}
	}
}

// TestForgery_AnotherKey tries tokens signed with keys that are not the gateway's, and
// with weak ones.
func TestForgery_AnotherKey(t *testing.T) {
	t.Parallel()
	all, others := fixtures(t), fixtures(t)
	for algorithm, f := range all {
		other := others[algorithm]
		f.refused(t, "of another gateway", other.good)
		f.refused(t, "the gateway's kid, signed with another key", other.sign(t, f.header, f.claims))
		f.refused(t, "another kid, signed with the gateway's key", f.sign(t, other.header, f.claims))
		for _, key := range [][]byte{nil, {0}, make([]byte, 32), make([]byte, 64), []byte("secret")} {
			text := f.good[:strings.LastIndexByte(f.good, '.')]
			f.refused(t, "a weak HMAC key", text+"."+b64.EncodeToString(mac(key, text)))
		}
	}
	secret := keyring.Generate()
	r, err := keyring.New(secret)
	if err != nil {
		t.Fatal(err)
	}
	codec := signin.NewCodec(r.Derive(signin.Purpose))
	newFixture(t, "HS256", nil, secret).refused(t, "a refresh token", codec.Encode(signin.NewID(), 1).Reveal())
}

// TestForgery_Signature changes what follows the last dot.
func TestForgery_Signature(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures(t) {
		dot := strings.LastIndexByte(f.good, '.')
		text, encoded := f.good[:dot], f.good[dot+1:]
		signature, err := b64.DecodeString(encoded)
		if err != nil {
			t.Fatal(err)
		}
		try := func(name string, changed []byte) {
			t.Helper()
			f.refused(t, name, text+"."+b64.EncodeToString(changed))
		}
		for bit := range 8 * len(signature) {
			try(fmt.Sprintf("bit %d flipped", bit), flip(signature, bit))
		}
		for n := range signature {
			try(fmt.Sprintf("truncated to %d bytes", n), signature[:n])
		}
		try("a byte appended", append(slices.Clip(signature), 0))
		try("a zero prepended", append([]byte{0}, signature...))
		try("twice", append(slices.Clip(signature), signature...))
		try("all zeros", make([]byte, len(signature)))
		try("all ones", []byte(strings.Repeat("\xff", len(signature))))
		for name, spelling := range map[string]string{
			"padded": encoded + "=", "padded twice": encoded + "==", "a line break": encoded + "\n", "a carriage return within": encoded[:9] + "\r" + encoded[9:],
			"a space": encoded + " ", "a tab within": encoded[:9] + "\t" + encoded[9:], "a NUL": encoded + "\x00",
			"a dot": encoded + ".", "the alphabet of base64": strings.NewReplacer("-", "+", "_", "/").Replace(encoded) + "+",
			"a percent escape": "%" + fmt.Sprintf("%x", encoded[0]) + encoded[1:], "a letter that folds to ASCII": encoded + "ſ",
		} {
			f.refused(t, name, text+"."+spelling)
		}
	}
}

// TestForgery_NonCanonicalEncoding flips the bits that base64 does not use in the last
// character of a part. Two spellings of one token would bypass any list of revoked tokens.
func TestForgery_NonCanonicalEncoding(t *testing.T) {
	t.Parallel()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	tried := 0
	for _, f := range fixtures(t) {
		for n, part := range strings.Split(f.good, ".") {
			unused := map[int]int{2: 16, 3: 4}[len(part)%4] // the number of spellings
			last := strings.IndexByte(alphabet, part[len(part)-1])
			for i := 1; i < unused; i++ {
				parts := strings.Split(f.good, ".")
				parts[n] = part[:len(part)-1] + string(alphabet[last^i])
				raw := strings.Join(parts, ".")
				if n < 2 { // the signature covers this spelling
					raw = f.signText(t, strings.Join(parts[:2], "."))
				}
				f.refused(t, fmt.Sprintf("a second spelling of part %d", n), raw)
				tried++
			}
		}
	}
	if tried == 0 {
		t.Error("no part has unused bits, so the test tried nothing")
	}
}

// TestForgery_ECDSA tries forgeries that only ECDSA allows.
func TestForgery_ECDSA(t *testing.T) {
	t.Parallel()
	key, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	wrong, err2 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, "ES256", key)
	text := f.good[:strings.LastIndexByte(f.good, '.')]
	order := elliptic.P256().Params().N
	pair := func(r, s *big.Int) []byte {
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
	zero, one := new(big.Int), big.NewInt(1)
	for _, r := range []*big.Int{zero, one, new(big.Int).Sub(order, one), order} {
		for _, s := range []*big.Int{zero, one, new(big.Int).Sub(order, one), order} {
			f.refused(t, fmt.Sprintf("psychic signature: r = %v, s = %v", r, s), text+"."+b64.EncodeToString(pair(r, s)))
		}
	}
	f.refused(t, "DER", text+"."+b64.EncodeToString(der(t, key, text)))
	sum := sha512.Sum384([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, wrong, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	f.refused(t, "a signature on another curve", text+"."+b64.EncodeToString(append(r.FillBytes(make([]byte, 48)), s.FillBytes(make([]byte, 48))...)))
}

// TestForgery_RSA tries forgeries that only RSA allows: signatures that pass its bare
// arithmetic (Bleichenbacher 2006).
func TestForgery_RSA(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "RS256", signers(t)["RS256"])
	text := f.good[:strings.LastIndexByte(f.good, '.')]
	size := modulus(f.private)
	for name, n := range map[string]*big.Int{"zero": new(big.Int), "one": big.NewInt(1)} {
		f.refused(t, "the number "+name, text+"."+b64.EncodeToString(n.FillBytes(make([]byte, size))))
	}
	pss, err := jwt.GetSigningMethod("PS256").Sign(text, f.private)
	if err != nil {
		t.Fatal(err)
	}
	longer, err := jwt.GetSigningMethod("RS512").Sign(text, f.private)
	if err != nil {
		t.Fatal(err)
	}
	f.refused(t, "PSS", text+"."+b64.EncodeToString(pss))
	f.refused(t, "SHA-512", text+"."+b64.EncodeToString(longer))
}

// TestForgery_Form tries tokens that are not a compact JWS of three parts.
func TestForgery_Form(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures(t) {
		part := strings.Split(f.good, ".")
		flat, err := json.Marshal(map[string]string{"protected": part[0], "payload": part[1], "signature": part[2]})
		if err != nil {
			t.Fatal(err)
		}
		general := fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`, part[1], part[0], part[2])
		nested := f.sign(t, f.header, f.good)
		for name, raw := range map[string]string{
			"an empty token": "", "a dot": ".", "two dots": "..", "four dots": "....", "one part": part[0], "two parts": part[0] + "." + part[1],
			"four parts": f.good + ".x", "an empty fourth part": f.good + ".", "JWE with five parts": f.good + ".AAAA.AAAA",
			"an empty first part": "." + f.good, "no header": "." + part[1] + "." + part[2], "no payload": part[0] + ".." + part[2],
			"flattened JSON serialization": string(flat), "general JSON serialization": general, "in quotes": `"` + f.good + `"`,
			"a detached payload": f.signText(t, part[0]+"."), "a nested token": nested, "a nested token with cty": f.sign(t, with(t, f.header, "cty", `"JWT"`), f.good),
			"Bearer before it": "Bearer " + f.good, "a space before it": " " + f.good, "a space after it": f.good + " ", "a line break after it": f.good + "\n",
			"a line break before it": "\n" + f.good, "two of them": f.good + "," + f.good, "a NUL after it": f.good + "\x00", "a BOM before it": "\ufeff" + f.good,
			"full-width dots":               strings.ReplaceAll(f.good, ".", "．"),
			"a payload that is not encoded": f.signText(t, part[0]+"."+f.claims),
			"a payload with line breaks":    f.signText(t, part[0]+"."+part[1][:40]+"\n"+part[1][40:]),
			"a payload with padding":        f.signText(t, part[0]+"."+part[1]+strings.Repeat("=", (4-len(part[1])%4)%4)+"="),
			"a huge token":                  f.sign(t, f.header, with(t, f.claims, "x", `"`+strings.Repeat("x", 5000)+`"`)),
			"a megabyte":                    strings.Repeat("A", 1<<20), "a megabyte of dots": strings.Repeat(".", 1<<20),
			"a huge signature": part[0] + "." + part[1] + "." + strings.Repeat("A", 4000),
		} {
			f.refused(t, name, raw)
		}
	}
}

func TestForgery_AfterARotation(t *testing.T) {
	t.Parallel()
	old, fresh := keyring.Generate(), keyring.Generate()
	was, is := newFixture(t, "HS256", nil, old), newFixture(t, "HS256", nil, fresh, old)
	if _, err := is.keys.Verify(was.good, now); err != nil {
		t.Errorf("the token of the previous secret is rejected: %v", err)
	}
	if _, err := was.keys.Verify(is.good, now); err == nil {
		t.Error("new tokens are signed with the previous secret")
	}
	is.refused(t, "the header of the previous key, signed with the current one", is.sign(t, was.header, is.claims))
	is.refused(t, "the header of the current key, signed with the previous one", was.sign(t, is.header, is.claims))
	if _, err := was.keys.Sign(signin.Login{UserID: account.NewID(), ID: signin.NewID()}, account.User, now); err != nil {
		t.Error(err)
	}
}
