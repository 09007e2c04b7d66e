package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/cmd/gateway/internal/operator"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/setup"
)

func nextcloudImportCommand(vars *variables) *cobra.Command {
	var i nextcloudImport
	c := &cobra.Command{
		Use:   "import",
		Short: "Create accounts for the users of Nextcloud",
		Long: `Create accounts for the users that Nextcloud has already, with their address and
name, and link them to their accounts there. Nothing in Nextcloud changes. The new
accounts are pending: their users set a password with a link by mail, as after
forgetting it, or by --send-resets; then they claim their account in Nextcloud with
its password, which opens the files.

Left out are administrators of Nextcloud and of groups, users of other back ends such
as LDAP, disabled users, users without an address that the gateway accepts, and all
users of Nextcloud that have the same address. Users whose address has an account in
the gateway keep that account as it is. Accounts that are linked are left out, too,
so you can interrupt the command and run it again.

With --plan, the command creates nothing. It lists all users of Nextcloud, and why
they are left out.`,
		Example: `  gateway nextcloud import --plan
  gateway nextcloud import --send-resets
  gateway nextcloud import --output json`,
		Annotations: next(`After --plan: gateway nextcloud import. Afterwards, users set a password
  (POST /api/auth/forgot-password) and claim (POST /api/users/me/nextcloud/claim).`),
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return i.run(c, vars) },
	}
	c.Flags().BoolVar(&i.plan, "plan", false, "only list what would happen")
	c.Flags().BoolVar(&i.sendResets, "send-resets", false, "mail each new user a link to set a password")
	return c
}

// A nextcloudImport is one run of the command.
type nextcloudImport struct {
	plan, sendResets bool

	start time.Time
}

// A nextcloudImportJSON is the result under --output json.
type nextcloudImportJSON struct {
	operator.NextcloudImportReport

	Plan    bool    `json:"plan"`
	Seconds float64 `json:"seconds"`
}

func (i *nextcloudImport) run(c *cobra.Command, vars *variables) error {
	if i.plan && i.sendResets {
		return usagef("pass either --plan or --send-resets")
	}
	return withParts(c.Context(), vars, c.ErrOrStderr(), func(p *parts) error {
		if p.Reconciler == nil {
			return errNoNextcloud
		}
		// One line for each account would hide everything else. The trail has the events.
		p.DB.LogTo(setup.Log(slog.LevelWarn, c.ErrOrStderr()))
		i.start = time.Now()
		progress := newProgress(c)
		opts := operator.NextcloudImportOptions{
			Plan: i.plan,
			Progress: func(r operator.NextcloudImportReport) {
				if r.Users == nil {
					progress.show("%d users read from Nextcloud", r.Read)
					return
				}
				progress.show("%d of %d users, %d imported, %d left out", len(r.Users), r.Read, r.Imported, r.LeftOut)
			},
		}
		if i.sendResets {
			opts.Resets = p.Outbox
		}
		report, err := p.operator().ImportNextcloud(c.Context(), opts)
		progress.end()
		p.Outbox.Wake()
		if err != nil {
			notice(c, "Run the command again to continue.")
		}
		return errors.Join(i.print(c, report), explain(err))
	})
}

// print prints the result.
func (i *nextcloudImport) print(c *cobra.Command, r operator.NextcloudImportReport) error {
	if r.Users == nil {
		r.Users = []reconcile.RosterEntry{} // in JSON, an empty list instead of null
	}
	seconds := time.Since(i.start).Round(time.Millisecond).Seconds()
	err := writeResult(c, nextcloudImportJSON{r, i.plan, seconds}, func(w io.Writer) { i.write(w, r) })
	switch {
	case err != nil || r.Imported == 0:
	case i.plan:
		hint(c, "gateway nextcloud import")
	case !i.sendResets:
		hint(c, "the users set a password with POST /api/auth/forgot-password, then claim with POST /api/users/me/nextcloud/claim")
	}
	return err
}

// write prints the result for people: with a plan, all users; otherwise those left out
// that somebody may want to look at.
func (i *nextcloudImport) write(w io.Writer, r operator.NextcloudImportReport) {
	verb := "imported"
	if i.plan {
		verb = "would be imported"
	}
	var rows [][]string
	for _, u := range r.Users {
		known := u.Reason == "" || u.Reason == reconcile.IsLinked || u.Reason == reconcile.Exists
		if i.plan || !known {
			rows = append(rows, []string{u.ID, u.Email, whatBecomesOf(u)})
		}
	}
	if len(rows) > 0 {
		writeTable(w, []string{"NEXTCLOUD ID", "ADDRESS", "RESULT"}, rows)
	}
	fmt.Fprintf(w, "users of Nextcloud: %d; %s %d, left out %d\n", r.Read, verb, r.Imported, r.LeftOut)
}

// whatBecomesOf returns in words what an import makes of u.
func whatBecomesOf(u reconcile.RosterEntry) string {
	switch u.Reason {
	case "":
		return "import"
	case reconcile.IsLinked:
		return "left out: is linked already"
	case reconcile.IsAdministrator:
		return "left out: administers Nextcloud or a group"
	case reconcile.IsForeign:
		return "left out: is of another back end"
	case reconcile.IsDisabled:
		return "left out: is disabled"
	case reconcile.LacksAddress:
		return "left out: has no address"
	case reconcile.HasBadAddress:
		return "left out: the address is not valid"
	case reconcile.Exists:
		return "left out: the address has an account"
	case reconcile.SharesAddress:
		return "left out: has the address of " + strings.Join(u.SharedBy, ", ")
	}
	return string(u.Reason)
}
