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

// runWithoutEnv runs a command with an empty environment.
func runWithoutEnv(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	none := func(string) (string, bool) { return "", false }
	return run(t.Context(), args, none, &out, &err), out.String(), err.String()
}

// commands returns the words of every group of commands and of every other command.
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
		t.Fatalf("got %d groups and %d commands, want at least 7 and 15: %v %v", len(groups), len(leaves), groups, leaves)
	}
	return groups, leaves
}

// expectUsageError fails the test unless the command exits with 2 and prints one line on
// stderr that contains all names.
func expectUsageError(t *testing.T, args []string, names ...string) {
	t.Helper()
	code, stdout, stderr := runWithoutEnv(t, args...)
	if code != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasSuffix(stderr, "\n") {
		t.Errorf("gateway %q: exit code %d, %q and %q, want 2 and one line on stderr", args, code, stdout, stderr)
	}
	for _, name := range names {
		if !strings.Contains(stderr, name) {
			t.Errorf("gateway %q: got %q, want it to name %q", args, stderr, name)
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
		expectUsageError(t, words, append(has, path+"no command")...)
		expectUsageError(t, append(slices.Clone(words), "nosuch"), append(has, path+`unknown command "nosuch"`)...)
		expectUsageError(t, append(slices.Clone(words), "nosuch", "x"), path+`unknown command "nosuch"`)
		expectUsageError(t, append(slices.Clone(words), "--nosuch"), path+"unknown flag: --nosuch", "--help")
		expectUsageError(t, append([]string{"help"}, append(slices.Clone(words), "nosuch")...), append(has, path+`unknown command "nosuch"`)...)
	}
}

func TestUsage_CommandsTakeTheirArgumentsAndFlagsOnly(t *testing.T) {
	t.Parallel()
	_, leaves := commands(t)
	for _, words := range leaves {
		path := strings.Join(append([]string{"gateway"}, words...), " ") + ": "
		with := func(more ...string) []string { return append(slices.Clone(words), more...) }
		expectUsageError(t, with("--nosuch"), path+"unknown flag: --nosuch", "--help")
		expectUsageError(t, with("-Z"), path+"unknown shorthand flag: 'Z'", "--help")
		expectUsageError(t, with("--help=perhaps"), path, "perhaps")
		if slices.Equal(words, []string{"help"}) {
			continue
		}
		expectUsageError(t, with("a", "b", "c"), path, " ")
		expectUsageError(t, append([]string{"help"}, with("nosuch")...), `unknown command "nosuch"`)
	}
	expectUsageError(t, []string{"serve", "now"}, `unexpected argument "now"`, "gateway serve")
	expectUsageError(t, []string{"user", "set-role", "ada@example.com"}, "an argument is missing", "EMAIL user|admin")
	expectUsageError(t, []string{"audit", "list", "--limit", "many"}, "--limit", "many")
	expectUsageError(t, []string{"audit", "list", "--limit", "0"}, "--limit is 0")
	expectUsageError(t, []string{"audit", "list", "--since", "yesterday"}, `--since is "yesterday"`)
	expectUsageError(t, []string{"audit", "list", "--event", "nosuch"}, `--event is "nosuch"`)
	expectUsageError(t, []string{"audit", "verify", "--head", "nosuch"}, "--head")
	expectUsageError(t, []string{"nextcloud", "sweep"}, "--plan", "--apply")
	expectUsageError(t, []string{"keys", "generate", "--algorithm", "none"}, "--algorithm", "none", "EdDSA")
	expectUsageError(t, []string{"keys", "rotate", "--older-than", "long"}, "--older-than")
}

// TestUsage_RevealsNoPassword passes the password as an argument.
func TestUsage_RevealsNoPassword(t *testing.T) {
	t.Parallel()
	_, _, stderr := runWithoutEnv(t, "user", "create", "ada@example.com", "hunter2")
	if !strings.Contains(stderr, "standard input") || strings.Contains(stderr, "hunter2") {
		t.Errorf("got %q, want a hint at standard input that does not contain the password", stderr)
	}
}

func TestUsage_HelpIsNotAnError(t *testing.T) {
	t.Parallel()
	groups, leaves := commands(t)
	for _, words := range slices.Concat(groups, leaves) {
		for _, args := range [][]string{append([]string{"help"}, words...), append(slices.Clone(words), "--help"), append(slices.Clone(words), "-h")} {
			code, stdout, stderr := runWithoutEnv(t, args...)
			if code != 0 || !strings.Contains(stdout, "Usage:") || stderr != "" {
				t.Errorf("gateway %q: exit code %d, %.80q and %q, want 0 and the usage", args, code, stdout, stderr)
			}
		}
	}
	for _, args := range [][]string{{"version"}, {"--version"}, {"completion", "bash"}} {
		if code, stdout, stderr := runWithoutEnv(t, args...); code != 0 || stdout == "" || stderr != "" {
			t.Errorf("gateway %q: exit code %d, %.80q and %q, want 0 and output", args, code, stdout, stderr)
		}
	}
}

// TestEnv_ReportsTheLineOfAMistake starts with a .env in which docker compose would
// substitute a variable inside a password.
func TestEnv_ReportsTheLineOfAMistake(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile(".env", []byte("LOG_LEVEL=info\nNEXTCLOUD_ADMIN_PASSWORD=hunter$two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := runWithoutEnv(t, "healthcheck")
	if code != 1 || stdout != "" || !strings.HasPrefix(stderr, ".env:2: NEXTCLOUD_ADMIN_PASSWORD has a $") || strings.Contains(stderr, "hunter") {
		t.Errorf("exit code %d, %q and %q, want 1 and the line without the password", code, stdout, stderr)
	}
}
