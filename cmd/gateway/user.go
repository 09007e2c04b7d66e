package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/cmd/gateway/internal/database"
	"github.com/voiceassist/gateway/cmd/gateway/internal/operator"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/registration"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
)

func userCommand(vars *variables) *cobra.Command {
	c := &cobra.Command{
		Use:   "user",
		Short: "Manage accounts",
		Long: `Manage accounts from the command line, without a login. The audit trail records all
changes.`,
	}
	c.AddCommand(userCreateCommand(vars), userInviteCommand(vars), userListCommand(vars), userShowCommand(vars), userSetRoleCommand(vars), userDisableCommand(vars),
		userEnableCommand(vars), userDeleteCommand(vars), userImportCommand(vars), userExportCommand(vars), userLogoutCommand(vars),
		userDisable2FACommand(vars), userResetPasswordCommand(vars))
	return c
}

func userCreateCommand(vars *variables) *cobra.Command {
	var (
		name  string
		admin bool
	)
	c := &cobra.Command{
		Use:   "create EMAIL",
		Short: "Create an account; the password comes from standard input",
		Long: `Create an account for the address EMAIL. The password is the first line of
standard input, so that it appears neither in the shell history nor in the list of
processes. The rules for passwords are those of the API.

If standard input is empty, the user gets a mail with a link to choose the password, as
with "user invite".`,
		Example: `  echo 'correct horse battery staple' | gateway user create --admin root@example.org
  gateway user create --name 'Grace Hopper' grace@example.org < password.txt
  gateway user create eve@example.org < /dev/null`,
		Annotations: next(`Log in with POST /api/auth/login, or with "Authorize" on /docs.`),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 { // one of them may be the password
				return usagef("takes one argument, EMAIL; the password is the first line of standard input")
			}
			return cobra.ExactArgs(1)(nil, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			role := account.User
			if admin {
				role = account.Admin
			}
			plain, err := readPassword(c.InOrStdin())
			if errors.Is(err, io.EOF) {
				return (&userInvitation{name: name, role: role, fixed: true}).run(c, vars, args[0])
			}
			if err != nil {
				return err
			}
			p, err := registration.Parse(args[0], name, string(role), plain)
			if err != nil {
				return explain(err)
			}
			return withParts(c.Context(), vars, c.ErrOrStderr(), func(all *parts) error {
				a, err := all.Registrar().Create(c.Context(), p, signin.Proof{}, operator.Origin)
				if errors.Is(err, account.ErrEmailTaken) {
					return fmt.Errorf("%s has an account already; gateway user set-role %s %s changes its role", args[0], args[0], p.Role)
				}
				if err != nil {
					return explain(err)
				}
				err = writeResult(c, userJSON{a.ID, a.Email, a.Role}, func(w io.Writer) {
					fmt.Fprintf(w, "created %s %s as %s\n", a.ID, a.Email, a.Role)
				})
				if err == nil {
					hint(c, "log in as %s with POST /api/auth/login, or on /docs", a.Email)
				}
				return err
			})
		},
	}
	c.Flags().StringVar(&name, "name", "", "full `NAME` of the user")
	c.Flags().BoolVar(&admin, "admin", false, "make the account an administrator")
	return c
}

// readPassword returns the first line of r, or [io.EOF] if r is empty.
func readPassword(r io.Reader) (secret.String, error) {
	in := bufio.NewReader(r)
	if _, err := in.Peek(1); errors.Is(err, io.EOF) {
		return "", io.EOF
	}
	plain, err := secret.ReadLine(in)
	switch {
	case errors.Is(err, secret.ErrNoLine):
		return "", errors.New("the first line of standard input is empty; it must be the password")
	case err != nil:
		return "", fmt.Errorf("the password on standard input %w", err)
	}
	return plain, nil
}

// A userJSON is an account under --output json.
type userJSON struct {
	ID    account.ID    `json:"id"`
	Email account.Email `json:"email"`
	Role  account.Role  `json:"role"`
}

func userSetRoleCommand(vars *variables) *cobra.Command {
	return &cobra.Command{
		Use:   "set-role EMAIL user|admin",
		Short: "Make a user an administrator, or an administrator a user",
		Long: `Give the account with the address EMAIL the role user or admin. Unlike the API,
the command also demotes the last administrator.`,
		Example: `  gateway user set-role ada@example.org admin
  gateway user set-role ada@example.org user`,
		Annotations: next(`See the change in the audit trail: gateway audit list --event role_changed.`),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return []string{"user", "admin"}, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			address, err := account.ParseEmailLookup(args[0])
			if err != nil {
				return explain(err)
			}
			role, err := account.ParseRole(args[1])
			if err != nil {
				return explain(err)
			}
			return withDatabase(c, vars, new(database.Settings), func(db *store.DB) error {
				db.LogTo(slog.New(slog.NewJSONHandler(c.ErrOrStderr(), nil)))
				if err := database.CheckSchema(c.Context(), db); err != nil {
					return explain(err)
				}
				a, err := (&operator.Operator{DB: db, Now: time.Now}).SetRole(c.Context(), address, role)
				if err != nil {
					return explain(err)
				}
				return writeResult(c, userJSON{a.ID, a.Email, role}, func(w io.Writer) { fmt.Fprintf(w, "%s is %s\n", a.Email, role) })
			})
		},
	}
}
