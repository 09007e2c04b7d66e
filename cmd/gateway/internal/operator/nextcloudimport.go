package operator

import (
	"context"
	"errors"

	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/registration"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
)

// NextcloudImportOptions say how [Operator.ImportNextcloud] treats the users of Nextcloud.
type NextcloudImportOptions struct {
	Plan   bool         // create nothing
	Resets *mail.Outbox // sends each new user a link to set a password; nil sends nothing

	// Progress is called after each page that is read, and after each user.
	Progress func(NextcloudImportReport)
}

// A NextcloudImportReport is what became of the users of Nextcloud.
type NextcloudImportReport struct {
	Read     int `json:"read"`     // users of Nextcloud
	Imported int `json:"imported"` // or to import, with a plan
	LeftOut  int `json:"left_out"`

	Users []reconcile.RosterEntry `json:"users"` // all of them, by id; those without a reason are imported
}

// ImportNextcloud creates accounts without a password for the users of Nextcloud that
// [reconcile.Reconciler.Roster] does not exclude, linked to their accounts there, which
// they have to claim. Each user is a transaction of its own, so if it is interrupted, call
// it again. The report of an error has only those users who are settled.
func (o *Operator) ImportNextcloud(ctx context.Context, opts NextcloudImportOptions) (report NextcloudImportReport, err error) {
	list, err := o.Reconciler.Roster(ctx, func(read int) {
		report.Read = read
		opts.Progress(report)
	})
	if err != nil {
		return report, err
	}
	for i, u := range list {
		if u.Reason == "" && !opts.Plan {
			if u.Reason, err = o.importFromNextcloud(ctx, u, opts.Resets); err != nil {
				return report, err
			}
			list[i] = u
		}
		if u.Reason == "" {
			report.Imported++
		} else {
			report.LeftOut++
		}
		report.Users = list[:i+1]
		opts.Progress(report)
	}
	return report, nil
}

// importFromNextcloud creates the account of u. It returns why it did not if the user or
// somebody else was quicker.
func (o *Operator) importFromNextcloud(ctx context.Context, u reconcile.RosterEntry, resets *mail.Outbox) (reconcile.Reason, error) {
	created, err := o.Registrar.ImportLinked(ctx, registration.Imported{
		Email: u.Address, Spelled: account.LegacyEmail(u.Email), FullName: u.FullName, Role: account.User, Preferences: document.Empty,
	}, registration.Link{ID: u.ID, Code: reconcile.ClaimRequired, By: (*store.Tx).Operator}, resets, Origin)
	switch {
	case errors.Is(err, desired.ErrAlreadyLinked):
		return reconcile.IsLinked, nil
	case err != nil:
		return "", err
	case !created:
		return reconcile.Exists, nil
	}
	return "", nil
}
