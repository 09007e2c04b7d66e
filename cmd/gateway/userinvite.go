package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
	"github.com/voiceassist/gateway/shared/identity/registration"
	"github.com/voiceassist/gateway/shared/mail"
)

func userInviteCommand(vars *variables) *cobra.Command {
	var (
		i    userInvitation
		role string
	)
	c := &cobra.Command{
		Use:   "invite EMAIL",
		Short: "Invite a user, who chooses the password of the new account",
		Long: `Create an account for the address EMAIL without a password, and mail its user a link to
choose one. The link works once, for 7 days. Nobody can log in before. If nobody has
used the account of EMAIL yet, invite its user again: earlier links no longer work.

--print-link prints the link instead, for installations without mail. Whoever has it
gets the account, so give it to the user in person. The link leads to PUBLIC_URL.

With REGISTRATION=closed, nobody can be invited.`,
		Example: `  gateway user invite grace@example.org
  gateway user invite --role admin --name 'Grace Hopper' grace@example.org
  gateway user invite --print-link grace@example.org`,
		Annotations: next(`See who has accepted: gateway user list. If the mail does not arrive: gateway mail status.`),
		Args:        cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) (err error) {
			if i.role, err = account.ParseRole(role); err != nil {
				return usagef("--role is %q; it must be user or admin", role)
			}
			i.fixed = c.Flags().Changed("role") || c.Flags().Changed("name")
			return i.run(c, vars, args[0])
		},
	}
	c.Flags().StringVar(&i.name, "name", "", "full `NAME` of the user")
	c.Flags().StringVar(&role, "role", string(account.User), "`ROLE` of the account: user or admin")
	c.Flags().BoolVar(&i.show, "print-link", false, "print the link instead of mailing it")
	_ = c.RegisterFlagCompletionFunc("role", cobra.FixedCompletions( // it fails only for an unknown flag
		[]string{string(account.User), string(account.Admin)}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// A userInvitation is one run of the command.
type userInvitation struct {
	name  string
	role  account.Role
	fixed bool // the name or the role was chosen
	show  bool
}

// An invitationJSON is the result under --output json.
type invitationJSON struct {
	userJSON

	Mailed    bool       `json:"mailed"`
	Again     bool       `json:"again"`                // the account was there before
	Link      string     `json:"link,omitempty"`       // with --print-link
	ExpiresAt *time.Time `json:"expires_at,omitempty"` // of the link
}

func (i *userInvitation) run(c *cobra.Command, vars *variables, email string) error {
	p, err := registration.ParseInvited(email, i.name, string(i.role))
	if err != nil {
		return explain(err)
	}
	return withParts(c.Context(), vars, c.ErrOrStderr(), func(all *parts) error {
		made, again, err := all.operator().Invite(c.Context(), p, i.show)
		switch a := made.Account; {
		case errors.Is(err, account.ErrEmailTaken):
			return fmt.Errorf("%s has an account already; gateway user reset-password %s sends a link to choose a new password", a.Email, a.Email)
		case err != nil:
			return explain(err)
		case again && i.fixed:
			notice(c, "The account exists: it keeps its name, and its role %s.", a.Role)
		}
		return i.print(c, all, made, again)
	})
}

// print prints the result.
func (i *userInvitation) print(c *cobra.Command, all *parts, made registration.Invitation, again bool) error {
	a := made.Account
	result := invitationJSON{userJSON: userJSON{a.ID, a.Email, a.Role}, Mailed: !i.show, Again: again}
	if !i.show {
		return writeResult(c, result, func(w io.Writer) {
			fmt.Fprintf(w, "invited %s %s as %s; a mail with a link is on its way\n", a.ID, a.Email, a.Role)
		})
	}
	result.Link = mail.Invitation.Link(all.public, linktoken.NewCodec(all.ring).Encode(made.Token, linktoken.Invite, made.Expires))
	result.ExpiresAt = &made.Expires
	return writeResult(c, result, func(w io.Writer) {
		fmt.Fprintln(w, result.Link)
		notice(c, "The link works once, until %s.", made.Expires.UTC().Format(time.RFC3339))
	})
}
