package main

import (
	"strings"

	"github.com/spf13/cobra"
)

const nextKey = "next" // of the annotation with the text under "Next:"

// next returns the annotation that help prints under "Next:": what to do after the
// command.
func next(text string) map[string]string { return map[string]string{nextKey: text} }

// hint prints what to do next, if stderr is a terminal.
func hint(c *cobra.Command, format string, args ...any) {
	if s, ok := c.ErrOrStderr().(*screen); ok && s.width != nil {
		notice(c, "Next: "+format, args...)
	}
}

// extendHelp adds "Next:" to the help of every command, after the examples, and adds
// the help topics.
func extendHelp(root *cobra.Command) {
	root.SetUsageTemplate(strings.NewReplacer(
		"{{if .Runnable}}", "{{if and .Runnable (not .HasAvailableSubCommands)}}",
		"{{.Example}}{{end}}", "{{.Example}}{{end}}{{with .Annotations."+nextKey+"}}\n\nNext:\n  {{.}}{{end}}",
	).Replace(root.UsageTemplate()))
	root.AddCommand(exitCodesTopic(), outputTopic())
}

func exitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit codes mean",
		Long: `Every command exits with one of these codes:

  0  The command succeeded. A check found nothing wrong.
  1  The command failed, or a check found something wrong: "audit verify" found
     a changed or missing event, "nextcloud doctor" a fault, "healthcheck" no
     healthy gateway, "nextcloud reconcile" left accounts behind, "config check"
     wrong settings, "user import" wrong records. "keys rotate" also exits with 1
     where the keys come from settings, which it does not change.
  2  The command line is invalid: an unknown command or flag, a missing or
     unexpected argument. Nothing was done.
  3  A check could not run: "audit verify" and "nextcloud doctor" exit with 3
     where settings are wrong or the database cannot be reached.

stderr says in one line or more what went wrong.`,
	}
}

func outputTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "output",
		Short: "What goes to stdout and stderr, and what --output json prints",
		Long: `Results go to stdout. Errors, warnings, progress and hints go to stderr.

With --output table, the default, results are tables and sentences for people.
Their wording may change in any release. An empty list prints a line on stderr
and nothing on stdout. Progress is one line that is rewritten on a terminal, and
otherwise a line every 10 seconds.

With --output json, stdout is one JSON document. "audit list" and "user export"
print one object a line (JSON Lines) instead, so that pipelines can read them.
Fields may be added in any release; none is renamed or removed within a major
version. Times are in UTC (RFC 3339). There is no progress and no hint. "serve",
"healthcheck", "help" and "completion" print no result and ignore the flag.

Errors are plain text on stderr in both formats: use the exit code in scripts. A
check that finds something wrong prints its document and exits with 1.`,
	}
}
