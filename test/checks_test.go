package test_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// playCheck runs scripts/NAME in a folder of its own, with a python3 whose venv has
// a pip that does as the shell lines say, and a go that only tells how it was
// called. It returns what was said, and the exit code.
func playCheck(t *testing.T, name, python, pip string) (said string, code int) {
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

// TestChecks_AreContentWithoutTheirPrograms holds which failures of pip, in its own
// words, are an outage, and that nothing else passes for one.
func TestChecks_AreContentWithoutTheirPrograms(t *testing.T) {
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
			{"no address", python, pip("ERROR: No matching distribution found for arrow==1.4.0"), outage, 0},
			{"nobody there", python, pip("WARNING: Retrying (Retry(total=0)) after connection broken by NewConnectionError"), outage, 0},
			{"an index in trouble", python, pip("ERROR: HTTP error 503 while getting https://example.org/arrow.whl"), outage, 0},
			{"a line that breaks", python, pip("pip._vendor.urllib3.exceptions.ReadTimeoutError: Read timed out."), outage, 0},
			{"no Python", "exit 1", "", leftOut + "it needs Python 3.10 or newer\n", 0},
			{"no venv", `[ "$1" = -c ]`, "", leftOut + "python3 -m venv fails" + log, 0},
			{"another package", python, pip("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."),
				"ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n", 1},
			{"one that does not build", python, pip("ERROR: Failed building wheel for ruamel"), "ERROR: Failed building wheel for ruamel\n", 1},
		} {
			t.Run(check+", "+tt.name, func(t *testing.T) {
				t.Parallel()
				if said, code := playCheck(t, check, tt.python, tt.pip); said != tt.want || code != tt.code {
					t.Errorf("said %q and exited with %d, want %q and %d", said, code, tt.want, tt.code)
				}
			})
		}
	}
	for check, want := range map[string]string{
		"sam-check": "sam validate --lint --config-env prod\nsam build\ngo test -tags sam",
		"tls-check": "go test -tags sslyze",
	} {
		t.Run(check+", there is one", func(t *testing.T) {
			t.Parallel()
			said, code := playCheck(t, check, python,
				`mkdir -p build/sam/bin; printf '#!/bin/sh\necho sam "$@"\n' > build/sam/bin/sam; chmod +x build/sam/bin/sam`)
			if code != 0 || !strings.HasPrefix(said, want) {
				t.Errorf("said %q and exited with %d, want %q", said, code, want)
			}
		})
	}
}
