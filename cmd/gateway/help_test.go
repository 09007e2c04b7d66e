package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestMain runs the gateway if the test program is called by that name, see [gatewayOnPath].
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "gateway" {
		main()
	}
	os.Exit(m.Run())
}

// ownCommands returns every command except those that cobra generates and documents.
func ownCommands() []*cobra.Command {
	var all []*cobra.Command
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Name() == "completion" {
			return
		}
		all = append(all, c)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root(&variables{}, io.Discard, io.Discard))
	return all
}

func TestHelp_DescribesEverything(t *testing.T) {
	t.Parallel()
	for _, c := range ownCommands() {
		path := c.CommandPath()
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || len(c.Short) > 72 {
			t.Errorf("%s: the short text is %q, want a phrase of at most 72 characters", path, c.Short)
		}
		if !strings.HasSuffix(c.Long, ".") || c.Long == c.Short {
			t.Errorf("%s: the long text is %q, want sentences", path, c.Long)
		}
		for line := range strings.Lines(c.Long + "\n" + c.Example + "\n" + c.Annotations[nextKey]) {
			if len(strings.TrimSpace(line)) > 100 {
				t.Errorf("%s: the line %q has more than 100 bytes", path, line)
			}
		}
		if c.IsAdditionalHelpTopicCommand() {
			continue
		}
		if !c.HasSubCommands() && (c.Example == "" || c.Annotations[nextKey] == "" && c.Name() != "help") {
			t.Errorf("%s: the help lacks an example or a next step", path)
		}
		for _, arg := range strings.Fields(c.Use)[1:] {
			if word := strings.Trim(arg, "[]"); word == strings.ToUpper(word) && !strings.Contains(c.Long, word) {
				t.Errorf("%s: the long text does not explain %s", path, word)
			}
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s has no description", path, f.Name)
			}
		})
	}
}

func TestHelp_SuggestsNextSteps(t *testing.T) {
	t.Parallel()
	_, out, _ := runWithoutEnv(t, "migrate", "up", "--help")
	if !strings.Contains(out, "\nNext:\n  Start or restart the gateway: gateway serve.\n\nFlags:\n") {
		t.Errorf("got no next step in\n%s", out)
	}
	for _, topic := range []string{"exit-codes", "output"} {
		if code, out, problems := runWithoutEnv(t, "help", topic); code != 0 || strings.Contains(out, "Usage:") || problems != "" {
			t.Errorf("help %s: exit code %d and %q on stderr, want 0 and a text without usage\n%s", topic, code, problems, out)
		}
		if _, out, _ := runWithoutEnv(t, "help"); !strings.Contains(out, "gateway "+topic) {
			t.Errorf("got no topic %s in\n%s", topic, out)
		}
	}
}

// exampleCodes holds the exit codes of the examples that cannot succeed in these tests.
var exampleCodes = map[string]int{
	"gateway audit adopt": 1, // the trail is intact
	"gateway healthcheck": 1, // no server is running
	"gateway mail retry 0198f7a0-7c3b-7d2e-9f11-0123456789ab": 1, // there is no such mail
	"gateway nextcloud adopt ada@example.org":                 1, // no account is in conflict
	"gateway restore --plan gateway.backup":                   1, // DATA_DIR is not empty
	"gateway restore gateway.backup":                          1,

	"echo ada@example.org | gateway user delete ada@example.org": 1, // the example before deleted it
}

// isServe reports whether an example runs until it is stopped.
func isServe(line string) bool { return strings.Contains(line, "gateway serve") }

// TestHelp_ExamplesRun runs every example in a shell, in a new folder with a user and a
// Nextcloud. Examples that start a server are only parsed; other tests run servers.
func TestHelp_ExamplesRun(t *testing.T) {
	t.Parallel()
	bin := gatewayOnPath(t)
	ran := 0
	for _, c := range ownCommands() {
		if c.Example == "" {
			continue
		}
		shell := newExampleShell(t, bin)
		if c.Name() == "restore" {
			shell = shell.withBackup(t)
		}
		for line := range strings.Lines(c.Example) {
			line = strings.TrimSpace(line)
			if isServe(line) {
				_, command, _ := strings.Cut(line, "gateway ")
				expectParses(t, strings.Fields(command))
				continue
			}
			if code, out, problems := shell.run(t, line); code != exampleCodes[line] {
				t.Errorf("%s\nexit code %d, want %d\n%s%s", line, code, exampleCodes[line], out, problems)
			}
			ran++
		}
	}
	if ran < 25 {
		t.Errorf("%d examples ran, want at least 25", ran)
	}
}

// expectParses fails the test unless the command line is valid. It runs nothing.
func expectParses(t *testing.T, args []string) {
	t.Helper()
	c, rest, err := root(&variables{}, io.Discard, io.Discard).Find(args)
	if err == nil {
		err = c.ParseFlags(rest)
	}
	if err == nil {
		err = c.ValidateArgs(c.Flags().Args())
	}
	if err != nil {
		t.Errorf("gateway %q: %v", args, err)
	}
}

