package main

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// typed runs a command line with an environment of nothing, and returns the
// exit code and what it wrote.
func typed(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	none := func(string) (string, bool) { return "", false }
	return run(t.Context(), args, none, &out, &err), out.String(), err.String()
}

// commands returns every command of the gateway, as words of a command line.
func commands(t *testing.T) (groups, leaves [][]string) {
	t.Helper()
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.IsAdditionalHelpTopicCommand() {
			return
		}
		words := strings.Fields(c.CommandPath())[1:]
		if !c.HasSubCommands() {
			leaves = append(leaves, words)
			return
		}
		groups = append(groups, words)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root(&variables{}, io.Discard, io.Discard))
	if len(groups) < 7 || len(leaves) < 15 {
		t.Fatalf("only %d groups of commands and %d commands: %v %v", len(groups), len(leaves), groups, leaves)
	}
	return groups, leaves
}

// refused holds that a command line ends with 2 and one line that names the
// command, what was not understood, and what there is.
func refused(t *testing.T, args []string, names ...string) {
	t.Helper()
	code, stdout, stderr := typed(t, args...)
	if code != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasSuffix(stderr, "\n") {
		t.Errorf("gateway %q: %d, %q, %q; want 2 and one line on stderr", args, code, stdout, stderr)
	}
	for _, name := range names {
		if !strings.Contains(stderr, name) {
			t.Errorf("gateway %q: %q does not name %q", args, stderr, name)
		}
	}
}

func TestUsage_GroupsTakeTheirCommandsOnly(t *testing.T) {
	t.Parallel()
	groups, leaves := commands(t)
	for _, words := range groups {
		path := strings.Join(append([]string{"gateway"}, words...), " ") + ": "
		var has []string
		for _, c := range slices.Concat(groups, leaves) {
			if len(c) == len(words)+1 && slices.Equal(c[:len(words)], words) {
				has = append(has, c[len(words)])
			}
		}
		refused(t, words, append(has, path+"no command")...)
		refused(t, append(slices.Clone(words), "nosuch"), append(has, path+`unknown command "nosuch"`)...)
		refused(t, append(slices.Clone(words), "nosuch", "x"), path+`unknown command "nosuch"`)
		refused(t, append(slices.Clone(words), "--nosuch"), path+"unknown flag: --nosuch", "--help")
		refused(t, append([]string{"help"}, append(slices.Clone(words), "nosuch")...), append(has, path+`unknown command "nosuch"`)...)
	}
}

func TestUsage_CommandsTakeTheirArgumentsAndFlagsOnly(t *testing.T) {
	t.Parallel()
	_, leaves := commands(t)
	for _, words := range leaves {
		path := strings.Join(append([]string{"gateway"}, words...), " ") + ": "
		with := func(more ...string) []string { return append(slices.Clone(words), more...) }
		refused(t, with("--nosuch"), path+"unknown flag: --nosuch", "--help")
		refused(t, with("-Z"), path+"unknown shorthand flag: 'Z'", "--help")
		refused(t, with("--help=perhaps"), path, "perhaps")
		if slices.Equal(words, []string{"help"}) {
			continue
		}
		refused(t, with("a", "b", "c"), path, " ")
		refused(t, append([]string{"help"}, with("nosuch")...), `unknown command "nosuch"`)
	}
	refused(t, []string{"serve", "now"}, `unexpected argument "now"`, "gateway serve")
	refused(t, []string{"user", "set-role", "ada@example.com"}, "an argument is missing", "EMAIL user|admin")
	refused(t, []string{"audit", "list", "--limit", "many"}, "--limit", "many")
	refused(t, []string{"audit", "list", "--limit", "0"}, "--limit is 0")
	refused(t, []string{"audit", "list", "--since", "yesterday"}, `--since is "yesterday"`)
	refused(t, []string{"audit", "list", "--event", "nosuch"}, `--event is "nosuch"`)
	refused(t, []string{"audit", "verify", "--head", "nosuch"}, "--head")
	refused(t, []string{"nextcloud", "sweep"}, "--plan", "--apply")
	refused(t, []string{"keys", "generate", "--algorithm", "none"}, "--algorithm", "none", "EdDSA")
	refused(t, []string{"keys", "rotate", "--older-than", "long"}, "--older-than")
}

// TestUsage_RevealsNoPassword has the password where it does not belong.
func TestUsage_RevealsNoPassword(t *testing.T) {
	t.Parallel()
	_, _, stderr := typed(t, "user", "create", "ada@example.com", "hunter2")
	if !strings.Contains(stderr, "standard input") || strings.Contains(stderr, "hunter2") {
		t.Errorf("got %q; want where the password belongs, and not the password", stderr)
	}
}

func TestUsage_HelpIsNotAnError(t *testing.T) {
	t.Parallel()
	groups, leaves := commands(t)
	for _, words := range slices.Concat(groups, leaves) {
		for _, args := range [][]string{append([]string{"help"}, words...), append(slices.Clone(words), "--help"), append(slices.Clone(words), "-h")} {
			code, stdout, stderr := typed(t, args...)
			if code != 0 || !strings.Contains(stdout, "Usage:") || stderr != "" {
				t.Errorf("gateway %q: %d, %.80q, %q; want 0 and the usage", args, code, stdout, stderr)
			}
		}
	}
	for _, args := range [][]string{{"version"}, {"--version"}, {"completion", "bash"}} {
		if code, stdout, stderr := typed(t, args...); code != 0 || stdout == "" || stderr != "" {
			t.Errorf("gateway %q: %d, %.80q, %q", args, code, stdout, stderr)
		}
	}
}

// TestEnv_ReportsTheLineOfAMistake has a file that docker compose would read in
// another way than it looks.
func TestEnv_ReportsTheLineOfAMistake(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile(".env", []byte("LOG_LEVEL=info\nNEXTCLOUD_ADMIN_PASSWORD=hunter$two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := typed(t, "healthcheck")
	if code != 1 || stdout != "" || !strings.HasPrefix(stderr, ".env:2: NEXTCLOUD_ADMIN_PASSWORD has a $") || strings.Contains(stderr, "hunter") {
		t.Errorf("got %d, %q, %q", code, stdout, stderr)
	}
}
