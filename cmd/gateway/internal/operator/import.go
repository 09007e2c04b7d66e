package operator

import (
	"context"
	"iter"

	"github.com/voiceassist/gateway/cmd/gateway/internal/userfile"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/registration"
	"github.com/voiceassist/gateway/shared/mail"
)

// importBatch is how many accounts one transaction of [Operator.Import] creates. On
// SQLite, other writes wait for it.
const importBatch = 200

// ImportOptions say how [Operator.Import] treats the records.
type ImportOptions struct {
	DryRun      bool         // create nothing
	AllowAdmins bool         // administrators of the other system become administrators
	Resets      *mail.Outbox // sends users without a usable hash a link; nil sends nothing

	// Wrong is called for each record that is not imported, and Progress after each batch.
	Wrong    func(userfile.Record)
	Progress func(ImportReport)
}

// An ImportReport counts records.
type ImportReport struct {
	Imported int `json:"imported"` // accounts with a password
	Pending  int `json:"pending"`  // accounts without one, until the user resets it
	Existing int `json:"existing"` // skipped, since the address has an account
	Wrong    int `json:"wrong"`    // not imported
	Demoted  int `json:"demoted"`  // administrators of the other system who became users
}

// Read returns how many records were read.
func (r ImportReport) Read() int { return r.Imported + r.Pending + r.Existing + r.Wrong }

// Import creates accounts for the records of another system, and reports what it did. It
// creates a batch of accounts in a transaction, so if it is interrupted, call it again:
// it skips addresses that have accounts. An error of records ends it, after the batch
// before was created. In a dry run, it does not notice when an address occurs twice in
// the file.
func (o *Operator) Import(
	ctx context.Context, records iter.Seq2[userfile.Record, error], opts ImportOptions,
) (report ImportReport, err error) {
	batch := make([]userfile.Record, 0, importBatch)
	flush := func() error {
		err := o.importBatch(ctx, batch, opts, &report)
		batch = batch[:0]
		if err == nil {
			opts.Progress(report)
		}
		return err
	}
	for r, readErr := range records {
		if readErr != nil {
			err = readErr
			break
		}
		if r.Err != nil {
			report.Wrong++
			opts.Wrong(r)
			continue
		}
		if batch = append(batch, r); len(batch) == importBatch {
			if err := flush(); err != nil {
				return report, err
			}
		}
	}
	if flushErr := flush(); flushErr != nil {
		return report, flushErr
	}
	return report, err
}

// importBatch imports a batch and adds the result to the report.
func (o *Operator) importBatch(ctx context.Context, batch []userfile.Record, opts ImportOptions, report *ImportReport) error {
	if len(batch) == 0 {
		return nil
	}
	list := make([]registration.Imported, len(batch))
	for i, r := range batch {
		list[i] = r.Imported
		if list[i].Role = account.User; r.Admin && opts.AllowAdmins {
			list[i].Role = account.Admin
		}
	}
	created, err := o.createBatch(ctx, list, opts)
	if err != nil {
		return err
	}
	for i, r := range batch {
		if !created[i] {
			report.Existing++
			continue
		}
		if r.Hash == "" {
			report.Pending++
		} else {
			report.Imported++
		}
		if r.Admin && list[i].Role == account.User {
			report.Demoted++
		}
	}
	return nil
}

// createBatch creates the accounts, and returns for each whether it did; in a dry run,
// whether it would.
func (o *Operator) createBatch(ctx context.Context, batch []registration.Imported, opts ImportOptions) ([]bool, error) {
	if !opts.DryRun {
		return o.Registrar.Import(ctx, batch, opts.Resets, Origin)
	}
	emails := make([]account.Email, len(batch))
	for i, p := range batch {
		emails[i] = p.Email
	}
	taken, err := o.DB.TakenEmails(ctx, emails)
	if err != nil {
		return nil, err
	}
	free := make([]bool, len(batch))
	for i, e := range emails {
		free[i] = !taken[e]
		taken[e] = true
	}
	return free, nil
}
