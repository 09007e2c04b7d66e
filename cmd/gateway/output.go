package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// A format is the format of a command's result on stdout.
type format string

const (
	tableFormat format = "table" // for people
	jsonFormat  format = "json"  // for programs: one document; see the help topic "output"
)

func (f *format) String() string { return string(*f) }

func (f *format) Type() string { return "format" }

// Set implements pflag.Value.
func (f *format) Set(text string) error {
	if text != string(tableFormat) && text != string(jsonFormat) {
		return errors.New("must be table or json")
	}
	*f = format(text)
	return nil
}

// addOutput gives every command below root the flag --output.
func addOutput(root *cobra.Command) {
	f := tableFormat
	root.PersistentFlags().VarP(&f, "output", "o", "`FORMAT` of the result: table or json")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions( // it fails only for an unknown flag
		[]string{string(tableFormat), string(jsonFormat)}, cobra.ShellCompDirectiveNoFileComp))
}

// addOldJSON adds --json, which c had before --output, for scripts. It is hidden but
// not marked as deprecated, since cobra would print that on stdout.
func addOldJSON(c *cobra.Command) {
	c.Flags().Bool("json", false, "deprecated: use --output json")
	c.Flag("json").Hidden = true
}

// asJSON reports whether c prints its result as JSON.
func asJSON(c *cobra.Command) bool {
	old, _ := c.Flags().GetBool("json") // most commands do not have it
	f := c.Flag("output")
	return old || f != nil && f.Value.String() == string(jsonFormat)
}

// writeResult prints the result of c: value as one JSON document with --output json,
// otherwise what table writes. The error is that of stdout.
func writeResult(c *cobra.Command, value any, table func(w io.Writer)) error {
	if asJSON(c) {
		return writeJSON(c.OutOrStdout(), value)
	}
	w := bufio.NewWriter(c.OutOrStdout())
	table(w)
	return w.Flush()
}

// writeJSON writes value as one indented JSON document.
func writeJSON(w io.Writer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(value)
}

// writeTable writes rows in aligned columns under their headings.
func writeTable(w io.Writer, headings []string, rows [][]string) {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.Join(headings, "\t"))
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = printable(cell)
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	table.Flush()
	for line := range strings.Lines(text.String()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n")) // empty cells at the end
	}
}

// printable escapes the control characters of untrusted text, so that it cannot
// control a terminal.
func printable(text string) string {
	quoted := strconv.QuoteToGraphic(text)
	return quoted[1 : len(quoted)-1]
}

// notice prints a line for people on stderr, such as that a list is empty. It prints
// nothing with --output json.
func notice(c *cobra.Command, format string, args ...any) {
	if !asJSON(c) {
		fmt.Fprintf(c.ErrOrStderr(), format+"\n", args...)
	}
}
