package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/account"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/wish"
)

func adoptCommand(vars *variables) *cobra.Command {
	var id string
	c := &cobra.Command{
		Use:   "adopt EMAIL",
		Short: "Say that an account in Nextcloud is a user's",
		Long: `Link an account that was in Nextcloud before the gateway to the user with that
address. Nothing in it changes. The user's files answer once they have claimed it
with its Nextcloud password (POST /api/users/me/nextcloud/claim). Without --id it
is the account that is in the way of the user's.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			name, err := account.ParseLookup(args[0])
			if err != nil {
				return spoken(err)
			}
			return withParts(c.Context(), vars, c.ErrOrStderr(), func(all *parts) error {
				a, n, err := adopt(c.Context(), all, name, id)
				if err != nil {
					return spoken(err)
				}
				result := struct {
					UserID      account.ID    `json:"user_id"`
					Email       account.Email `json:"email"`
					NextcloudID string        `json:"nextcloud_user_id"`
				}{a.ID, a.Email, n.NextcloudID}
				return writeResult(c, result, func(w io.Writer) {
					fmt.Fprintf(w, "the account %s in Nextcloud is linked to %s, who must claim it\n", n.NextcloudID, a.Email)
				})
			})
		},
	}
	c.Flags().StringVar(&id, "id", "", "the id in Nextcloud")
	return c
}

// adopt links the account in Nextcloud with that id, or the one in the way, to the
// user with that address, and returns both.
func adopt(ctx context.Context, all *parts, name account.Lookup, id string) (account.Account, wish.Account, error) {
	if all.Reconciler == nil {
		return account.Account{}, wish.Account{}, errNoNextcloud
	}
	a, _, err := all.DB.AccountByEmail(ctx, name)
	if err != nil {
		return account.Account{}, wish.Account{}, err
	}
	event := audit.New(audit.Adopted, a.ID, atTheConsole, time.Now())
	n, err := all.Reconciler.Adopt(ctx, a.ID, id, event, func(fn func(*store.Tx, store.Confirmed) error) error {
		return all.DB.Update(ctx, func(tx *store.Tx) error { return fn(tx, tx.AtConsole()) })
	})
	return a, n, err
}
