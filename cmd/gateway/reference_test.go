package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"strings"
	"testing"
	"text/template"

	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "rewrite docs/cli.md")

// TestReference_MatchesHelp compares docs/cli.md with the help of the commands. To rewrite
// the page: go test ./cmd/gateway -run Reference -update
func TestReference_MatchesHelp(t *testing.T) {
	t.Parallel()
	tree := root(&variables{}, io.Discard, io.Discard)
	page := template.Must(template.New("cli.md").Funcs(template.FuncMap{
		"flags": func(c *cobra.Command) string {
			c.InitDefaultHelpFlag()
			return strings.TrimRight(c.LocalFlags().FlagUsages(), "\n")
		},
		"anchor": func(path string) string { return strings.ReplaceAll(path, " ", "-") },
		"short":  func(path string) string { return strings.TrimPrefix(path, "gateway ") },
		"all":    func() []*cobra.Command { return ownCommands()[1:] },
		"topic":  (*cobra.Command).IsAdditionalHelpTopicCommand,
		"leaf":   func(c *cobra.Command) bool { return !c.HasSubCommands() },
		"fence":  func() string { return "```" },
		"next":   func(c *cobra.Command) string { return c.Annotations[nextKey] },
	}).Parse(referencePage))
	var want bytes.Buffer
	if err := page.Execute(&want, tree); err != nil {
		t.Fatal(err)
	}
	const file = "../../docs/cli.md"
	if *update {
		if err := os.WriteFile(file, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if projectFile(t, "docs/cli.md") != want.String() {
		t.Error("docs/cli.md differs from the help of the commands; run: go test ./cmd/gateway -run Reference -update")
	}
}

const referencePage = `# Command line

The reference of all commands of the ` + "`gateway`" + ` binary. It is generated from
` + "`gateway help`" + `; to change it, change the texts in ` + "`cmd/gateway`" + ` and run
` + "`go test ./cmd/gateway -run Reference -update`" + `. A test runs every example.

| command | what it does |
|---|---|
{{range all}}{{if not (topic .)}}| [{{.CommandPath}}](#{{anchor .CommandPath}}) | {{.Short}} |
{{end}}{{end}}
Every command takes ` + "`--help`" + ` and ` + "`--output table|json`" + ` (` + "`-o`" + `). The former ` + "`--json`" + ` of
` + "`audit`, `keys status`, `nextcloud doctor` and `nextcloud sweep`" + ` still works and is
deprecated.

{{range all}}{{if topic .}}## {{.Short}}

{{fence}}text
{{.Long}}
{{fence}}

{{end}}{{end}}## Shell completion

` + "`gateway completion bash|zsh|fish|powershell`" + ` prints a script that completes commands,
flags and values such as event names. ` + "`source <(gateway completion bash)`" + ` loads it into
the running shell, and ` + "`gateway completion bash --help`" + ` says where to put the script for every new shell.

{{range all}}{{if not (topic .)}}## {{.CommandPath}}

{{.Long}}
{{if leaf .}}
{{fence}}text
Usage:
  {{.UseLine}}

Examples:
{{.Example}}

Flags:
{{flags .}}
{{fence}}
{{with next .}}
Next: {{.}}
{{end}}{{end}}
{{end}}{{end}}`
