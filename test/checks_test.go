package test_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// playCheck runs scripts/NAME in a new folder. The python3 there creates a venv with a pip
// that runs the given shell lines, and the go only prints its arguments. playCheck returns
// the output and the exit code.
func playCheck(t *testing.T, name, python, pip string) (output string, code int) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"scripts/venv":                    read(t, "scripts/venv"),
		"scripts/sam":                     read(t, "scripts/sam"),
		"scripts/" + name:                 read(t, "scripts/"+name),
		"scripts/sam-requirements.txt":    "aws-sam-cli==0\n",
		"scripts/sslyze-requirements.txt": "sslyze==0\n",
		"bin/python3":                     "#!/bin/sh\n" + python,
		"bin/go":                          "#!/bin/sh\necho go \"$@\"\n",
		"pip":                             "#!/bin/sh\n" + pip,
	} {
		writeExecutable(t, filepath.Join(dir, name), text)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "scripts", name))
	cmd.Env = append(os.Environ(), "GATEWAY_VERSION=v1.2.3", "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(out), e.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(out), 0
}

// TestChecks_PassWithoutTheirPrograms checks which error messages of pip count as an
// outage, and that nothing else does.
func TestChecks_PassWithoutTheirPrograms(t *testing.T) {
	t.Parallel()
	const python = `if [ "$1" = -c ]; then exit 0; fi; mkdir -p "$3/bin"; mv pip "$3/bin/pip"`
	pip := func(line string) string { return "echo '" + line + "'; exit 1\n" }
	for check, program := range map[string]string{"sam-check": "sam", "tls-check": "sslyze"} {
		leftOut := check + ": left out: no " + program + ": "
		log := " (see build/" + program + "-install.log)\n"
		outage := leftOut + "no package index can be reached" + log
		for _, tt := range []struct {
			name, python, pip, want string
			code                    int
		}{
			{"a failed name lookup", python, pip("ERROR: No matching distribution found for arrow==1.4.0"), outage, 0},
			{"a refused connection", python, pip("WARNING: Retrying (Retry(total=0)) after connection broken by NewConnectionError"), outage, 0},
			{"an index that fails", python, pip("ERROR: HTTP error 503 while getting https://example.org/arrow.whl"), outage, 0},
			{"a timeout", python, pip("pip._vendor.urllib3.exceptions.ReadTimeoutError: Read timed out."), outage, 0},
			{"no Python", "exit 1", "", leftOut + "it needs Python 3.10 or newer\n", 0},
			{"no venv", `[ "$1" = -c ]`, "", leftOut + "python3 -m venv fails" + log, 0},
			{"a package with another hash", python, pip("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."),
				"ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n", 1},
			{"a package that does not build", python, pip("ERROR: Failed building wheel for ruamel"), "ERROR: Failed building wheel for ruamel\n", 1},
		} {
			t.Run(check+", "+tt.name, func(t *testing.T) {
				t.Parallel()
				if got, code := playCheck(t, check, tt.python, tt.pip); got != tt.want || code != tt.code {
					t.Errorf("got %q and exit code %d, want %q and %d", got, code, tt.want, tt.code)
				}
			})
		}
	}
	for check, want := range map[string]string{
		"sam-check": "sam validate --lint --config-env prod\nsam build\ngo test -tags sam",
		"tls-check": "go test -tags sslyze",
	} {
		t.Run(check+", with an index", func(t *testing.T) {
			t.Parallel()
			got, code := playCheck(t, check, python,
				`mkdir -p build/sam/bin; printf '#!/bin/sh\necho sam "$@"\n' > build/sam/bin/sam; chmod +x build/sam/bin/sam`)
			if code != 0 || !strings.HasPrefix(got, want) {
				t.Errorf("got %q and exit code %d, want %q and 0", got, code, want)
			}
		})
	}
}

// TestChecks_WithoutNpm checks which error messages of npm count as an outage, and that
// packages are installed once.
func TestChecks_WithoutNpm(t *testing.T) {
	t.Parallel()
	const (
		outage    = "no package index for Node.js can be reached (see build/it-install.log)\n"
		installed = `mkdir -p "$3/node_modules"; touch "$3/node_modules/example.go"; echo once >> calls`
	)
	for _, tt := range []struct {
		name, node, npm, want string
		code                  int
	}{
		{"a failed name lookup", "", "echo 'npm error code ENOTFOUND'; exit 1", outage, 69},
		{"a refused connection", "", "echo 'npm error code ECONNREFUSED'; exit 1", outage, 69},
		{"a timeout", "", "echo 'npm error code ETIMEDOUT'; exit 1", outage, 69},
		{"an old Node.js", "exit 1", "", "it needs Node.js 20 or newer with npm\n", 69},
		{"a package with another hash", "", "echo 'npm error code EINTEGRITY'; exit 1", "npm error code EINTEGRITY\n", 1},
		{"installed", "", installed, "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, text := range map[string]string{
				"scripts/npm": read(t, "scripts/npm"), "packages/package-lock.json": "{}", "packages/example.ts": "",
				"bin/node": "#!/bin/sh\n" + tt.node, "bin/npm": "#!/bin/sh\n" + tt.npm,
			} {
				writeExecutable(t, filepath.Join(dir, name), text)
			}
			env := append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
			for range 2 { // the second run has nothing to do if the first succeeded
				cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "scripts/npm"), "packages", "build/it")
				cmd.Env = env
				out, _ := cmd.CombinedOutput()
				if code := cmd.ProcessState.ExitCode(); string(out) != tt.want || code != tt.code {
					t.Errorf("got %q and exit code %d, want %q and %d", out, code, tt.want, tt.code)
				}
			}
			if tt.code != 0 {
				return
			}
			if calls, err := os.ReadFile(filepath.Join(dir, "calls")); string(calls) != "once\n" {
				t.Errorf("npm was called %q, want once; %v", calls, err)
			}
			for name, want := range map[string]bool{"example.ts": true, "node_modules/example.go": false} {
				if _, err := os.Stat(filepath.Join(dir, "build/it", name)); (err == nil) != want {
					t.Errorf("%s: got %v, want it to exist: %t", name, err, want)
				}
			}
		})
	}
}
