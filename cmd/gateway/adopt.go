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
				return spoken(adopt(c.Context(), all, name, id, c.OutOrStdout()))
			})
		},
	}
	c.Flags().StringVar(&id, "id", "", "the id in Nextcloud")
	return c
}

func adopt(ctx context.Context, all *parts, name account.Lookup, id string, w io.Writer) error {
	if all.Reconciler == nil {
		return errNoNextcloud
	}
	a, _, err := all.DB.AccountByEmail(ctx, name)
	if err != nil {
		return err
	}
	event := audit.New(audit.Adopted, a.ID, atTheConsole, time.Now())
	n, err := all.Reconciler.Adopt(ctx, a.ID, id, event, func(fn func(*store.Tx, store.Confirmed) error) error {
		return all.DB.Update(ctx, func(tx *store.Tx) error { return fn(tx, tx.AtConsole()) })
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "the account %s in Nextcloud is %s's, who has to claim it\n", n.NextcloudID, a.Email)
	return err
}
