//go:build clients

package test_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// clientTime limits how long the commands of a section of clients/README.md may take.
const clientTime = 3 * time.Minute

// installs matches the commands that scripts/clients-generate has already run.
var installs = regexp.MustCompile(`(?m)^(npm ci|python3 -m venv .*|pip install .*)\n`)

// playClient runs the commands of a section of clients/README.md against a new gateway
// with the usual rate limits, a Nextcloud and an administrator. It returns their output
// and the output that the section shows.
func playClient(t *testing.T, section string) (got, want string) {
	t.Helper()
	dir := t.TempDir()
	p := startWithDevcloud(t, dir, append(usualLimits(), "PASSWORD_RATE_LIMIT_PER_MINUTE=20")...) // as the page says
	const admin, password = "root@example.com", "correct horse battery staple"
	if out, code := command(t, dir, password, nil, "user", "create", "--admin", admin); code != 0 {
		t.Fatal(out)
	}
	_, text, _ := strings.Cut(read(t, "clients/README.md"), "\n## "+section+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	block := regexp.MustCompile("(?s)```sh\n(.*?)```(?:\n+```text\n(.*?)```)?").FindStringSubmatch(text)
	if block == nil {
		t.Fatalf("clients/README.md has no commands in %q", section)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	var runners struct{ Dependencies map[string]string }
	if err := json.Unmarshal([]byte(read(t, "scripts/clients/package.json")), &runners); err != nil {
		t.Fatal(err)
	}
	programs := filepath.Join(root, "build/clients-runners/node_modules/.bin")
	script := strings.NewReplacer(
		"npx newman@"+runners.Dependencies["newman"], filepath.Join(programs, "newman"),
		"npx @usebruno/cli@"+runners.Dependencies["@usebruno/cli"], filepath.Join(programs, "bru"),
		"../../.data/", dir+"/", ".data/", dir+"/",
		"--env-var 'admin_password=", "--env-var base_url="+p.https+" --env-var 'admin_password=",
		"cd clients/typescript", "cd build/clients-typescript", "cd clients/python", "cd build/clients-python",
	).Replace(installs.ReplaceAllString(block[1], ""))
	ctx, cancel := context.WithTimeout(t.Context(), clientTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GATEWAY="+p.https, "NO_COLOR=1", "NO_PROXY=127.0.0.1",
		"PATH="+filepath.Join(root, "build/clients/bin")+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(script, "npx") {
		t.Fatalf("%v\n%s\n%s", err, script, out)
	}
	return string(out), block[2]
}

// TestClients_Collections runs the collections with newman and with bru, which fail if a
// test in the collection fails, and logs how each ends.
func TestClients_Collections(t *testing.T) {
	t.Parallel()
	for _, tool := range []struct{ section, summary string }{
		{"Postman", "┌─────────────────────────┬"},
		{"Bruno", "📊 Execution Summary"},
	} {
		t.Run(tool.section, func(t *testing.T) {
			t.Parallel()
			out, _ := playClient(t, tool.section)
			i := strings.LastIndex(out, tool.summary)
			if i < 0 {
				t.Fatalf("no summary:\n%s", out)
			}
			t.Log("\n" + out[i:])
		})
	}
}

// TestClients_Examples generates the TypeScript and Python clients, runs the examples, and
// compares their output.
func TestClients_Examples(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"TypeScript", "Python"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			got, want := playClient(t, language)
			if want == "" || !strings.HasSuffix(got, want) {
				t.Errorf("the example prints\n%s\nwant, as on the page,\n%s", got, want)
			}
			t.Log("\n" + want)
		})
	}
}
