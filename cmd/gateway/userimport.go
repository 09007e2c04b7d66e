package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/cmd/gateway/internal/operator"
	"github.com/voiceassist/gateway/cmd/gateway/internal/userfile"
	"github.com/voiceassist/gateway/shared/setup"
)

func userImportCommand(vars *variables) *cobra.Command {
	var i userImport
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Import accounts of another system",
		Long: `Create accounts for the users in FILE, an export of another system or of "user
export"; - is standard input. Users whose passwords were hashed with bcrypt log in
with them as before. Others, such as those with Argon2 hashes, cannot log in until
they reset their password; --send-resets mails each of them a link for that.

Names, verified addresses, disabled accounts and the times of creation are kept.
Administrators become users, unless --allow-admins is passed. Addresses that have an
account are skipped, so you can interrupt the command and run it again.

The command prints records that are wrong with their line, or number in a JSON file,
and imports the others. It exits with 1 if there were any. With --dry-run, it only
checks the file: it creates nothing and sends nothing.`,
		Example: `  gateway user import --dry-run users.csv
  gateway user import users.csv
  gateway user import --format keycloak --send-resets realm.json`,
		Annotations: next(`See the accounts: gateway user list. With a Nextcloud, create theirs:
  gateway nextcloud reconcile.`),
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return i.run(c, vars, args[0]) },
	}
	c.Flags().StringVar(&i.format, "format", string(userfile.Auto), "`FORMAT` of the file: "+strings.Join(userfile.Formats(), ", "))
	c.Flags().BoolVar(&i.dryRun, "dry-run", false, "only check the file")
	c.Flags().BoolVar(&i.allowAdmins, "allow-admins", false, "administrators of the other system become administrators")
	c.Flags().BoolVar(&i.sendResets, "send-resets", false, "mail users who need a new password a link to set one")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(userfile.Formats(), cobra.ShellCompDirectiveNoFileComp)) // it fails only for an unknown flag
	return c
}

// maxWrong is how many wrong records the result under --output json lists.
const maxWrong = 1000

// A userImport is one run of the command.
type userImport struct {
	format                          string
	dryRun, allowAdmins, sendResets bool

	start time.Time
	wrong []wrongRecordJSON
}

// A userImportJSON is the result under --output json.
type userImportJSON struct {
	operator.ImportReport

	DryRun       bool              `json:"dry_run"`
	Seconds      float64           `json:"seconds"`
	WrongRecords []wrongRecordJSON `json:"wrong_records"` // the first 1000
}

// A wrongRecordJSON is a record that was not imported.
type wrongRecordJSON struct {
	Record string `json:"record"` // such as "line 17"
	Reason string `json:"reason"`
}

func (i *userImport) run(c *cobra.Command, vars *variables, name string) error {
	if i.dryRun && i.sendResets {
		return usagef("pass either --dry-run or --send-resets")
	}
	file := io.NopCloser(c.InOrStdin())
	if name != "-" {
		var err error
		if file, err = os.Open(name); err != nil {
			return err
		}
	}
	defer file.Close()
	records, err := userfile.Read(file, userfile.Format(i.format), time.Now())
	if err != nil {
		return err
	}
	return withParts(c.Context(), vars, c.ErrOrStderr(), func(p *parts) error {
		// One line for each account would hide everything else. The trail has the events.
		p.DB.LogTo(setup.Log(slog.LevelWarn, c.ErrOrStderr()))
		i.start, i.wrong = time.Now(), []wrongRecordJSON{}
		progress := newProgress(c)
		opts := operator.ImportOptions{
			DryRun: i.dryRun, AllowAdmins: i.allowAdmins,
			Wrong: func(r userfile.Record) { i.report(c, r) },
			Progress: func(r operator.ImportReport) {
				progress.show("%d read, %d imported, %d wrong, %.0f/s", r.Read(), r.Imported+r.Pending, r.Wrong, float64(r.Read())/time.Since(i.start).Seconds())
			},
		}
		if i.sendResets {
			opts.Resets = p.Outbox
		}
		report, err := p.operator().Import(c.Context(), records, opts)
		progress.end()
		p.Outbox.Wake()
		return errors.Join(i.print(c, report), explain(err), i.verdict(report))
	})
}

// report prints a wrong record on stderr, and keeps the first ones for the result.
func (i *userImport) report(c *cobra.Command, r userfile.Record) {
	notice(c, "%s: %s", r.Name, printable(r.Err.Error()))
	if len(i.wrong) < maxWrong {
		i.wrong = append(i.wrong, wrongRecordJSON{r.Name, r.Err.Error()})
	}
}

// print prints the result.
func (i *userImport) print(c *cobra.Command, r operator.ImportReport) error {
	seconds := time.Since(i.start).Round(time.Millisecond).Seconds()
	return writeResult(c, userImportJSON{r, i.dryRun, seconds, i.wrong}, func(w io.Writer) {
		verb := "imported"
		if i.dryRun {
			verb = "would be imported"
		}
		fmt.Fprintf(w, "%d %s, %d of them without a usable password; %d skipped, since their address has an account; %d wrong\n",
			r.Imported+r.Pending, verb, r.Pending, r.Existing, r.Wrong)
		if r.Demoted > 0 {
			fmt.Fprintf(w, "administrators who become users: %d; gateway user set-role appoints administrators\n", r.Demoted)
		}
	})
}

// verdict returns the error for wrong records.
func (i *userImport) verdict(r operator.ImportReport) error {
	if r.Wrong == 0 {
		return nil
	}
	return fmt.Errorf("records that were not imported: %d; correct them and import the file again", r.Wrong)
}
