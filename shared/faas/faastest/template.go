package faastest

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

// CheckTemplate compares template.yaml with the settings of a function, whose bootstrap the
// test belongs to. The template must pass every variable that the settings read, except those
// that name files and a few limits that have the same default everywhere. The function must read
// every variable that the template passes to it alone.
func CheckTemplate(tb testing.TB, settings setting.Settings) {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	name := filepath.Base(filepath.Dir(dir))
	everywhere, own := templateVariables(tb, filepath.Join(dir, "../../../template.yaml"), name)
	read := variablesOf(tb, settings)
	defaults := []string{"DATABASE_MAX_CONNECTIONS", "DATABASE_POOLER", "PASSWORD_QUEUE", "NEXTCLOUD_WORKERS"} // their defaults suit a function
	for _, v := range read {
		if !slices.Contains(everywhere, v) && !slices.Contains(own, v) && !strings.HasSuffix(v, "_FILE") && !slices.Contains(defaults, v) {
			tb.Errorf("template.yaml does not pass %s to %s, which reads it", v, name)
		}
	}
	for _, v := range own {
		if v != "SECRETS_ARNS" && !slices.Contains(read, v) {
			tb.Errorf("template.yaml passes %s to %s, which does not read it", v, name)
		}
	}
}

// variablesOf returns the names of the variables that the settings read with symmetric and
// with asymmetric keys.
func variablesOf(tb testing.TB, settings setting.Settings) []string {
	tb.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		tb.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		tb.Fatal(err)
	}
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	read := map[string]bool{}
	for _, env := range []map[string]string{
		{"JWT_SECRET": strings.Repeat("0123456789abcdef", 4)},
		{"JWT_ALGORITHM": "EdDSA", "JWT_PRIVATE_KEY": key},
	} {
		settings.Load(config.New(func(name string) (string, bool) {
			if secret, file := strings.CutSuffix(name, config.FileSuffix); !file || !slices.Contains(config.FileSecrets(), secret) {
				read[name] = true // functions have no files with secrets, unless somebody adds them
			}
			value, ok := env[name]
			return value, ok
		}))
	}
	return slices.Sorted(maps.Keys(read))
}

// templateVariables returns the names of the variables that template.yaml passes to all
// functions, and of those that it passes to the named one.
func templateVariables(tb testing.TB, file, name string) (everywhere, own []string) {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	type function struct {
		Environment struct {
			Variables map[string]yaml.Node `yaml:"Variables"`
		} `yaml:"Environment"`
	}
	var template struct {
		Globals struct {
			Function function `yaml:"Function"`
		} `yaml:"Globals"`
		Resources map[string]struct {
			Properties yaml.Node `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		tb.Fatal(err)
	}
	resource, ok := template.Resources[strings.ToUpper(name[:1])+name[1:]+"Function"]
	if !ok {
		tb.Fatalf("template.yaml has no function %s", name)
	}
	var f function
	if err := resource.Properties.Decode(&f); err != nil {
		tb.Fatal(err)
	}
	names := func(f function) []string { return slices.Collect(maps.Keys(f.Environment.Variables)) }
	return names(template.Globals.Function), names(f)
}
