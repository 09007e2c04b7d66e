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

// TestMain is the gateway where the tests call themselves by that name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "gateway" {
		main()
	}
	os.Exit(m.Run())
}

// own returns every command that is described here, and not by cobra.
func own() []*cobra.Command {
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
	for _, c := range own() {
		path := c.CommandPath()
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || len(c.Short) > 72 {
			t.Errorf("%s: the short text is %q; want a phrase of up to 72 characters", path, c.Short)
		}
		if !strings.HasSuffix(c.Long, ".") || c.Long == c.Short {
			t.Errorf("%s: the long text is %q; want sentences", path, c.Long)
		}
		for line := range strings.Lines(c.Long + "\n" + c.Example + "\n" + c.Annotations[nextKey]) {
			if len(strings.TrimSpace(line)) > 100 {
				t.Errorf("%s: a long line: %q", path, line)
			}
		}
		if c.IsAdditionalHelpTopicCommand() {
			continue
		}
		if !c.HasSubCommands() && (c.Example == "" || c.Annotations[nextKey] == "" && c.Name() != "help") {
			t.Errorf("%s: the help has no example, or does not say what comes next", path)
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
	_, out, _ := typed(t, "migrate", "up", "--help")
	if !strings.Contains(out, "\nNext:\n  Start or restart the gateway: gateway serve.\n\nFlags:\n") {
		t.Errorf("got\n%s", out)
	}
	for _, topic := range []string{"exit-codes", "output"} {
		if code, out, problems := typed(t, "help", topic); code != 0 || strings.Contains(out, "Usage:") || problems != "" {
			t.Errorf("%s: %d, %q\n%s", topic, code, problems, out)
		}
		if _, out, _ := typed(t, "help"); !strings.Contains(out, "gateway "+topic) {
			t.Errorf("help does not list the topic %s\n%s", topic, out)
		}
	}
}

// Examples that cannot end with 0 here, with the exit code that they have.
var exampleCodes = map[string]int{
	"gateway audit adopt":                     1, // nothing is wrong with the trail
	"gateway healthcheck":                     1, // no server runs
	"gateway nextcloud adopt ada@example.org": 1, // no account is in conflict
}

// serves are the examples that run until they are stopped.
func serves(line string) bool { return strings.Contains(line, "gateway serve") }

// TestHelp_ExamplesRun runs every example in a shell, in a new folder with a
// user and a Nextcloud; a server is only parsed, and runs in other tests.
func TestHelp_ExamplesRun(t *testing.T) {
	t.Parallel()
	bin := gatewayOnPath(t)
	ran := 0
	for _, c := range own() {
		if c.Example == "" {
			continue
		}
		shell := newExampleShell(t, bin)
		for line := range strings.Lines(c.Example) {
			line = strings.TrimSpace(line)
			if serves(line) {
				_, command, _ := strings.Cut(line, "gateway ")
				parses(t, strings.Fields(command))
				continue
			}
			if code, out, problems := shell.run(t, line); code != exampleCodes[line] {
				t.Errorf("%s\nexit code %d, want %d\n%s%s", line, code, exampleCodes[line], out, problems)
			}
			ran++
		}
	}
	if ran < 25 {
		t.Errorf("only %d examples ran", ran)
	}
}

// parses holds that a command line is accepted, and runs nothing.
func parses(t *testing.T, args []string) {
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

// TestOutput_EveryCommandHasJSON runs the first example of each command that
// prints a result.
func TestOutput_EveryCommandHasJSON(t *testing.T) {
	t.Parallel()
	silent := []string{"serve", "healthcheck", "help"}
	bin := gatewayOnPath(t)
	for _, c := range own() {
		if c.Example == "" || c.HasSubCommands() || slices.Contains(silent, c.Name()) {
			continue
		}
		line, _, _ := strings.Cut(strings.TrimSpace(c.Example), "\n")
		code, out, problems := newExampleShell(t, bin).run(t, line+" --output json")
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
			t.Errorf("%s: exit code %d\n%s%s", line, code, out, problems)
		}
	}
}

// gatewayOnPath returns a folder in which this test is the program gateway.
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

// An exampleShell is where examples run.
type exampleShell struct {
	dir string
	env []string
}

// run runs a line of bash.
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
	console{t, s.env}.happen("", 1)
	s.cloud.AddUser("ada@example.org", "theirs", "")
	s.cloud.AddUser("countess", "theirs", "")
	shell := exampleShell{dir: t.TempDir(), env: []string{"PATH=" + bin + string(filepath.ListSeparator) + os.Getenv("PATH")}}
	for name, value := range s.env {
		shell.env = append(shell.env, name+"="+value)
	}
	if err := os.WriteFile(filepath.Join(shell.dir, "password.txt"), []byte("a password of some length\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return shell
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
		code, out, _ := typed(t, words...)
		var got []string
		for line := range strings.Lines(out) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			if !strings.HasPrefix(word, ":") && strings.HasPrefix(word, words[len(words)-1]) { // as shells do
				got = append(got, word)
			}
		}
		if code != 0 || !slices.Equal(got, test.want) {
			t.Errorf("%q: %d, %q, want %q", test.typed, code, got, test.want)
		}
	}
	_, script, _ := typed(t, "completion", "bash")
	check := exec.CommandContext(t.Context(), "bash", "-n")
	check.Stdin = strings.NewReader(script)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("bash refuses the script: %v\n%s", err, out)
	}
	for _, shell := range []string{"zsh", "fish", "powershell"} {
		if code, out, problems := typed(t, "completion", shell); code != 0 || !strings.Contains(out, "gateway") || problems != "" {
			t.Errorf("%s: %d, %s", shell, code, problems)
		}
	}
}