// TestOutput_EveryCommandHasJSON runs the first example of each command that prints a
// result.
func TestOutput_EveryCommandHasJSON(t *testing.T) {
	t.Parallel()
	silent := []string{"serve", "healthcheck", "help"}
	bin := gatewayOnPath(t)
	for _, c := range ownCommands() {
		if c.Example == "" || c.HasSubCommands() || slices.Contains(silent, c.Name()) {
			continue
		}
		line, _, _ := strings.Cut(strings.TrimSpace(c.Example), "\n")
		shell := newExampleShell(t, bin)
		if c.Name() == "restore" {
			shell = shell.withBackup(t)
		}
		code, out, problems := shell.run(t, line+" --output json")
		for documents := json.NewDecoder(strings.NewReader(out)); ; {
			var document map[string]any
			err := documents.Decode(&document)
			if err == io.EOF {
				break
			}
			if err != nil || len(document) == 0 {
				t.Fatalf("%s: %v\n%s%s", line, err, out, problems)
			}
		}
		if code != exampleCodes[line] || out == "" && code == 0 {
			t.Errorf("%s: exit code %d, want %d and JSON\n%s%s", line, code, exampleCodes[line], out, problems)
		}
	}
}

// gatewayOnPath returns a folder with a program gateway, which is the test program.
func gatewayOnPath(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "gateway")); err != nil {
		t.Fatal(err)
	}
	return bin
}

// An exampleShell is the working directory and the environment of examples.
type exampleShell struct {
	dir string
	env []string
}

// run runs a line in bash.
func (s exampleShell) run(t *testing.T, line string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", line)
	var out, problems bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.dir, s.env, &out, &problems
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), problems.String()
}

func newExampleShell(t *testing.T, bin string) exampleShell {
	t.Helper()
	s := newShell(t)
	s.env["BCRYPT_COST"], s.env["HTTP_ADDR"] = "10", "127.0.0.1:1"
	s.register(1)
	s.store(func(ctx context.Context, p *parts) error {
		_, err := p.DB.Handle().ExecContext(ctx, `UPDATE users SET email = 'ada@example.org'`)
		return err
	})
	console{t, s.env}.recordEvents("", 1)
	s.cloud.AddUser("ada@example.org", "theirs", "")
	s.cloud.AddUser("countess", "theirs", "")
	shell := exampleShell{dir: t.TempDir(), env: []string{"PATH=" + bin + string(filepath.ListSeparator) + os.Getenv("PATH")}}
	for name, value := range s.env {
		shell.env = append(shell.env, name+"="+value)
	}
	for name, text := range map[string]string{
		"password.txt": "a password of some length\n",
		"users.csv":    projectFile(t, "cmd/gateway/internal/userfile/testdata/supabase.csv"),
		"realm.json":   projectFile(t, "cmd/gateway/internal/userfile/testdata/keycloak.json"),
	} {
		if err := os.WriteFile(filepath.Join(shell.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return shell
}

// withBackup returns the shell with the file gateway.backup.
func (s exampleShell) withBackup(t *testing.T) exampleShell {
	t.Helper()
	if code, out, problems := s.run(t, "gateway backup gateway.backup"); code != 0 {
		t.Fatalf("backup: %s%s", out, problems)
	}
	return s
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		typed string
		want  []string
	}{
		{"key", []string{"keys"}},
		{"keys rot", []string{"rotate"}},
		{"keys rotate --da", []string{"--data"}},
		{"version --output ", []string{"table", "json"}},
		{"user set-role ada@example.org ", []string{"user", "admin"}},
		{"audit list --event role_", []string{"role_changed"}},
		{"migrate up ", nil},
	} {
		words := strings.Split("__complete "+test.typed, " ")
		code, out, _ := runWithoutEnv(t, words...)
		var got []string
		for line := range strings.Lines(out) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			if !strings.HasPrefix(word, ":") && strings.HasPrefix(word, words[len(words)-1]) { // as shells do
				got = append(got, word)
			}
		}
		if code != 0 || !slices.Equal(got, test.want) {
			t.Errorf("completion of %q: exit code %d and %q, want %q", test.typed, code, got, test.want)
		}
	}
	_, script, _ := runWithoutEnv(t, "completion", "bash")
	check := exec.CommandContext(t.Context(), "bash", "-n")
	check.Stdin = strings.NewReader(script)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("bash rejects the completion script: %v\n%s", err, out)
	}
	for _, shell := range []string{"zsh", "fish", "powershell"} {
		if code, out, problems := runWithoutEnv(t, "completion", shell); code != 0 || !strings.Contains(out, "gateway") || problems != "" {
			t.Errorf("completion %s: exit code %d and %q on stderr, want a script", shell, code, problems)
		}
	}
}
