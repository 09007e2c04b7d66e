package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
	"github.com/voiceassist/gateway/shared/mail"
)

func userResetPasswordCommand(vars *variables) *cobra.Command {
	var show bool
	c := &cobra.Command{
		Use:   "reset-password EMAIL",
		Short: "Mail a user a link to choose a new password, or print it",
		Long: `Mail the user of the account with the address EMAIL a link with which to choose a new
password. It changes nothing by itself. The link works once, for an hour.

--print-link prints the link instead, for installations without mail. Whoever has it
gets the account, so give it to the user in person. The link leads to PUBLIC_URL.`,
		Example: `  gateway user reset-password ada@example.org
  gateway user reset-password --print-link ada@example.org`,
		Annotations: next(`If the mail does not arrive: gateway mail status.`),
		Args:        cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return withParts(c.Context(), vars, c.ErrOrStderr(), func(p *parts) error { return resetPassword(c, p, args[0], show) })
		},
	}
	c.Flags().BoolVar(&show, "print-link", false, "print the link instead of mailing it")
	return c
}

// A resetJSON is the result under --output json.
type resetJSON struct {
	Email     string     `json:"email"`
	Mailed    bool       `json:"mailed"`
	Link      string     `json:"link,omitempty"`       // with --print-link
	ExpiresAt *time.Time `json:"expires_at,omitempty"` // of the link
}

func resetPassword(c *cobra.Command, p *parts, email string, show bool) error {
	address, err := account.ParseEmailLookup(email)
	if err != nil {
		return explain(err)
	}
	if !show {
		a, err := p.operator().RequestReset(c.Context(), address)
		if err != nil {
			return explain(err)
		}
		return writeResult(c, resetJSON{Email: string(a.Email), Mailed: true}, func(w io.Writer) {
			fmt.Fprintf(w, "%s gets a mail with a link\n", a.Email)
		})
	}
	a, id, expires, err := p.operator().CreateReset(c.Context(), address)
	if err != nil {
		return explain(err)
	}
	link := mail.ResetPassword.Link(p.public, linktoken.NewCodec(p.ring).Encode(id, linktoken.Reset, expires))
	return writeResult(c, resetJSON{Email: string(a.Email), Link: link, ExpiresAt: &expires}, func(w io.Writer) {
		fmt.Fprintln(w, link)
		notice(c, "The link works once, until %s.", expires.UTC().Format(time.RFC3339))
	})
}
