package test_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// samLocal runs scripts/sam-local in a new folder, with a docker and a sam-api that only
// print their arguments, and returns the output and the settings that were generated.
func samLocal(t *testing.T, dotenv string) (calls string, env map[string]map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"scripts/sam-local": read(t, "scripts/sam-local"),
		"scripts/version":   read(t, "scripts/version"),
		"scripts/sam-api":   "#!/bin/sh\necho sam-api \"$@\"\n",
		"bin/docker":        "#!/bin/sh\necho docker \"$@\"\n",
	} {
		writeExecutable(t, filepath.Join(dir, name), text)
	}
	for name, text := range map[string]string{"env.json.example": read(t, "env.json.example"), ".env": dotenv} {
		if text == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "scripts/sam-local"), "--port", "3999")
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	out, _ := cmd.CombinedOutput()
	if raw, err := os.ReadFile(filepath.Join(dir, "env.json")); err == nil {
		if err := json.Unmarshal(raw, &env); err != nil {
			t.Fatalf("%v\n%s", err, raw)
		}
	}
	return string(out), env
}

func TestSAMLocal_GivesTheFunctionsTheServicesOfCompose(t *testing.T) {
	t.Parallel()
	calls, env := samLocal(t, "JWT_SECRET=a+b/c=\nDATA_SECRET=d/e\nPOSTGRES_PASSWORD=0af3\nNEXTCLOUD_ADMIN_USER=admin\nNEXTCLOUD_ADMIN_PASSWORD=9b\n")
	const docker = "docker compose --file docker-compose.yml --file docker-compose.sam.yml "
	want := docker + "up --detach postgres nextcloud\n" + docker + "run --build --rm migrate\n" +
		"sam-api --env-vars env.json --docker-network voiceassist_sam --port 3999\n"
	if !strings.HasSuffix(calls, want) {
		t.Errorf("called:\n%swant:\n%s", calls, want)
	}
	if got := env["Parameters"]["DATABASE_URL"]; got != "postgres://gateway:0af3@postgres:5432/gateway?sslmode=disable" {
		t.Errorf("got the DATABASE_URL %q", got)
	}
	if got := env["Parameters"]["JWT_SECRET"] + " " + env["Parameters"]["DATA_SECRET"] + " " + env["NcprovisionFunction"]["NEXTCLOUD_ADMIN_PASSWORD"]; got != "a+b/c= d/e 9b" {
		t.Errorf("got the secrets %q", got)
	}
	var over struct {
		Services map[string]any                   `yaml:"services"`
		Networks map[string]struct{ Name string } `yaml:"networks"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "docker-compose.sam.yml")), &over); err != nil {
		t.Fatal(err)
	}
	if over.Networks["sam"].Name != "voiceassist_sam" {
		t.Errorf("the network is called %q", over.Networks["sam"].Name)
	}
	for name := range over.Services {
		if _, ok := compose(t).Services[name]; !ok {
			t.Errorf("docker-compose.yml has no service %s", name)
		}
	}
}

func TestSAMLocal_ReportsMissingSecrets(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, dotenv, want string }{
		{"no .env", "", "there is no .env"},
		{"no password", "JWT_SECRET=x\n", "POSTGRES_PASSWORD in .env is empty"},
		{"a password that a URL cannot contain", "JWT_SECRET=x\nPOSTGRES_PASSWORD=a@b\n", "POSTGRES_PASSWORD in .env is empty, or holds more"},
	} {
		calls, env := samLocal(t, tt.dotenv)
		if !strings.Contains(calls, tt.want) || strings.Contains(calls, "docker ") || env != nil {
			t.Errorf("%s: got %q and the settings %v, want %q and none", tt.name, calls, env, tt.want)
		}
	}
}
