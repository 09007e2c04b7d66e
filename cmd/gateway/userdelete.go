package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/identity/account"
)

func userDeleteCommand(vars *variables) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "delete EMAIL",
		Short: "Delete an account",
		Long: `Delete the account with the address EMAIL, with its logins, API keys and conversation
sessions. NEXTCLOUD_ON_DELETE says what happens to its account in Nextcloud. It
cannot be undone, except by a backup. The audit trail keeps its events. The last
enabled administrator cannot be deleted.

Unless --yes is passed, the command asks to enter the address once more, on standard
input.`,
		Example: `  gateway user delete ada@example.org --yes
  echo ada@example.org | gateway user delete ada@example.org`,
		Annotations: next(`With a Nextcloud, apply the change there: gateway nextcloud reconcile.`),
		Args:        cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			address, err := account.ParseEmailLookup(args[0])
			if err != nil {
				return explain(err)
			}
			if !yes {
				if err := confirmDeletion(c, args[0]); err != nil {
					return err
				}
			}
			return withParts(c.Context(), vars, c.ErrOrStderr(), func(p *parts) error {
				a, err := p.operator().Delete(c.Context(), address)
				if err != nil {
					return explain(err)
				}
				return writeResult(c, userJSON{a.ID, a.Email, a.Role}, func(w io.Writer) { fmt.Fprintf(w, "%s is deleted\n", a.Email) })
			})
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

// confirmDeletion asks for the address, and returns an error unless it is entered.
func confirmDeletion(c *cobra.Command, email string) error {
	fmt.Fprintf(c.ErrOrStderr(), "Enter %s to delete the account: ", printable(email))
	line := bufio.NewScanner(io.LimitReader(c.InOrStdin(), account.MaxEmail*8))
	if line.Scan() && line.Text() == email {
		return nil
	}
	return errors.New("not confirmed; nothing was deleted")
}
