// Package janitor removes rows that are no longer needed: logins and link tokens that
// expired long ago, answered challenges of logins, old mails, and rate limits that are
// fully restored. It also canonicalizes e-mail addresses that older releases stored,
// indexes their accounts for searches, and logs accounts that an administrator must
// check. The audit trail prunes itself (package trail).
//
// Start with [Janitor].
package janitor

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/background"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
)

const (
	// Interval is the time between two runs in one process.
	Interval = time.Hour
	// Retention is how long an expired login is distinguished from one that never
	// existed.
	Retention = 24 * time.Hour
	// UnverifiedPasswords is how long the gateway keeps, encrypted, the password of a user
	// who gets no account in Nextcloud before verifying the address.
	UnverifiedPasswords = 7 * 24 * time.Hour
)

// A Janitor cleans up one database. It is safe for concurrent use, also by several
// processes.
type Janitor struct {
	db    *store.DB
	rules account.Rules
	now   func() time.Time

	mu        sync.Mutex
	last      time.Time // of the last successful run
	conflicts int       // as last logged
}

// New returns a Janitor for db.
func New(db *store.DB, rules account.Rules, now func() time.Time) *Janitor {
	return &Janitor{db: db, rules: rules, now: now}
}

// RunIfDue cleans up, unless this process did so within the last [Interval]. It suits
// functions that are invoked more often.
func (j *Janitor) RunIfDue(ctx context.Context) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := j.now()
	if since := now.Sub(j.last); since >= 0 && since < Interval {
		return nil
	}
	n, err := j.db.DeleteExpiredLogins(ctx, now.Add(-Retention))
	if n > 0 {
		slog.LogAttrs(ctx, slog.LevelDebug, "forget logins", slog.Int64("count", n))
	}
	err = errors.Join(err, j.db.DeleteExpiredChallenges(ctx, now.Add(-Interval)), j.db.RateLimits().SweepAll(ctx, now),
		j.cleanMail(ctx, now), j.canonicalizeEmails(ctx), j.db.IndexAccounts(ctx))
	if err == nil {
		j.last = now
	}
	return err
}

// cleanMail deletes old mails and expired tokens, and erases the passwords of users who
// have not verified their address. If addresses need not be verified any more, those
// users get their accounts in Nextcloud.
func (j *Janitor) cleanMail(ctx context.Context, now time.Time) error {
	_, mails := j.db.DeleteOldMails(ctx, now)
	_, tokens := j.db.DeleteExpiredLinkTokens(ctx, now.Add(-Retention))
	_, passwords := j.db.EraseHeldPasswords(ctx, now.Add(-UnverifiedPasswords))
	var released error
	if !j.rules.Verifies() {
		released = j.db.ReleaseAllNextcloud(ctx)
	}
	return errors.Join(mails, tokens, passwords, released)
}

// canonicalizeEmails gives accounts of older releases their canonical addresses. It logs
// accounts whose canonical address is taken, whenever their number changes.
func (j *Janitor) canonicalizeEmails(ctx context.Context) error {
	duplicates, err := j.db.CanonicalizeEmails(ctx)
	if err != nil || len(duplicates) == j.conflicts {
		return err
	}
	j.conflicts = len(duplicates)
	const maxLogged = 20
	pairs := make([]string, 0, maxLogged)
	for _, duplicate := range duplicates[:min(len(duplicates), maxLogged)] {
		pairs = append(pairs, string(duplicate.Account)+" of "+string(duplicate.Holder))
	}
	slog.LogAttrs(ctx, slog.LevelWarn, "accounts with another account's e-mail address in another spelling",
		slog.Int("count", len(duplicates)), slog.Any("user_ids", pairs))
	return nil
}

// Loop cleans up at once and then every [Interval], until ctx ends.
func (j *Janitor) Loop(ctx context.Context) {
	background.Loop{Failed: "tidy", Interval: Interval}.Run(ctx, j.RunIfDue)
}
