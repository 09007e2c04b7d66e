package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/identity/account"
)

func userDisableCommand(vars *variables) *cobra.Command {
	return &cobra.Command{
		Use:   "disable EMAIL",
		Short: "Disable an account",
		Long: `Disable the account with the address EMAIL. Its logins end and its API keys are revoked
at once, and its account in Nextcloud is disabled. Nothing is deleted. The last
enabled administrator cannot be disabled.`,
		Example:     `  gateway user disable ada@example.org`,
		Annotations: next(`To undo it: gateway user enable EMAIL. The user must log in again.`),
		Args:        cobra.ExactArgs(1),
		RunE:        func(c *cobra.Command, args []string) error { return setDisabled(c, vars, args[0], true) },
	}
}

func userEnableCommand(vars *variables) *cobra.Command {
	return &cobra.Command{
		Use:   "enable EMAIL",
		Short: "Enable a disabled account",
		Long: `Enable the account with the address EMAIL, and its account in Nextcloud. The user can
log in again with the password. API keys stay revoked.`,
		Example:     `  gateway user enable ada@example.org`,
		Annotations: next(`See the account: gateway user show EMAIL.`),
		Args:        cobra.ExactArgs(1),
		RunE:        func(c *cobra.Command, args []string) error { return setDisabled(c, vars, args[0], false) },
	}
}

// A userStateJSON is the result under --output json.
type userStateJSON struct {
	ID       account.ID    `json:"id"`
	Email    account.Email `json:"email"`
	Disabled bool          `json:"disabled"`
	Changed  bool          `json:"changed"` // false if the account was in that state before
}

func setDisabled(c *cobra.Command, vars *variables, email string, disabled bool) error {
	address, err := account.ParseEmailLookup(email)
	if err != nil {
		return explain(err)
	}
	return withParts(c.Context(), vars, c.ErrOrStderr(), func(p *parts) error {
		a, changed, err := p.operator().SetDisabled(c.Context(), address, disabled)
		if err != nil {
			return explain(err)
		}
		state, was := "enabled", ""
		if disabled {
			state = "disabled"
		}
		if !changed {
			was = " already"
		}
		return writeResult(c, userStateJSON{a.ID, a.Email, disabled, changed}, func(w io.Writer) {
			fmt.Fprintf(w, "%s is%s %s\n", a.Email, was, state)
		})
	})
}
