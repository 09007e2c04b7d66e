package test_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/faas/faastest"
	vault "github.com/voiceassist/gateway/shared/faas/secrets"
	"github.com/voiceassist/gateway/shared/faas/secrets/secretstest"
)

// secretHolds lists what docs/deploy.md puts into the secret of each parameter of
// template.yaml. DatabaseLoginSecretArn completes DatabaseSecretArn.
var secretHolds = map[string][]string{
	"SecretArn": {
		"JWT_SECRET", "JWT_PREVIOUS_SECRETS", "DATA_SECRET", "DATA_PREVIOUS_SECRETS", "JWT_PRIVATE_KEY", "JWT_NEXT_PUBLIC_KEY", "JWT_PREVIOUS_PUBLIC_KEY",
	},
	"DatabaseSecretArn":  {"DATABASE_URL", "DATABASE_PASSWORD", "DATABASE_CA", "REDIS_URL", "QDRANT_URL"},
	"MigrationSecretArn": {"MIGRATE_DATABASE_URL"},
	"NextcloudSecretArn": {"NEXTCLOUD_ADMIN_USER", "NEXTCLOUD_ADMIN_PASSWORD"},
	"MailSecretArn":      {"SMTP_URL"},
}

// TestFunctions_ReadTheirSecrets starts every function with secrets that hold
// everything, and compares those it reads with those that template.yaml lets it read. The
// two must be equal.
func TestFunctions_ReadTheirSecrets(t *testing.T) {
	t.Parallel()
	for _, name := range vault.Settings() {
		if !slices.ContainsFunc(slices.Collect(maps.Values(secretHolds)), func(in []string) bool { return slices.Contains(in, name) }) {
			t.Errorf("no secret holds %s", name)
		}
	}
	all := map[string]string{}
	for _, name := range vault.Settings() {
		all[name] = ""
	}
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(all, map[string]string{
		"JWT_PRIVATE_KEY": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"DATABASE_URL":    "postgres://user:password@127.0.0.1:1/x", "JWT_SECRET": keyring.Generate().Reveal(),
		"NEXTCLOUD_ADMIN_USER": "admin", "NEXTCLOUD_ADMIN_PASSWORD": "password",
	})
	for name, may := range secretsOfFunctions(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			read := secretsRead(t, name, all, "NEXTCLOUD_URL=https://cloud.example.org", "JWT_ALGORITHM=HS256")
			if name == "jwks" { // under the others it publishes keys
				if len(read) > 0 {
					t.Errorf("under HS256 it reads the secrets of %q, want none", read)
				}
				read = secretsRead(t, name, all, "JWT_ALGORITHM=EdDSA")
			}
			if diff := cmp.Diff(may, read); diff != "" {
				t.Errorf("the secrets that it may read and those that it reads differ (-may +reads):\n%s", diff)
			}
		})
	}
}

// secretsRead returns the parameters of the secrets that the function reads.
func secretsRead(t *testing.T, name string, all map[string]string, env ...string) []string {
	t.Helper()
	manager := secretstest.New(t)
	env = append(manager.Env(manager.Put(t, "all", all)), env...)
	p := faastest.Start(t, faastest.Build(t, "../functions/"+name+"/bootstrap"), env...)
	switch name {
	case "migrate":
		_, _ = p.Invoke(t.Context(), []byte(`{"action":"status"}`)) // there is no database
	case "mail":
		_, _ = p.Invoke(t.Context(), schedule(t))
	default:
		ask(t, p, visit{http.MethodGet, "/nowhere", "", http.StatusNotFound}, nil)
	}
	p.Shutdown() // the log is complete after this
	var opened struct {
		Message string   `json:"message"`
		Names   []string `json:"settings_from_secrets"`
		Unread  []string `json:"unread"`
	}
	for line := range strings.Lines(p.Log()) {
		if json.Unmarshal([]byte(line), &opened) == nil && opened.Message == "opened" {
			break
		}
	}
	if len(opened.Names) < len(vault.Settings()) {
		t.Fatalf("the log does not list the secrets that the function read: %s", p.Log())
	}
	var of []string
	for secret, holds := range secretHolds {
		if slices.ContainsFunc(holds, func(name string) bool { return !slices.Contains(opened.Unread, name) }) {
			of = append(of, secret)
		}
	}
	slices.Sort(of)
	return of
}

// secretsOfFunctions returns the secrets that the policies let each function read, and
// fails the test if SECRETS_ARNS differs. It leaves out the login's secret.
func secretsOfFunctions(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(path.Join("..", "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Globals struct {
			Function yaml.Node `yaml:"Function"`
		} `yaml:"Globals"`
		Resources map[string]struct {
			Type       string    `yaml:"Type"`
			Properties yaml.Node `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	everywhere := named(t, &template.Globals.Function, `\w*SecretArn`, "Environment", "Variables", vault.Variable)
	found := map[string][]string{}
	for id, r := range template.Resources {
		if r.Type != "AWS::Serverless::Function" {
			continue
		}
		var may []string
		for _, policy := range named(t, &r.Properties, `\w*SecretPolicy`, "Policies") {
			of := template.Resources[policy].Properties
			may = append(may, named(t, &of, `\w*SecretArn`)...)
		}
		slices.Sort(may)
		reads := named(t, &r.Properties, `\w*SecretArn`, "Environment", "Variables", vault.Variable)
		if named(t, &r.Properties, vault.Variable, "Environment", "Variables") == nil {
			reads = everywhere // it has no value of its own, not even an empty one
		}
		if diff := cmp.Diff(may, reads); diff != "" {
			t.Errorf("%s names other secrets than its policies allow (-policies +%s):\n%s", id, vault.Variable, diff)
		}
		may = slices.DeleteFunc(may, func(secret string) bool { return secret == "DatabaseLoginSecretArn" })
		found[strings.ToLower(strings.TrimSuffix(id, "Function"))] = may
	}
	if len(found) < 11 {
		t.Fatalf("template.yaml has %d functions", len(found))
	}
	return found
}

// named returns the sorted matches in the part of the template at the path, or nil if
// there is no such part.
func named(t *testing.T, n *yaml.Node, pattern string, at ...string) []string {
	t.Helper()
	for _, key := range at {
		i := slices.IndexFunc(n.Content, func(c *yaml.Node) bool { return c.Value == key })
		if i < 0 {
			return nil
		}
		n = n.Content[i+1]
	}
	text, err := yaml.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`\b`+pattern+`\b`).FindAllString(string(text), -1)
	slices.Sort(names)
	return slices.Compact(names)
}
