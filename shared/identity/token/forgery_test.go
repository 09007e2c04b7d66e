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
	for _, w := range worlds(t) {
		w.accepted(t)
		alg := fmt.Sprintf("%q", w.algorithm)
		kid := strings.Split(w.header, `"`)[7]
		for name, header := range map[string]string{
			"typ JWT":                       with(t, w.header, "typ", `"JWT"`),
			"typ of an id token":            with(t, w.header, "typ", `"id+jwt"`),
			"typ of a refresh token":        with(t, w.header, "typ", `"rt+jwt"`),
			"typ of a logout token":         with(t, w.header, "typ", `"logout+jwt"`),
			"typ with its long name":        with(t, w.header, "typ", `"application/at+jwt"`),
			"typ in upper case":             with(t, w.header, "typ", `"AT+JWT"`),
			"typ a list":                    with(t, w.header, "typ", `["at+jwt"]`),
			"no typ":                        with(t, w.header, "typ", ""),
			"no kid":                        with(t, w.header, "kid", ""),
			"kid unknown":                   with(t, w.header, "kid", `"00000000"`),
			"kid empty":                     with(t, w.header, "kid", `""`),
			"kid a path":                    with(t, w.header, "kid", `"../../../../dev/null"`),
			"kid a file":                    with(t, w.header, "kid", `"/proc/sys/kernel/randomize_va_space"`),
			"kid SQL":                       with(t, w.header, "kid", `"x' UNION SELECT 'secret' -- "`),
			"kid a command":                 with(t, w.header, "kid", `"key.pem|whoami"`),
			"kid LDAP":                      with(t, w.header, "kid", `"*)(uid=*"`),
			"kid a URL":                     with(t, w.header, "kid", `"https://evil.example.com/key"`),
			"kid a list":                    with(t, w.header, "kid", fmt.Sprintf(`[%q]`, kid)),
			"kid an object":                 with(t, w.header, "kid", `{"$ne":null}`),
			"kid a number":                  with(t, w.header, "kid", "1"),
			"kid null":                      with(t, w.header, "kid", "null"),
			"kid ends in NUL":               with(t, w.header, "kid", fmt.Sprintf(`"%s\u0000"`, kid)),
			"kid begins with a space":       with(t, w.header, "kid", fmt.Sprintf(`" %s"`, kid)),
			"kid escaped":                   with(t, w.header, "kid", fmt.Sprintf(`"\u00%02x%s"`, kid[0], kid[1:])),
			"crit with a known member":      with(t, w.header, "crit", `["exp"]`),
			"crit with an unknown member":   with(t, w.header, "crit", `["http://example.com/x"]`),
			"crit empty":                    with(t, w.header, "crit", `[]`),
			"b64 false":                     with(t, w.header, "b64", "false"),
			"b64 false, critical":           with(t, with(t, w.header, "b64", "false"), "crit", `["b64"]`),
			"b64 true":                      with(t, w.header, "b64", "true"),
			"jku":                           with(t, w.header, "jku", `"https://evil.example.com/jwks.json"`),
			"jku of the gateway":            with(t, w.header, "jku", `"https://gateway.example.org/.well-known/jwks.json"`),
			"x5u":                           with(t, w.header, "x5u", `"https://evil.example.com/chain.pem"`),
			"x5c":                           with(t, w.header, "x5c", `["MIIB"]`),
			"x5t":                           with(t, w.header, "x5t", `"AAAA"`),
			"jwk":                           with(t, w.header, "jwk", embedded(t, w)),
			"zip":                           with(t, w.header, "zip", `"DEF"`),
			"cty of a nested token":         with(t, w.header, "cty", `"JWT"`),
			"enc":                           with(t, w.header, "enc", `"A256GCM"`),
			"nonce":                         with(t, w.header, "nonce", `"x"`),
			"alg twice, the right one last": strings.Replace(w.header, "{", `{"alg":"none",`, 1),
			"kid twice, the right one last": strings.Replace(w.header, "{", `{"kid":"x",`, 1),
			"typ twice, the right one last": strings.Replace(w.header, "{", `{"typ":"JWT",`, 1),
			"a second member in upper case": strings.Replace(w.header, "{", `{"ALG":"none",`, 1),
			"a space":                       strings.Replace(w.header, ":", ": ", 1),
			"a line break":                  w.header + "\n",
			"another order":                 fmt.Sprintf(`{"typ":"at+jwt","alg":%s,"kid":%q}`, alg, kid),
			"deep nesting":                  with(t, w.header, "x", strings.Repeat("[", 900)+strings.Repeat("]", 900)),
		} {
			raw := w.sign(t, header, w.claims)
			if !w.naive(raw) {
				t.Errorf("%s, %s: even the naive verifier rejects it, so the case proves nothing", w.algorithm, name)
			}
			w.refused(t, name, raw)
		}
		for name, header := range map[string]string{
			"no alg": with(t, w.header, "alg", ""), "alg null": with(t, w.header, "alg", "null"),
			"alg a list": with(t, w.header, "alg", "["+alg+"]"), "alg a number": with(t, w.header, "alg", "256"),
			"alg with a space":  with(t, w.header, "alg", fmt.Sprintf(`"%s "`, w.algorithm)),
			"alg in lower case": with(t, w.header, "alg", strings.ToLower(alg)),
			"a BOM":             "\ufeff" + w.header, "a list": "[" + w.header + "]", "two headers": w.header + w.header,
			"null": "null", "an empty header": "", "a string": `"x"`, "not UTF-8": "{\"alg\":\"\xff\"}",
		} {
			w.refused(t, name, w.sign(t, header, w.claims))
		}
	}
}

