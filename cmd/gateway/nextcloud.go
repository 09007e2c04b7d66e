package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func nextcloudCommand(vars *variables) *cobra.Command {
	c := &cobra.Command{
		Use:   "nextcloud",
		Short: "Check Nextcloud and manage its accounts",
		Long: `Check the configured Nextcloud, and manage the accounts that users have there.
These commands need NEXTCLOUD_URL and the administrator's credentials.`,
	}
	c.AddCommand(reconcileCommand(vars), sweepCommand(vars), quotaCommand(vars), adoptCommand(vars), nextcloudImportCommand(vars), doctorCommand(vars))
	return c
}

var errNoNextcloud = errors.New("NEXTCLOUD_URL is not set: there is no Nextcloud to manage")
