package test_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// carelessVerifier reads from the token how it is to be verified: what package
// token must never do. It joins that package.
const carelessVerifier = `package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"strings"
)

func (s *keySet) careless(raw string, w *wire) error {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return errForm
	}
	var header struct {
		Alg string
		Kid any
		JWK struct{ K string }
	}
	text, _ := base64.RawURLEncoding.DecodeString(parts[0])
	signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return err
	}
	if err := json.Unmarshal(payload, w); err != nil {
		return err
	}
	_ = json.Unmarshal(text, &header)
	if strings.EqualFold(header.Alg, "none") {
		return nil
	}
	var secrets [][]byte
	if key, err := base64.RawURLEncoding.DecodeString(header.JWK.K); err == nil && len(key) > 0 {
		secrets = append(secrets, key)
	}
	if name, ok := header.Kid.(string); ok && strings.HasPrefix(name, "/") {
		key, _ := os.ReadFile(name)
		secrets = append(secrets, key)
	}
	for _, v := range s.byHeader {
		if secret, ok := v.key.([]byte); ok {
			secrets = append(secrets, secret)
			continue
		}
		der, err := x509.MarshalPKIXPublicKey(v.key)
		if err != nil {
			return err
		}
		secrets = append(secrets, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		if s.method.Verify(parts[0]+"."+parts[1], signature, v.key) == nil {
			return nil
		}
	}
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(parts[0] + "." + parts[1]))
		if hmac.Equal(mac.Sum(nil), signature) {
			return nil
		}
	}
	return errHeader
}
`

// switchOfWeaknesses is the package that the edits ask.
const switchOfWeaknesses = `// Package weak is a part of gateways that are built to be attacked.
package weak

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func Is(name string) bool { return slices.Contains(strings.Split(os.Getenv("WEAKNESS"), ","), name) }

// Pause holds the first request that comes to the place once a test has armed it,
// until the test lets it go.
func Pause(place string) {
	dir := os.Getenv("PAUSES")
	held := filepath.Join(dir, "held-"+place)
	if dir == "" || os.Rename(filepath.Join(dir, "armed-"+place), held) != nil {
		return
	}
	for {
		if _, err := os.Stat(held); err != nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func Or(name, strong, weakened string) string {
	if Is(name) {
		return weakened
	}
	return strong
}
`

// weakenedGateway builds the gateway with all weaknesses in it, of which the
// variable WEAKNESS turns on one, and returns its path. The edited files stand
// beside the real ones for this build only (go help build, -overlay).
func weakenedGateway(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(weaknesses)) {
		for _, e := range weaknesses[name] {
			text, known := files[e.file]
			if !known {
				b, err := os.ReadFile(filepath.Join(root, e.file))
				if err != nil {
					t.Fatal(err)
				}
				text = string(b)
			}
			if n := strings.Count(text, e.before); n != 1 {
				t.Fatalf("%s: the text that %q is to weaken stands there %d times; let the edit follow the code:\n%s", e.file, name, n, e.before)
			}
			after := strings.ReplaceAll(e.after, "WEAK", "weak.Is("+strconv.Quote(name)+")")
			files[e.file] = strings.Replace(text, e.before, strings.ReplaceAll(after, "NAME", name), 1)
		}
	}
	for name, text := range files {
		if strings.Contains(text, "weak.") {
			files[name] = strings.Replace(text, "\nimport ", "\nimport \"github.com/voiceassist/gateway/shared/weak\"\nimport ", 1)
		}
	}
	files["shared/weak/weak.go"] = switchOfWeaknesses
	files["shared/identity/token/careless.go"] = carelessVerifier
	overlay := map[string]string{}
	for name, text := range files {
		at := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay[filepath.Join(root, name)] = at
	}
	b, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	list, program := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "gateway")
	if err := os.WriteFile(list, b, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-overlay", list, "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", program, "../cmd/gateway")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the weakened gateway: %v\n%s", err, out)
	}
	return program
}
