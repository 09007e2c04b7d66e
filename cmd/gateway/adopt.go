package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/identity/account"
)

func adoptCommand(vars *variables) *cobra.Command {
	var id string
	c := &cobra.Command{
		Use:   "adopt EMAIL",
		Short: "Link an existing account in Nextcloud to a user",
		Long: `Link an account that was in Nextcloud before the gateway to the user with the
address EMAIL. Nothing in the account changes. The user gets access to its files
after claiming it with its Nextcloud password. Without --id, the command links the
account that is in conflict with the user's.`,
		Example: `  gateway nextcloud adopt ada@example.org
  gateway nextcloud adopt ada@example.org --id countess`,
		Annotations: next(`The user claims the account: POST /api/users/me/nextcloud/claim.`),
		Args:        cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			address, err := account.ParseEmailLookup(args[0])
			if err != nil {
				return explain(err)
			}
			return withParts(c.Context(), vars, c.ErrOrStderr(), func(all *parts) error {
				if all.Reconciler == nil {
					return errNoNextcloud
				}
				a, n, err := all.operator().Adopt(c.Context(), address, id)
				if err != nil {
					return explain(err)
				}
				result := struct {
					UserID      account.ID    `json:"user_id"`
					Email       account.Email `json:"email"`
					NextcloudID string        `json:"nextcloud_user_id"`
				}{a.ID, a.Email, n.NextcloudID}
				err = writeResult(c, result, func(w io.Writer) {
					fmt.Fprintf(w, "the account %s in Nextcloud is linked to %s, who must claim it\n", n.NextcloudID, a.Email)
				})
				if err == nil {
					hint(c, "%s claims it with POST /api/users/me/nextcloud/claim", a.Email)
				}
				return err
			})
		},
	}
	c.Flags().StringVar(&id, "id", "", "the `ID` of the account in Nextcloud")
	return c
}
