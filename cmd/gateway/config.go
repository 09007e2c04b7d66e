package main

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/cmd/gateway/internal/configcheck"
	"github.com/voiceassist/gateway/cmd/gateway/internal/server"
	"github.com/voiceassist/gateway/cmd/gateway/internal/settings"
	"github.com/voiceassist/gateway/cmd/gateway/internal/tracing"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/store/postgres"
)

func configCommand(vars *variables) *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Check the settings, and explain them",
		Long: "Check the settings in the environment and in .env, or print what each setting means."}
	c.AddCommand(configCheckCommand(vars), configDocsCommand(), configExampleCommand())
	return c
}

// describe returns the descriptions of all settings.
func describe() settings.Groups {
	return settings.Describe(new(server.Settings), new(tracing.Settings), new(allSettings))
}

func configCheckCommand(vars *variables) *cobra.Command {
	var onlySet bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Show every setting, where it comes from, and all mistakes",
		Long: `Show every setting with its value and where the value comes from, and list all
mistakes at once: in the format of .env, in values, in combinations of settings and
in the files that they name. Secrets are never shown.

The command reads the settings as "gateway serve" does. It starts nothing, changes
nothing and contacts nothing. The exit code is 1 if the gateway would not start with
these settings. Warnings do not count.`,
		Example: `  gateway config check
  gateway config check --set
  gateway config check --output json`,
		Annotations: next(`Correct the mistakes, then run it again; without mistakes, gateway serve.`),
		Args:        cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r := examine(vars)
			if onlySet {
				r.KeepSet()
			}
			if err := writeResult(c, r, func(w io.Writer) { writeReport(w, r) }); err != nil {
				return err
			}
			if n := len(r.Mistakes); n > 0 {
				return fmt.Errorf("the gateway does not start with these settings; mistakes: %d", n)
			}
			notice(c, "The settings are valid.")
			hint(c, "gateway serve")
			return nil
		},
	}
	c.Flags().BoolVar(&onlySet, "set", false, "leave out settings that have their default")
	return c
}

func configDocsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "docs",
		Short: "Print the reference of all settings",
		Long: `Print the reference of all settings as Markdown: docs/configuration.md. With
--output json it is one JSON document.`,
		Example: `  gateway config docs
  gateway config docs --output json`,
		Annotations: next(`To start an .env file: gateway config example.`),
		Args:        cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			doc := struct {
				Groups settings.Groups `json:"groups"`
			}{describe()}
			return writeResult(c, doc, func(w io.Writer) { io.WriteString(w, doc.Groups.Markdown()) }) //nolint:errcheck // w returns its first error later
		},
	}
}

func configExampleCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "example",
		Short: "Print an .env file with every setting in it",
		Long:  `Print an .env file with every setting in it, and what it means: .env.example.`,
		Example: `  gateway config example
  gateway config example > .env`,
		Annotations: next(`Edit the file, then run gateway config check.`),
		Args:        cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			text := describe().Example()
			doc := struct {
				Text string `json:"text"`
			}{text}
			return writeResult(c, doc, func(w io.Writer) { io.WriteString(w, text) }) //nolint:errcheck // w returns its first error later
		},
	}
}

// examine reads all settings as the server and migrations do, and reports on them. It
// creates, changes and contacts nothing.
func examine(vars *variables) *configcheck.Report {
	env, err := vars.read()
	if err != nil {
		return configcheck.Unreadable(err)
	}
	readServer(env)
	kept, err := checkSettings(vars, env)
	if env.Secret("MIGRATE_DATABASE_URL") != "" {
		err = env.Load(new(postgres.DirectSettings))
	}
	path, _ := vars.fileName()
	source := configcheck.Source{
		Environment: vars.process, FileName: path, File: vars.file, Keys: kept,
		SharedSecret: sharedSecret(env), Debug: setting.LogLevel(env) == slog.LevelDebug,
	}
	for _, m := range mistakes(err) {
		source.Mistakes = append(source.Mistakes, configcheck.Finding{Setting: m.Variable, Text: m.Error()})
	}
	file := keySource(env).File
	if set, err := file.Read(); err == nil && len(set.Secrets) > 0 {
		source.KeyFile = file.Path()
	}
	return configcheck.Check(describe().All(), source)
}

// writeReport writes the report for people. Findings come last, next to the prompt.
func writeReport(w io.Writer, r *configcheck.Report) {
	if len(r.Settings) > 0 {
		rows := make([][]string, len(r.Settings))
		for i, s := range r.Settings {
			rows[i] = []string{s.Name, shorten(s.Value), s.From}
		}
		writeTable(w, []string{"SETTING", "VALUE", "FROM"}, rows)
	}
	if len(r.Settings) > 0 && len(r.Mistakes)+len(r.Warnings) > 0 {
		fmt.Fprintln(w)
	}
	for _, f := range r.Mistakes {
		fmt.Fprintln(w, "mistake  "+withLine(f))
	}
	for _, f := range r.Warnings {
		fmt.Fprintln(w, "warning  "+withLine(f))
	}
}

// withLine returns the text of the finding after the line of .env that it is about.
func withLine(f configcheck.Finding) string {
	at := strings.LastIndexByte(f.From, ':')
	if _, err := strconv.Atoi(f.From[at+1:]); at < 0 || err != nil || strings.HasPrefix(f.Text, f.From[:at+1]) {
		return f.Text
	}
	return f.From + ": " + f.Text
}

// shorten truncates a value to the width of its column.
func shorten(value string) string {
	const width = 60
	if runes := []rune(value); len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return value
}
