package token_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/identity/token"
)

//go:embed testdata/wycheproof/json_web_signature_test.json
var wycheproof []byte

// The file as it was published; see its README.
const (
	wycheproofDigest = "8e687a06fe8359f4ec51480f1a9f73c8faebd6f4c01b818b843b44eee54fd5d9"
	wycheproofCount  = 401
)

type vectorKey struct {
	Type      string   `json:"kty"`
	Algorithm string   `json:"alg"`
	Use       string   `json:"use"`
	Ops       []string `json:"key_ops"`
	Curve     string   `json:"crv"`
	X         string   `json:"x"`
	Y         string   `json:"y"`
	N         string   `json:"n"`
	E         string   `json:"e"`
	K         string   `json:"k"`
}

type vector struct {
	ID      int    `json:"tcId"`
	Comment string `json:"comment"`
	JWS     string `json:"jws"`
	Result  string `json:"result"`
}

type vectorGroup struct {
	Public  *vectorKey `json:"public"`
	Private vectorKey  `json:"private"`
	Tests   []vector   `json:"tests"`
}

// stricter lists vectors that are marked valid but that the gateway refuses, with the
// reason.
var stricter = map[int]string{
	372: "a character in the header that is not base64url",
	373: "a character in the payload that is not base64url",
}

// same maps vectors that are marked invalid to vectors with the same text that are marked
// valid: the padding that they test was lost.
var same = map[int]int{367: 357, 370: 357}

// TestWycheproof runs the public vectors for JSON Web Signature through the code that
// checks access tokens. A vector is one of these:
//
//   - run: if it is marked valid, it opens to its payload; if it is marked invalid, it
//     does not;
//   - of an algorithm that the gateway does not offer: it must be refused, valid or not,
//     with the same key for the algorithm that the key would fit;
//   - marked valid, but deliberately refused by the gateway, and listed in stricter;
//   - marked invalid by mistake, and listed in same;
//   - about JWK members that say what the key is for, which does not apply, because the
//     gateway reads no JWK.
//
// A vector of any other kind fails the test.
func TestWycheproof(t *testing.T) {
	t.Parallel()
	if got := sha256.Sum256(wycheproof); hex.EncodeToString(got[:]) != wycheproofDigest {
		t.Fatalf("the vectors differ from the published file: got hash %x", got)
	}
	var file struct {
		Groups []vectorGroup `json:"testGroups"`
	}
	if err := json.Unmarshal(wycheproof, &file); err != nil {
		t.Fatal(err)
	}
	counts, texts := map[string]int{}, map[int]string{}
	for _, g := range file.Groups {
		if g.Public == nil {
			g.Public = &g.Private
		}
		headers := headersOf(t, g)
		for _, v := range g.Tests {
			texts[v.ID] = v.JWS
			counts[g.run(t, v, headers)]++
		}
	}
	for invalid, valid := range same {
		if texts[invalid] != texts[valid] {
			t.Errorf("vectors %d and %d differ, so the first must be rejected", invalid, valid)
		}
	}
	total := 0
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%4d %s", counts[kind], kind)
		total += counts[kind]
	}
	if total != wycheproofCount {
		t.Errorf("ran %d vectors, want all %d", total, wycheproofCount)
	}
	want := map[string]int{
		"run: valid": 18, "run: invalid": 290, "refused: an algorithm that is not offered": 85,
		"refused on purpose": 2, "not applicable: about a JWK": 4, "wrong in the file: the same text as a valid one": 2,
	}
	if !maps.Equal(counts, want) {
		t.Errorf("got %v, want %v", counts, want)
	}
}

// headersOf returns the gateway's headers for the group's key. They are of one algorithm,
// that of the valid vectors.
func headersOf(t *testing.T, g vectorGroup) []string {
	t.Helper()
	algorithm, _ := g.Public.parse(t)
	var headers []string
	for _, v := range g.Tests {
		if v.Result != "valid" || stricter[v.ID] != "" {
			continue
		}
		header := segment(t, v.JWS, 0)
		if strings.Contains(strings.ReplaceAll(header, " ", ""), fmt.Sprintf(`"alg":%q`, algorithm)) {
			headers = append(headers, header)
		}
	}
	return headers
}

// run tries one vector and returns how to count it.
func (g *vectorGroup) run(t *testing.T, v vector, headers []string) string {
	t.Helper()
	k := g.Public
	if k.Use == "enc" || slices.Contains(k.Ops, "encrypt") {
		return "not applicable: about a JWK"
	}
	algorithm, key := k.parse(t)
	payload, err := token.Open(algorithm, key, headers, v.JWS)
	switch offered := algorithm == k.Algorithm; {
	case !offered && err == nil:
		t.Errorf("vector %d, %s: accepted as %s, although its algorithm is not supported", v.ID, v.Comment, algorithm)
		return "wrong"
	case !offered:
		return "refused: an algorithm that is not offered"
	case same[v.ID] != 0 && v.Result == "invalid" && err == nil:
		return "wrong in the file: the same text as a valid one"
	case stricter[v.ID] != "" && err != nil:
		return "refused on purpose"
	case v.Result == "valid" && stricter[v.ID] == "":
		if err != nil || !bytes.Equal(payload, []byte(segment(t, v.JWS, 1))) {
			t.Errorf("vector %d, %s: rejected: %v", v.ID, v.Comment, err)
		}
		return "run: valid"
	case v.Result == "invalid":
		if err == nil {
			t.Errorf("vector %d, %s: accepted", v.ID, v.Comment)
		}
		return "run: invalid"
	}
	t.Errorf("vector %d, %s: unknown result %q", v.ID, v.Comment, v.Result)
	return "unknown"
}

// parse returns the key, and the algorithm of the gateway that it fits, or "" if none.
func (k *vectorKey) parse(t *testing.T) (algorithm string, key crypto.PublicKey) {
	t.Helper()
	number := func(text string) *big.Int {
		b, err := b64.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return new(big.Int).SetBytes(b)
	}
	switch {
	case k.Type == "oct":
		return "HS256", number(k.K).FillBytes(make([]byte, 32))
	case k.Type == "RSA":
		pub := &rsa.PublicKey{N: number(k.N), E: int(number(k.E).Int64())}
		if err := token.CheckKey("RS256", pub); err != nil {
			t.Fatal(err)
		}
		return "RS256", pub
	case k.Type == "EC":
		curve, size := elliptic.P256(), 32
		if k.Curve == "P-521" { // the gateway has no such keys
			curve, size = elliptic.P521(), 66
		}
		point := append([]byte{4}, append(number(k.X).FillBytes(make([]byte, size)), number(k.Y).FillBytes(make([]byte, size))...)...)
		pub, err := ecdsa.ParseUncompressedPublicKey(curve, point)
		if err != nil || (token.CheckKey("ES256", pub) == nil) != (size == 32) {
			t.Fatal(k.Curve, err)
		}
		return "ES256", pub
	}
	t.Fatalf("unknown key type %s", k.Type)
	return "", nil
}
