package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

func nextcloudCommand(vars *variables) *cobra.Command {
	c := &cobra.Command{
		Use:   "nextcloud",
		Short: "Check Nextcloud and manage its accounts",
		Long: `Check the configured Nextcloud, and manage the accounts that users have there.
These commands need NEXTCLOUD_URL and the administrator's credentials.`,
	}
	c.AddCommand(reconcileCommand(vars), sweepCommand(vars), quotaCommand(vars), adoptCommand(vars), doctorCommand(vars))
	return c
}

var errNoNextcloud = errors.New("NEXTCLOUD_URL is not set: there is no Nextcloud to manage")

// startDevNextcloud runs a Nextcloud in memory on a free port of this machine
// and points the settings at it. Its accounts are gone when it stops.
func startDevNextcloud(vars *variables, env *config.Env, w io.Writer) (stop func(), err error) {
	if env.String("NEXTCLOUD_URL", "") != "" {
		return nil, errors.New("--dev-nextcloud: NEXTCLOUD_URL is set; a gateway has one Nextcloud")
	}
	const admin = "admin"
	password := keyring.Generate()
	cloud := nextcloudtest.New(nextcloudtest.Options{AdminUser: admin, AdminPassword: password})
	server := &http.Server{
		Handler:           cloud,
		ReadHeaderTimeout: time.Second,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("--dev-nextcloud: %w", err)
	}
	go server.Serve(listener)
	url := "http://" + listener.Addr().String()
	vars.kept["NEXTCLOUD_URL"] = url
	vars.kept["NEXTCLOUD_ADMIN_USER"] = admin
	vars.kept["NEXTCLOUD_ADMIN_PASSWORD"] = password.Reveal()
	fmt.Fprintf(w, "FOR DEVELOPMENT ONLY: a Nextcloud in memory runs at %s; it loses everything when it stops\n", url)
	return func() {
		server.Close()
		cloud.Close()
	}, nil
}