// embedded returns the key that verifies the world's tokens as a JWK.
func embedded(t *testing.T, w *world) string {
	t.Helper()
	if w.private == nil {
		return fmt.Sprintf(`{"kty":"oct","k":%q}`, b64.EncodeToString(w.secret))
	}
	return strings.TrimSuffix(strings.TrimPrefix(string(w.keys.JWKS()), `{"keys":[`), `]}`)
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
	for _, w := range worlds(t) {
		for n := range 1 << len("none") {
			spelling := []byte("none")
			for i := range spelling {
				if n>>i&1 == 1 {
					spelling[i] -= 'a' - 'A'
				}
			}
			header := with(t, w.header, "alg", fmt.Sprintf("%q", spelling))
			unsigned := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(w.claims))
			if n == 0 && !careless(unsigned+".") {
				t.Error("the token under test is not unsigned")
			}
			w.refused(t, "unsigned, "+string(spelling), unsigned+".")
			w.refused(t, "no dot, "+string(spelling), unsigned)
			w.refused(t, "signed, "+string(spelling), w.signText(t, unsigned))
		}
		for _, other := range []string{"", " ", "none ", " none", "none\\u0000", "n\\u006fne", "null", "undefined", "HS", "*"} {
			header := with(t, w.header, "alg", `"`+other+`"`)
			w.refused(t, "alg "+other, b64.EncodeToString([]byte(header))+"."+b64.EncodeToString([]byte(w.claims))+".")
		}
		w.refused(t, "the right header, unsigned", w.good[:strings.LastIndexByte(w.good, '.')+1])
	}
}

// TestForgery_Confusion uses the public key, which anyone can get, as an HMAC key, in each
// form in which code might hold it, and each algorithm in place of every other.
func TestForgery_Confusion(t *testing.T) {
	t.Parallel()
	for algorithm, w := range worlds(t) {
		for _, other := range []string{"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA"} {
			if other != algorithm {
				w.refused(t, "alg "+other, w.sign(t, with(t, w.header, "alg", fmt.Sprintf("%q", other)), w.claims))
			}
		}
		if w.private == nil {
			continue
		}
		pkix, err := x509.MarshalPKIXPublicKey(w.private.Public())
		if err != nil {
			t.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix})
		for name, key := range map[string][]byte{
			"DER": pkix, "PEM": text, "PEM without its final newline": text[:len(text)-1],
			"PEM with CRLF line breaks": []byte(strings.ReplaceAll(string(text), "\n", "\r\n")),
			"base64":                    []byte(base64.StdEncoding.EncodeToString(pkix)),
			"JWK":                       []byte(embedded(t, w)), "JWKS": w.keys.JWKS(), "nothing": nil,
		} {
			for _, alg := range []string{"HS256", algorithm} {
				signed := b64.EncodeToString([]byte(with(t, w.header, "alg", fmt.Sprintf("%q", alg)))) + "." + b64.EncodeToString([]byte(w.claims))
				raw := signed + "." + b64.EncodeToString(mac(key, signed))
				_, careless := jwt.NewParser(jwt.WithoutClaimsValidation()).Parse(raw, func(*jwt.Token) (any, error) { return key, nil })
				if alg == "HS256" && careless != nil {
					t.Errorf("%s: the naive verifier rejects it: %v", name, careless)
				}
				w.refused(t, alg+" with the public key as "+name, raw)
			}
		}
	}
}

