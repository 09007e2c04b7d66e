package main

import (
	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/cmd/gateway/internal/server"
)

func healthcheckCommand(vars *variables) *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "Check that the gateway on this machine is healthy",
		Long: `Ask the gateway on this machine for /health on HTTP_ADDR. It exits with 0 when the
gateway is healthy and with 1 otherwise. The container image uses it, since it has
no curl.`,
		Example:     "  gateway healthcheck",
		Annotations: next(`If it fails, read the log of "gateway serve"; GET /ready says what is missing.`),
		Args:        cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			env, err := vars.env()
			if err != nil {
				return err
			}
			var s server.Settings
			if err := env.Load(&s); err != nil {
				return err
			}
			return s.CheckHealth(c.Context())
		},
	}
}
