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

// A format is how a command prints its result on stdout.
type format string

const (
	tableFormat format = "table" // for people
	jsonFormat  format = "json"  // for programs: one document, see the help topic "output"
)

func (f *format) String() string { return string(*f) }

func (f *format) Type() string { return "format" }

// Set is called by the parser of the command line.
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
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions( // it fails for an unknown flag only
		[]string{string(tableFormat), string(jsonFormat)}, cobra.ShellCompDirectiveNoFileComp))
}

// addOldJSON gives c the flag that it had before --output. Scripts use it, so
// that it is hidden but not marked as deprecated: cobra prints that on stdout.
func addOldJSON(c *cobra.Command) {
	c.Flags().Bool("json", false, "deprecated: use --output json")
	c.Flag("json").Hidden = true
}

// asJSON reports whether c prints its result for programs.
func asJSON(c *cobra.Command) bool {
	old, _ := c.Flags().GetBool("json") // not every command has it
	f := c.Flag("output")
	return old || f != nil && f.Value.String() == string(jsonFormat)
}

// writeResult prints the result of c: value as one JSON document under --output
// json, otherwise what table writes. The error is that of stdout.
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

// printable escapes what could control a terminal in text that others wrote.
func printable(text string) string {
	quoted := strconv.QuoteToGraphic(text)
	return quoted[1 : len(quoted)-1]
}

// notice prints a line on stderr for people, such as that a list is empty.
// Nothing is printed under --output json.
func notice(c *cobra.Command, format string, args ...any) {
	if !asJSON(c) {
		fmt.Fprintf(c.ErrOrStderr(), format+"\n", args...)
	}
}