// TestForgery_AnotherKey tries tokens signed with keys that are not the gateway's, and
// with weak ones.
func TestForgery_AnotherKey(t *testing.T) {
	t.Parallel()
	all, others := worlds(t), worlds(t)
	for algorithm, w := range all {
		other := others[algorithm]
		w.refused(t, "of another gateway", other.good)
		w.refused(t, "the gateway's kid, signed with another key", other.sign(t, w.header, w.claims))
		w.refused(t, "another kid, signed with the gateway's key", w.sign(t, other.header, w.claims))
		for _, key := range [][]byte{nil, {0}, make([]byte, 32), make([]byte, 64), []byte("secret")} {
			text := w.good[:strings.LastIndexByte(w.good, '.')]
			w.refused(t, "a weak HMAC key", text+"."+b64.EncodeToString(mac(key, text)))
		}
	}
	secret := keyring.Generate()
	r, err := keyring.New(secret)
	if err != nil {
		t.Fatal(err)
	}
	codec := signin.NewCodec(r.Derive(signin.Purpose))
	newWorld(t, "HS256", nil, secret).refused(t, "a refresh token", codec.Encode(signin.NewID(), 1).Reveal())
}

// TestForgery_Signature changes what follows the last dot.
func TestForgery_Signature(t *testing.T) {
	t.Parallel()
	for _, w := range worlds(t) {
		dot := strings.LastIndexByte(w.good, '.')
		text, encoded := w.good[:dot], w.good[dot+1:]
		signature, err := b64.DecodeString(encoded)
		if err != nil {
			t.Fatal(err)
		}
		try := func(name string, changed []byte) {
			t.Helper()
			w.refused(t, name, text+"."+b64.EncodeToString(changed))
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
			w.refused(t, name, text+"."+spelling)
		}
	}
}

