//go:build verifiers

package test_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/voiceassist/gateway/shared/crypto/pemtext"
)

// A snippet is a program in docs/verify-tokens.md.
type snippet struct {
	title   string   // the comment that it begins with
	command []string // how to run it
	looks   bool     // whether it checks the issuer
}

// snippets returns the programs of the page, each written to a file beside the libraries
// that it needs.
func snippets(t *testing.T) []snippet {
	t.Helper()
	libraries, err := filepath.Abs("../build/verifiers-libraries")
	if err != nil {
		t.Fatal(err)
	}
	python, err := filepath.Abs("../build/verifiers/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../docs/verify-tokens.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []snippet
	for i, block := range regexp.MustCompile("(?s)```([a-z]+)\n(?:#|//) (.*?)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		v := snippet{title: block[2], looks: block[2] != "python-jose, with the secret"}
		extension := map[string]string{"python": "py", "js": "mjs", "go": "go", "sh": "sh"}[block[1]]
		file := filepath.Join(libraries, fmt.Sprintf("program%d.%s", i, extension))
		if err := os.WriteFile(file, []byte(block[3]), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Remove(file) }) // otherwise Go would treat it as a part of the project
		switch extension {
		case "py":
			v.command = []string{python, file}
		case "mjs":
			v.command = []string{"node", file}
		case "sh":
			v.command = []string{"sh", file}
		case "go":
			program := filepath.Join(t.TempDir(), "program")
			build := exec.CommandContext(t.Context(), "go", "build", "-o", program, file)
			build.Dir = libraries
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", v.title, err, out)
			}
			v.command = []string{program}
		default:
			t.Fatalf("the test cannot run blocks of %q", block[1])
		}
		all = append(all, v)
	}
	if fences := strings.Count(string(text), "```"); len(all) != 9 || fences != 2*len(all) {
		t.Fatalf("got %d programs in %d blocks, want 9 in 9", len(all), fences/2)
	}
	return all
}

// TestVerifyTokens runs every program of docs/verify-tokens.md with the library that it
// names, on tokens of the built gateway.
func TestVerifyTokens(t *testing.T) {
	t.Parallel()
	const secret = "a secret of 32 bytes, or of more"
	dir := t.TempDir()
	if out, code := command(t, dir, "", nil, "keys", "generate", "--algorithm", "ES256", "--out", "key.pem"); code != 0 {
		t.Fatal(out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := pemtext.PrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	programs := snippets(t)
	for _, way := range []struct {
		name   string
		p      *process
		dir    string
		method jwt.SigningMethod
		key    any
	}{
		{"with the secret", start(t, dir, nil, "JWT_SECRET="+secret), dir, jwt.SigningMethodHS256, []byte(secret)},
		{"with the key set", start(t, dir, nil, "JWT_ALGORITHM=ES256", "JWT_PRIVATE_KEY_FILE=key.pem"), dir, jwt.SigningMethodES256, key},
	} {
		who, good := guest(t, way.p, "ada-"+way.method.Alg()+"@example.org")
		tokens := badTokens(t, good, way.method, way.key)
		run := func(v snippet, token string) (string, error) {
			ctx, cancel := context.WithTimeout(t.Context(), answerTime)
			defer cancel()
			certificate := filepath.Join(way.dir, "tls", "gateway.pem")
			cmd := exec.CommandContext(ctx, v.command[0], v.command[1:]...)
			cmd.Env = append(os.Environ(), "TOKEN="+token, "JWT_SECRET="+secret, "GATEWAY="+way.p.https,
				"SSL_CERT_FILE="+certificate, "NODE_EXTRA_CA_CERTS="+certificate, "CURL_CA_BUNDLE="+certificate)
			out, err := cmd.Output()
			if failed, ok := errors.AsType[*exec.ExitError](err); ok {
				err = fmt.Errorf("%w: %.500s", failed, failed.Stderr)
			}
			return strings.TrimSpace(string(out)), err
		}
		for _, v := range programs {
			asks := v.title == "curl, asking the gateway"
			if !asks && !strings.HasSuffix(v.title, way.name) {
				continue
			}
			out, err := run(v, good)
			if named := out == who || asks && strings.Contains(out, `"id":"`+who+`"`); err != nil || !named {
				t.Errorf("%s: %v %s; want %s", v.title, err, out, who)
				continue
			}
			refused := 0
			for name, token := range tokens {
				if name == "another issuer" && !v.looks {
					continue
				}
				if out, err := run(v, token); err == nil || strings.Contains(out, who) {
					t.Errorf("%s accepts a bad token: %s\n%s", v.title, name, out)
				}
				refused++
			}
			t.Logf("%-30s %s: accepts a token, refuses %d forgeries", v.title, way.method.Alg(), refused)
		}
		if !call(way.p, "POST", "/api/auth/logout", good, "", nil) {
			t.Fatal("the logout failed")
		}
		for _, v := range programs { // as the page says of a token whose login has ended
			asks := v.title == "curl, asking the gateway"
			if !asks && !strings.HasSuffix(v.title, way.name) {
				continue
			}
			if out, err := run(v, good); (err == nil) == asks {
				t.Errorf("%s after the logout: %v %s", v.title, err, out)
			}
		}
	}
}

// badTokens returns tokens that no verifier may accept, by what is wrong with them.
func badTokens(t *testing.T, good string, method jwt.SigningMethod, key any) map[string]string {
	t.Helper()
	sign := func(method jwt.SigningMethod, key any, change func(jwt.MapClaims)) string {
		claims := jwt.MapClaims{}
		was, _, err := jwt.NewParser().ParseUnverified(good, claims)
		if err != nil {
			t.Fatal(err)
		}
		change(claims)
		token := jwt.NewWithClaims(method, claims)
		token.Header["kid"], token.Header["typ"] = was.Header["kid"], was.Header["typ"]
		raw, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	past := func(c jwt.MapClaims) {
		c["iat"], c["exp"] = time.Now().Add(-2*time.Hour).Unix(), time.Now().Add(-time.Hour).Unix()
	}
	parts := strings.Split(sign(method, key, func(c jwt.MapClaims) { c["role"] = "admin" }), ".")
	parts[2] = strings.Split(good, ".")[2]
	return map[string]string{
		"expired":        sign(method, key, past),
		"changed":        strings.Join(parts, "."),
		"unsigned":       sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, func(jwt.MapClaims) {}),
		"another issuer": sign(method, key, func(c jwt.MapClaims) { c["iss"] = "somebody" }),
		"another secret": sign(jwt.SigningMethodHS256, []byte("another secret of 32 bytes, or more"), func(jwt.MapClaims) {}),
	}
}

// guest registers an address and returns the ID and an access token of the account.
func guest(t *testing.T, p *process, email string) (id, access string) {
	t.Helper()
	credentials := fmt.Sprintf(`{"email":%q,"password":"correct horse battery staple"}`, email)
	var made struct{ User struct{ ID string } }
	var pair struct {
		Access string `json:"access_token"`
	}
	if !call(p, "POST", "/api/auth/register", "", credentials, &made) || !call(p, "POST", "/api/auth/login", "", credentials, &pair) {
		t.Fatal("the user cannot register and sign in")
	}
	return made.User.ID, pair.Access
}
