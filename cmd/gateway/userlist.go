package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/cmd/gateway/internal/operator"
	"github.com/voiceassist/gateway/shared/identity/account"
)

const maxListed = 10000 // accounts of one list, which is kept in memory

func userListCommand(vars *variables) *cobra.Command {
	var (
		f     operator.ListFilter
		role  string
		limit int
	)
	c := &cobra.Command{
		Use:   "list",
		Short: "List accounts, newest first",
		Long: `List accounts, newest first. With --search, list those whose address or name, from
any of its words on, begins with the text, in the order of what was found.`,
		Example: `  gateway user list --limit 20
  gateway user list --search ada
  gateway user list --role admin
  gateway user list --disabled --output json`,
		Annotations: next(`See one of them in detail: gateway user show EMAIL.`),
		Args:        cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if limit < 1 || limit > maxListed {
				return usagef("--limit is %d; it must be from 1 to %d", limit, maxListed)
			}
			if role != "" {
				if f.Role, err = account.ParseRole(role); err != nil {
					return usagef("--role is %q; it must be user or admin", role)
				}
			}
			return withParts(c.Context(), vars, c.ErrOrStderr(), func(p *parts) error {
				list, more, err := p.operator().List(c.Context(), f, limit)
				if err != nil {
					return explain(err)
				}
				if len(list) == 0 {
					notice(c, "No accounts found.")
				}
				if err := writeResult(c, newUserListJSON(list, more), func(w io.Writer) { writeUsers(w, list) }); err != nil {
					return err
				}
				if more {
					notice(c, "There are more accounts; --limit lists more of them.")
				}
				return nil
			})
		},
	}
	c.Flags().StringVar(&f.Search, "search", "", "only accounts whose address or name begins with this `TEXT`")
	c.Flags().StringVar(&role, "role", "", "only accounts with this `ROLE`: user or admin")
	c.Flags().BoolVar(&f.Disabled, "disabled", false, "only disabled accounts")
	c.Flags().IntVar(&limit, "limit", 100, "list at most this `NUMBER` of accounts")
	_ = c.RegisterFlagCompletionFunc("role", cobra.FixedCompletions( // it fails only for an unknown flag
		[]string{string(account.User), string(account.Admin)}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// A userListJSON is the list under --output json. The accounts are those of the API.
type userListJSON struct {
	Users []account.Profile `json:"users"`
	More  bool              `json:"more"` // than --limit
}

func newUserListJSON(list []account.Account, more bool) userListJSON {
	result := userListJSON{Users: make([]account.Profile, len(list)), More: more}
	for i, a := range list {
		result.Users[i] = a.Profile()
	}
	return result
}

// writeUsers writes a table for people, or nothing without accounts.
func writeUsers(w io.Writer, list []account.Account) {
	if len(list) == 0 {
		return
	}
	rows := make([][]string, len(list))
	for i, a := range list {
		rows[i] = []string{string(a.Email), a.FullName, string(a.Role), userStatus(a), timeOr(a.LastLogin, "never"), a.CreatedAt.Format(time.RFC3339)}
	}
	writeTable(w, []string{"EMAIL", "NAME", "ROLE", "STATUS", "LAST LOGIN", "CREATED"}, rows)
}

// userStatus returns in a word whether the account can log in.
func userStatus(a account.Account) string {
	switch {
	case a.Disabled():
		return "disabled"
	case a.Pending:
		return "pending"
	}
	return "active"
}

// timeOr returns the time for a table, or otherwise for none.
func timeOr(t *time.Time, otherwise string) string {
	if t == nil {
		return otherwise
	}
	return t.Format(time.RFC3339)
}

func userShowCommand(vars *variables) *cobra.Command {
	return &cobra.Command{
		Use:   "show EMAIL",
		Short: "Show an account",
		Long: `Show the account with the address EMAIL: its state, what gives access to it, and its
account in Nextcloud.`,
		Example:     `  gateway user show ada@example.org`,
		Annotations: next(`See what happened to the account: gateway audit list --user EMAIL.`),
		Args:        cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			address, err := account.ParseEmailLookup(args[0])
			if err != nil {
				return explain(err)
			}
			return withParts(c.Context(), vars, c.ErrOrStderr(), func(p *parts) error {
				d, err := p.operator().Show(c.Context(), address)
				if err != nil {
					return explain(err)
				}
				return writeResult(c, newUserDetailsJSON(d), func(w io.Writer) { writeDetails(w, d) })
			})
		},
	}
}

// A userDetailsJSON is an account under --output json: that of the API, and more.
type userDetailsJSON struct {
	account.Profile

	SecondFactorAt *time.Time         `json:"second_factor_at"` // null without one
	Logins         int                `json:"logins"`
	APIKeys        int                `json:"api_keys"`
	Nextcloud      *userNextcloudJSON `json:"nextcloud"` // null if none was ever wanted
}

// A userNextcloudJSON is an account in Nextcloud under --output json.
type userNextcloudJSON struct {
	UserID    string     `json:"user_id"`
	Status    string     `json:"status"`
	LastError string     `json:"last_error,omitempty"`
	SyncedAt  *time.Time `json:"last_synced_at"`
}

func newUserDetailsJSON(d operator.Details) userDetailsJSON {
	result := userDetailsJSON{
		Profile: d.Profile(), SecondFactorAt: d.SecondFactorAt, Logins: d.Logins, APIKeys: d.APIKeys,
	}
	if n := d.Nextcloud; n != nil {
		result.Nextcloud = &userNextcloudJSON{n.NextcloudID, string(n.Status), n.LastError, n.LastSyncedAt}
	}
	return result
}

// writeDetails writes one property a line.
func writeDetails(w io.Writer, d operator.Details) {
	logins := fmt.Sprint(d.Logins)
	if d.Logins == operator.MaxLogins {
		logins += " or more"
	}
	rows := [][]string{
		{"id", string(d.ID)}, {"name", d.FullName}, {"role", string(d.Role)}, {"status", userStatus(d.Account)},
		{"address verified", timeOr(d.EmailVerifiedAt, "no")},
	}
	if d.PendingEmail != "" {
		rows = append(rows, []string{"pending address", string(d.PendingEmail)})
	}
	rows = append(rows, [][]string{
		{"second factor", timeOr(d.SecondFactorAt, "no")}, {"last login", timeOr(d.LastLogin, "never")},
		{"logins", logins}, {"API keys", fmt.Sprint(d.APIKeys)}, {"created", d.CreatedAt.Format(time.RFC3339)},
	}...)
	if n := d.Nextcloud; n != nil {
		status := string(n.Status)
		if n.LastError != "" {
			status += ", " + n.LastError
		}
		rows = append(rows, []string{"Nextcloud", n.NextcloudID}, []string{"Nextcloud status", status})
	}
	writeTable(w, []string{"EMAIL", string(d.Email)}, rows)
}
