// Package revocation ends the access of users to their accounts: their logins
// and what was issued to them. Every change that ends all access goes through it,
// so that none forgets a kind of credential.
//
// It imports the store and nextcloud/desired. Begin with [Revoker.EndAll].
package revocation

import (
	"context"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/store"
)

// A Revoker ends access. It is safe for concurrent use.
type Revoker struct {
	Desired *desired.Recorder
}

// Keep says what [Revoker.EndAll] leaves alone. The zero value keeps nothing.
type Keep struct {
	Login        signin.ID // "" for none
	AppPasswords bool      // those that the gateway issued for Nextcloud
	APIKeys      bool
}

// EndAll ends all access of the user of event, which describes the change that
// requires it, and reports whether there was any. The caller records event; the
// end of API keys and of app passwords get events of their own. Call [desired.Recorder.Wake]
// after the commit.
func (r *Revoker) EndAll(ctx context.Context, tx *store.Tx, by store.Actor, event audit.Event, keep Keep) (ended bool, err error) {
	logins, err := tx.RevokeLogins(ctx, by, event.User, keep.Login, string(event.Name), event.At)
	if err != nil {
		return false, err
	}
	ended = logins > 0
	if !keep.APIKeys {
		keys, err := endKeys(ctx, tx, by, event)
		if err != nil {
			return false, err
		}
		ended = ended || keys
	}
	if !keep.AppPasswords {
		apps, err := r.Desired.RevokeAppPasswords(ctx, tx, event)
		if err != nil {
			return false, err
		}
		ended = ended || apps > 0
	}
	return ended, nil
}

// endKeys revokes the API keys of the user, and reports whether there were any.
func endKeys(ctx context.Context, tx *store.Tx, by store.Actor, change audit.Event) (bool, error) {
	n, err := tx.RevokeAPIKeys(ctx, by, change.User)
	if err != nil || n == 0 {
		return false, err
	}
	event := audit.New(audit.KeyRevoked, change.User, change.Origin, change.At)
	event.Login, event.Actor, event.Detail = change.Login, change.Actor, audit.AllKeys
	return true, tx.Audit(ctx, event)
}
