package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/revocation"
	"github.com/voiceassist/gateway/shared/setup"
)

func userLogoutCommand(vars *variables) *cobra.Command {
	var (
		all  bool
		keep revocation.Keep
	)
	c := &cobra.Command{
		Use:   "logout [EMAIL]",
		Short: "End all logins of one user or of everybody",
		Long: `End all logins of the account with the address EMAIL, or of everybody with --all.
Access tokens, refresh tokens and API keys stop working at once, and the app
passwords that the gateway issued for Nextcloud are revoked. Users log in again with their
password, which does not change.

With --all, the command logs out a few accounts at a time, while the gateway serves
others. You can interrupt it at any time and run it again. It does not end logins
that begin while it runs.`,
		Example: `  gateway user logout ada@example.org
  gateway user logout --all --keep-app-passwords`,
		Annotations: next(`See who was logged out: gateway audit list --event logged_out_everywhere.`),
		Args: func(_ *cobra.Command, args []string) error {
			if all == (len(args) == 1) || len(args) > 1 {
				return usagef("pass either EMAIL or --all")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return withParts(c.Context(), vars, c.ErrOrStderr(), func(p *parts) error {
				if all {
					return logOutAll(c, p, keep)
				}
				return logOut(c, p, args[0], keep)
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "end the logins of all users")
	c.Flags().BoolVar(&keep.APIKeys, "keep-api-keys", false, "keep the API keys")
	c.Flags().BoolVar(&keep.AppPasswords, "keep-app-passwords", false, "keep the app passwords for Nextcloud")
	return c
}

// A logoutJSON is the result under --output json.
type logoutJSON struct {
	Users int `json:"users"` // accounts that had something to end
}

func logOut(c *cobra.Command, p *parts, email string, keep revocation.Keep) error {
	address, err := account.ParseEmailLookup(email)
	if err != nil {
		return explain(err)
	}
	a, ended, err := p.operator().LogOut(c.Context(), address, keep)
	if err != nil {
		return explain(err)
	}
	result, line := logoutJSON{}, fmt.Sprintf("%s was not logged in", a.Email)
	if ended {
		result.Users, line = 1, fmt.Sprintf("%s is logged out", a.Email)
	}
	return writeResult(c, result, func(w io.Writer) { fmt.Fprintln(w, line) })
}

func logOutAll(c *cobra.Command, p *parts, keep revocation.Keep) error {
	// One line for each account would hide everything else. The trail has the events.
	p.DB.LogTo(setup.Log(slog.LevelWarn, c.ErrOrStderr()))
	progress := newProgress(c)
	done, err := p.operator().LogOutAll(c.Context(), keep, func(done int) { progress.show("%d users logged out", done) })
	progress.end()
	return errors.Join(writeResult(c, logoutJSON{done}, func(w io.Writer) { fmt.Fprintf(w, "%d users logged out\n", done) }), explain(err))
}