// TestForgery_NonCanonicalEncoding flips the bits that base64 does not use in the last
// character of a part. Two spellings of one token would bypass any list of revoked tokens.
func TestForgery_NonCanonicalEncoding(t *testing.T) {
	t.Parallel()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	tried := 0
	for _, w := range worlds(t) {
		for n, part := range strings.Split(w.good, ".") {
			unused := map[int]int{2: 16, 3: 4}[len(part)%4] // the number of spellings
			last := strings.IndexByte(alphabet, part[len(part)-1])
			for i := 1; i < unused; i++ {
				parts := strings.Split(w.good, ".")
				parts[n] = part[:len(part)-1] + string(alphabet[last^i])
				raw := strings.Join(parts, ".")
				if n < 2 { // the signature covers this spelling
					raw = w.signText(t, strings.Join(parts[:2], "."))
				}
				w.refused(t, fmt.Sprintf("a second spelling of part %d", n), raw)
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
	w := newWorld(t, "ES256", key)
	text := w.good[:strings.LastIndexByte(w.good, '.')]
	order := elliptic.P256().Params().N
	pair := func(r, s *big.Int) []byte {
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
	zero, one := new(big.Int), big.NewInt(1)
	for _, r := range []*big.Int{zero, one, new(big.Int).Sub(order, one), order} {
		for _, s := range []*big.Int{zero, one, new(big.Int).Sub(order, one), order} {
			w.refused(t, fmt.Sprintf("psychic signature: r = %v, s = %v", r, s), text+"."+b64.EncodeToString(pair(r, s)))
		}
	}
	w.refused(t, "DER", text+"."+b64.EncodeToString(der(t, key, text)))
	sum := sha512.Sum384([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, wrong, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	w.refused(t, "a signature on another curve", text+"."+b64.EncodeToString(append(r.FillBytes(make([]byte, 48)), s.FillBytes(make([]byte, 48))...)))
}

// TestForgery_RSA tries forgeries that only RSA allows: signatures that pass its bare
// arithmetic (Bleichenbacher 2006).
func TestForgery_RSA(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "RS256", signers(t)["RS256"])
	text := w.good[:strings.LastIndexByte(w.good, '.')]
	size := modulus(w.private)
	for name, n := range map[string]*big.Int{"zero": new(big.Int), "one": big.NewInt(1)} {
		w.refused(t, "the number "+name, text+"."+b64.EncodeToString(n.FillBytes(make([]byte, size))))
	}
	pss, err := jwt.GetSigningMethod("PS256").Sign(text, w.private)
	if err != nil {
		t.Fatal(err)
	}
	longer, err := jwt.GetSigningMethod("RS512").Sign(text, w.private)
	if err != nil {
		t.Fatal(err)
	}
	w.refused(t, "PSS", text+"."+b64.EncodeToString(pss))
	w.refused(t, "SHA-512", text+"."+b64.EncodeToString(longer))
}

// TestForgery_Form tries tokens that are not a compact JWS of three parts.
func TestForgery_Form(t *testing.T) {
	t.Parallel()
	for _, w := range worlds(t) {
		part := strings.Split(w.good, ".")
		flat, err := json.Marshal(map[string]string{"protected": part[0], "payload": part[1], "signature": part[2]})
		if err != nil {
			t.Fatal(err)
		}
		general := fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`, part[1], part[0], part[2])
		nested := w.sign(t, w.header, w.good)
		for name, raw := range map[string]string{
			"an empty token": "", "a dot": ".", "two dots": "..", "four dots": "....", "one part": part[0], "two parts": part[0] + "." + part[1],
			"four parts": w.good + ".x", "an empty fourth part": w.good + ".", "JWE with five parts": w.good + ".AAAA.AAAA",
			"an empty first part": "." + w.good, "no header": "." + part[1] + "." + part[2], "no payload": part[0] + ".." + part[2],
			"flattened JSON serialization": string(flat), "general JSON serialization": general, "in quotes": `"` + w.good + `"`,
			"a detached payload": w.signText(t, part[0]+"."), "a nested token": nested, "a nested token with cty": w.sign(t, with(t, w.header, "cty", `"JWT"`), w.good),
			"Bearer before it": "Bearer " + w.good, "a space before it": " " + w.good, "a space after it": w.good + " ", "a line break after it": w.good + "\n",
			"a line break before it": "\n" + w.good, "two of them": w.good + "," + w.good, "a NUL after it": w.good + "\x00", "a BOM before it": "\ufeff" + w.good,
			"full-width dots":               strings.ReplaceAll(w.good, ".", "．"),
			"a payload that is not encoded": w.signText(t, part[0]+"."+w.claims),
			"a payload with line breaks":    w.signText(t, part[0]+"."+part[1][:40]+"\n"+part[1][40:]),
			"a payload with padding":        w.signText(t, part[0]+"."+part[1]+strings.Repeat("=", (4-len(part[1])%4)%4)+"="),
			"a huge token":                  w.sign(t, w.header, with(t, w.claims, "x", `"`+strings.Repeat("x", 5000)+`"`)),
			"a megabyte":                    strings.Repeat("A", 1<<20), "a megabyte of dots": strings.Repeat(".", 1<<20),
			"a huge signature": part[0] + "." + part[1] + "." + strings.Repeat("A", 4000),
		} {
			w.refused(t, name, raw)
		}
	}
}

func TestForgery_AfterARotation(t *testing.T) {
	t.Parallel()
	old, fresh := keyring.Generate(), keyring.Generate()
	was, is := newWorld(t, "HS256", nil, old), newWorld(t, "HS256", nil, fresh, old)
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
