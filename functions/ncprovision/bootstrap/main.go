// Command bootstrap is the ncprovision function on AWS Lambda: its HTTP routes, and its
// job on a schedule.
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/voiceassist/gateway/functions/ncprovision"
	"github.com/voiceassist/gateway/shared/audit/trail"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/codes"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/nextcloud/access"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/store/janitor"
	"github.com/voiceassist/gateway/shared/store/postgres"
)

func main() { faas.MainJob(open) }

// settings are the settings of the function.
type settings struct {
	setup.Function

	Database  postgres.Settings
	Keys      keyring.Settings
	Tokens    token.Settings
	Passwords password.Settings
	Nextcloud reconcile.Settings
	Trail     trail.Settings
	Rules     account.Rules
	Mail      mail.Settings
}

// Load loads all settings.
func (s *settings) Load(r setting.Reader) {
	setting.Load(r, &s.Function, &s.Database, &s.Keys, &s.Tokens, &s.Passwords, &s.Nextcloud, &s.Trail, &s.Rules, &s.Mail)
}

// open wires the store, token verification and the reconciler.
func open(ctx context.Context, s *settings) (faas.Function, error) {
	db, ring := s.Database.Open(), s.Keys.Ring()
	limits := s.Limiter(ring, db)
	if warning := setup.SharedSecretWarning(&s.Tokens, &s.Keys); warning != "" {
		slog.WarnContext(ctx, warning)
	}
	storage := access.NewStorage(s.Nextcloud.Server, db, ring, time.Now)
	if storage != nil {
		storage.Outbox = s.Mail.Outbox()
	}
	f := &ncprovision.Function{
		Auth:       s.Authenticator(s.Tokens.Keys(), db),
		DB:         db,
		Reconciler: reconcile.New(db, s.Nextcloud, ring, time.Now),
		Apps:       storage.AppPasswords(),
		Confirmer: &password.Confirmer{
			Accounts: db, Codes: codes.New(db, ring, time.Now), Hasher: s.Passwords.Hasher(), Limits: limits, Now: time.Now,
		},
		Trail:    trail.New(db, ring, s.Trail.Keep, time.Now),
		Janitor:  janitor.New(db, s.Rules, time.Now),
		Resealer: reconcile.NewResealer(db, ring, time.Now),
		Public:   s.Nextcloud.PublicURL,
		Desired:  desired.NewRecorder(s.Nextcloud.Policy, ring),
		Now:      time.Now,
	}
	return faas.Function{
		HTTP: s.Handler(limits, f.Routes()), Close: db.Close,
		Job: func(ctx context.Context, _ faas.Event) error { return errors.Join(f.Run(ctx), measure(ctx, f)) },
	}, nil
}

// measure writes the metrics of accounts in Nextcloud and of the audit trail. It runs after
// each run, also after one that timed out, which is when they matter. Without a
// Nextcloud server all accounts wait, so it writes nothing.
func measure(ctx context.Context, f *ncprovision.Function) error {
	if f.Reconciler == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), faas.Margin/2)
	defer cancel()
	waiting, err := f.Waiting(ctx)
	if err != nil {
		return err
	}
	backlog, err := f.Reconciler.Backlog(ctx)
	if err != nil {
		return err
	}
	blocked, err := f.Reconciler.Blocked(ctx)
	if err != nil {
		return err
	}
	unchained, _, err := f.DB.CountUnchained(ctx)
	if err != nil {
		return err
	}
	closed := 1.0
	if blocked.Reason != "" {
		closed = 0
	}
	return faas.WriteMetrics(os.Stdout, time.Now(),
		faas.Metric{Name: "OldestUnprovisionedSeconds", Unit: faas.Seconds, Value: waiting.Seconds()},
		faas.Metric{Name: "AccountsRemaining", Unit: faas.Count, Value: float64(backlog.Remaining)},
		faas.Metric{Name: "AccountsGivenUp", Unit: faas.Count, Value: float64(backlog.GivenUp)},
		faas.Metric{Name: "NextcloudAllowed", Unit: faas.Count, Value: closed},
		faas.Metric{Name: "AuditEventsUnchained", Unit: faas.Count, Value: float64(unchained)},
	)
}
