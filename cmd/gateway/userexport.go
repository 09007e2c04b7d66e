package main

import (
	"bufio"
	"errors"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/cmd/gateway/internal/userfile"
	"github.com/voiceassist/gateway/shared/store"
)

func userExportCommand(vars *variables) *cobra.Command {
	var (
		format string
		hashes bool
	)
	c := &cobra.Command{
		Use:   "export",
		Short: "Print all accounts in a format that other systems read",
		Long: `Print all accounts, oldest first: as JSON Lines, one object a line, or as CSV. "user
import" reads both. With --hashes, the export contains the bcrypt hashes of the
passwords, so that users keep them. Keep such a file as secret as a backup of the
database.

An export has no conversation sessions, second factors and API keys. To move a gateway
with everything in it, restore a backup instead.`,
		Example: `  gateway user export
  gateway user export --format csv --hashes > users.csv`,
		Annotations: next(`Import the file elsewhere: gateway user import FILE.`),
		Args:        cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if format != string(userfile.JSONLines) && format != string(userfile.CSV) {
				return usagef("--format is %q; it must be jsonl or csv", format)
			}
			if asJSON(c) && format != string(userfile.JSONLines) {
				return usagef("pass either --format %s or --output json", format)
			}
			return withParts(c.Context(), vars, c.ErrOrStderr(), func(p *parts) error {
				out := bufio.NewWriter(c.OutOrStdout())
				w, err := userfile.NewWriter(out, userfile.Format(format), hashes)
				if err != nil {
					return err
				}
				n := 0
				progress := newProgress(c)
				_, err = p.operator().Export(c.Context(), func(a store.HashedAccount) error {
					n++
					progress.show("%d accounts written", n)
					return w.Write(a)
				})
				progress.end()
				return errors.Join(explain(err), w.Flush(), out.Flush())
			})
		},
	}
	c.Flags().StringVar(&format, "format", string(userfile.JSONLines), "`FORMAT` of the export: jsonl or csv")
	c.Flags().BoolVar(&hashes, "hashes", false, "include the password hashes")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions( // it fails only for an unknown flag
		[]string{string(userfile.JSONLines), string(userfile.CSV)}, cobra.ShellCompDirectiveNoFileComp))
	return c
}
