package main

import (
	"github.com/spf13/cobra"
)

func keysCommand(vars *variables) *cobra.Command {
	c := &cobra.Command{
		Use:   "keys",
		Short: "Generate, show and rotate keys",
		Long: `Generate keys, show which are in use, and rotate them. Keys that no setting names
are in keys.json in JWT_KEYS_DIR; running gateways read that file again by
themselves.`,
	}
	c.AddCommand(keysGenerateCommand(vars), keysStatusCommand(vars), keysRotateCommand(vars), keysResealCommand(vars))
	return c
}
