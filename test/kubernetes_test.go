package test_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
)

const manifests = "../deploy/kubernetes/"

// A pod is the part of a manifest that these tests read. The tests in deploy/kubernetes
// read the rest.
type pod struct {
	Spec struct {
		Template struct {
			Spec struct {
				Containers []struct {
					Args  []string `yaml:"args"`
					Ports []struct {
						Name          string `yaml:"name"`
						ContainerPort string `yaml:"containerPort"`
					} `yaml:"ports"`
					Env []struct {
						Name  string `yaml:"name"`
						Value string `yaml:"value"`
					} `yaml:"env"`
				} `yaml:"containers"`
			} `yaml:"spec"`
		} `yaml:"template"`
	} `yaml:"spec"`
}

// manifest decodes a manifest.
func manifest(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(manifests + file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// literals returns the settings that a kustomization has for the gateway.
func literals(t *testing.T, folder string) map[string]string {
	t.Helper()
	var k struct {
		ConfigMapGenerator []struct {
			Literals []string `yaml:"literals"`
		} `yaml:"configMapGenerator"`
	}
	manifest(t, folder+"/kustomization.yaml", &k)
	set := map[string]string{}
	for _, line := range k.ConfigMapGenerator[0].Literals {
		name, value, _ := strings.Cut(line, "=")
		set[name] = value
	}
	return set
}

// mounted returns the environment of the container in a manifest, with the mounted folders
// below dir.
func mounted(t *testing.T, file, dir string) (env, args []string) {
	t.Helper()
	var p pod
	manifest(t, file, &p)
	c := p.Spec.Template.Spec.Containers[0]
	for _, v := range c.Env {
		env = append(env, v.Name+"="+filepath.Join(dir, v.Value))
	}
	return env, c.Args
}

// secretFiles writes what the mounted secrets contain.
func secretFiles(t *testing.T, dir string, content map[string]string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, value := range content {
		if err := os.WriteFile(filepath.Join(dir, "secrets", name), []byte(value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKubernetes_SettingsAreValid has the gateway check the settings of the manifests, and
// the migration run with its own.
func TestKubernetes_SettingsAreValid(t *testing.T) {
	t.Parallel()
	dir, url := t.TempDir(), database(t)
	secretFiles(t, dir, map[string]string{
		"DATABASE_URL": url, "MIGRATE_DATABASE_URL": url, "REDIS_URL": "redis://redis:6379/0", "SMTP_URL": "smtp://mail.example.org:587",
		"JWT_SECRET": keyring.Generate().Reveal(), "DATA_SECRET": keyring.Generate().Reveal(), "NEXTCLOUD_ADMIN_PASSWORD": cloudPassword,
	})
	p := start(t, t.TempDir(), nil) // for its certificate
	pem, err := os.ReadFile(filepath.Join(p.cmd.Dir, "tls", "gateway.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "tls"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tls.crt", "tls.key"} { // each has both
		if err := os.WriteFile(filepath.Join(dir, "tls", name), pem, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env, args := mounted(t, "base/deployment.yaml", dir)
	if len(args) != 1 || args[0] != "serve" {
		t.Errorf("the container runs %q", args)
	}
	set := literals(t, "base")
	maps.Copy(set, literals(t, "overlays/example"))
	for name, value := range set {
		env = append(env, name+"="+value)
	}
	out, code := command(t, dir, "", env, "config", "check", "--output", "json")
	var report struct {
		Mistakes []any
		Warnings []struct{ Text string }
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != 0 || len(report.Mistakes) != 0 {
		t.Errorf("got mistakes %v, %v", report.Mistakes, err)
	}
	for _, w := range report.Warnings {
		if !strings.HasSuffix(w.Text, "has the address of an example") { // as it is to be
			t.Errorf("got the warning %s", w.Text)
		}
	}
	env, args = mounted(t, "base/migrate.yaml", dir)
	if out, code := command(t, dir, "", env, args...); code != 0 || !strings.Contains(out, "0 migrations applied") {
		t.Errorf("%q: exit code %d, want 0\n%s", args, code, out)
	}
}

// TestKubernetes_PortsAreTheDefaults compares the ports of the pods with the settings.
func TestKubernetes_PortsAreTheDefaults(t *testing.T) {
	t.Parallel()
	out, code := command(t, t.TempDir(), "", nil, "config", "docs", "--output", "json")
	if code != 0 {
		t.Fatal(out)
	}
	var document any
	if err := json.Unmarshal([]byte(out), &document); err != nil {
		t.Fatal(err)
	}
	defaults := literals(t, "base")
	var collect func(v any)
	collect = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				collect(e)
			}
		case map[string]any:
			name, _ := v["name"].(string)
			if standard, ok := v["default"].(string); ok && name != "" && defaults[name] == "" {
				defaults[name] = standard
			}
			for _, e := range v {
				collect(e)
			}
		}
	}
	collect(document)
	var p pod
	manifest(t, "base/deployment.yaml", &p)
	settings := map[string]string{"https": "HTTPS_ADDR", "http": "HTTP_ADDR", "metrics": "METRICS_ADDR"}
	ports := p.Spec.Template.Spec.Containers[0].Ports
	if len(ports) != len(settings) {
		t.Errorf("got the ports %v", ports)
	}
	for _, port := range ports {
		if want := defaults[settings[port.Name]]; ":"+port.ContainerPort != want {
			t.Errorf("port %s is %s, and %s is %q", port.Name, port.ContainerPort, settings[port.Name], want)
		}
	}
}
