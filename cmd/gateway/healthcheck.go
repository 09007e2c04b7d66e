package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/cmd/gateway/internal/server"
	"github.com/voiceassist/gateway/shared/config"
)

const healthTimeout = 4 * time.Second // under the 5 s that the image's HEALTHCHECK allows

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
			return healthcheck(c.Context(), env)
		},
	}
}

// healthcheck asks over plain HTTP, which answers /health itself, so that no
// certificate stands between.
func healthcheck(ctx context.Context, env *config.Env) error {
	var s server.Settings
	if err := env.Load(&s); err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(s.HTTPAddr)
	if err != nil {
		return fmt.Errorf("HTTP_ADDR: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/health", http.NoBody)
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("healthcheck: the gateway responded with %s", resp.Status)
	}
	return nil
}
