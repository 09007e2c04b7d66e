package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/identity/account"
)

func userDisable2FACommand(vars *variables) *cobra.Command {
	return &cobra.Command{
		Use:   "disable-2fa EMAIL",
		Short: "Disable the second factor of a user who has lost it",
		Long: `Disable the second factor of the account with the address EMAIL, and delete its backup
codes. The user then logs in with the password alone, and can set up another one.
First make sure that the request comes from the user: whoever knows the password
needs nothing else afterwards.`,
		Example:     `  gateway user disable-2fa ada@example.org`,
		Annotations: next(`End the logins that may not be the user's: gateway user logout EMAIL.`),
		Args:        cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return withParts(c.Context(), vars, c.ErrOrStderr(), func(p *parts) error { return disable2FA(c, p, args[0]) })
		},
	}
}

// A disable2FAJSON is the result under --output json.
type disable2FAJSON struct {
	Email    string `json:"email"`
	Disabled bool   `json:"disabled"` // false if there was no second factor
}

func disable2FA(c *cobra.Command, p *parts, email string) error {
	address, err := account.ParseEmailLookup(email)
	if err != nil {
		return explain(err)
	}
	a, disabled, err := p.operator().DisableSecondFactor(c.Context(), address)
	if err != nil {
		return explain(err)
	}
	line := fmt.Sprintf("%s has no second factor", a.Email)
	if disabled {
		line = fmt.Sprintf("the second factor of %s is disabled", a.Email)
	}
	return writeResult(c, disable2FAJSON{Email: string(a.Email), Disabled: disabled}, func(w io.Writer) { fmt.Fprintln(w, line) })
}
