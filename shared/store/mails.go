package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
	"github.com/voiceassist/gateway/shared/mail"
)

var _ mail.Tx = (*Tx)(nil)

const mailColumns = `id, user_id, kind, recipient, language, COALESCE(CAST(token_id AS TEXT), ''), data, created_at, due_at,
	attempts, sending, repeated, last_error`

// mails runs a query for mails.
func (s *Statements) mails(ctx context.Context, query string, args ...any) ([]mail.Message, error) {
	list := []mail.Message{}
	err := queryList(ctx, s, &list, func(row scanner) error {
		var m mail.Message
		var data string
		err := row.Scan(&m.ID, &m.User, &m.Kind, &m.Recipient, &m.Language, &m.Token, &data, timeScanner{&m.CreatedAt}, nullTimeScanner{&m.DueAt},
			&m.Attempts, &m.Interrupted, &m.Repeated, &m.LastError)
		if err == nil {
			m.Data, err = mail.ParseData(data)
		}
		list = append(list, m)
		return err
	}, query, args...)
	return list, err
}

// AddMail adds m to the outbox and reports whether it did. It does not if the token does
// not exist, or if the mailbox has had [mail.PerHour] mails of that kind in the last
// hour; those of other users do not count if m.Own is set. The transaction is
// serializable, so concurrent calls do not exceed the limit.
func (tx *Tx) AddMail(ctx context.Context, m mail.Message) (bool, error) {
	n, err := tx.exec(ctx, `
		INSERT INTO mails (id, user_id, kind, recipient, mailbox, language, token_id, data, created_at, due_at)
		SELECT $1, link_tokens.user_id, $3, $4, $5, $6, link_tokens.id, $8, $9, $9
		FROM link_tokens WHERE link_tokens.id = $7 AND link_tokens.user_id = $2 AND `+
		defense.SQL(defense.MailLimit, `(SELECT COUNT(*) FROM mails AS earlier
			WHERE earlier.mailbox = $5 AND earlier.kind = $3 AND earlier.created_at > $10
				AND (earlier.user_id = $2 OR NOT $12)) < $11`),
		m.ID, idOrNobody(m.User), string(m.Kind), string(m.Recipient), mail.Mailbox(m.Recipient), m.Language, idOrNobody(m.Token),
		m.Data.Encode(), at(m.CreatedAt), at(m.CreatedAt.Add(-time.Hour)), mail.PerHour, m.Own)
	if err != nil {
		return false, fmt.Errorf("add mail: %w", err)
	}
	return n > 0, nil
}

// LeaseMails leases up to n due mails under the name lease until the given time, and
// returns them in the order in which they were written. A mail to the same recipient as
// an earlier one waits until that is finished. Concurrent calls lease different mails.
func (s *Statements) LeaseMails(ctx context.Context, lease string, now, until time.Time, n int) ([]mail.Message, error) {
	list, err := s.mails(ctx, `
		WITH due AS MATERIALIZED ( -- or a plan may run it once for each row, beyond the limit
			SELECT id FROM mails
			WHERE due_at <= $2 AND (lease_until IS NULL OR lease_until <= $2) AND NOT EXISTS (
				SELECT 1 FROM mails AS earlier
				WHERE earlier.recipient = mails.recipient AND earlier.id < mails.id AND earlier.due_at IS NOT NULL)
			ORDER BY id LIMIT $4`+s.dialect.SkipLocked+`)
		UPDATE mails SET lease = $1, lease_until = $3
		WHERE id IN (SELECT id FROM due)
		RETURNING `+mailColumns, lease, at(now), at(until), n)
	if err != nil {
		return nil, fmt.Errorf("lease mails: %w", err)
	}
	slices.SortFunc(list, func(a, b mail.Message) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}

// StartMail records that the mail is about to be sent, and extends the lease. It returns
// [ErrChanged] if the lease was lost. If the process ends before [Statements.SettleMail],
// the next lease shows that the mail may have been sent.
func (s *Statements) StartMail(ctx context.Context, m mail.Message, lease string, until time.Time) error {
	n, err := s.exec(ctx, `
		UPDATE mails SET lease_until = $3, repeated = repeated OR sending, sending = TRUE
		WHERE id = $1 AND lease = $2 AND due_at IS NOT NULL`, m.ID, lease, at(until))
	return leased("start mail", n, err)
}

// ExtendLinkToken makes a token that is about to be mailed last until expires, and
// reports whether it still exists and its user is enabled.
func (s *Statements) ExtendLinkToken(ctx context.Context, id linktoken.ID, expires time.Time) (bool, error) {
	n, err := s.exec(ctx, `
		UPDATE link_tokens SET expires_at = CASE WHEN expires_at < $2 THEN $2 ELSE expires_at END
		WHERE id = $1 AND EXISTS (SELECT 1 FROM users WHERE users.id = link_tokens.user_id AND users.disabled_at IS NULL)`,
		idOrNobody(id), at(expires))
	if err != nil {
		return false, fmt.Errorf("extend link token: %w", err)
	}
	return n > 0, nil
}

// SettleMail stores the outcome of an attempt and ends the lease. It returns
// [ErrChanged] if the lease was lost.
func (s *Statements) SettleMail(ctx context.Context, m mail.Message, lease string, o mail.Outcome, now time.Time) error {
	var due, finished *time.Time
	if o.Result == mail.Waiting {
		due = &o.DueAt
	} else {
		finished = &now
	}
	n, err := s.exec(ctx, `
		UPDATE mails SET outcome = $3, due_at = $4, finished_at = $5, attempts = $6, last_error = $7, sending = $8,
			lease = NULL, lease_until = NULL
		WHERE id = $1 AND lease = $2`,
		m.ID, lease, orNull(o.Result), atOrNull(due), atOrNull(finished), o.Attempts, o.Error, o.Uncertain)
	return leased("settle mail", n, err)
}

// ReleaseMails ends the leases of mails that were not sent.
func (s *Statements) ReleaseMails(ctx context.Context, lease string) error {
	_, err := s.exec(ctx, `UPDATE mails SET lease = NULL, lease_until = NULL WHERE lease = $1`, lease)
	if err != nil {
		return fmt.Errorf("release mails: %w", err)
	}
	return nil
}

// A MailBacklog is what is in the outbox.
type MailBacklog struct {
	Waiting int        // mails that will be sent
	Oldest  *time.Time // when the oldest of them was written; nil for none
	Dead    int        // mails that could not be sent
	Sent    int        // mails that were sent in the last [mail.KeepSent]
}

// MailBacklog returns what is in the outbox.
func (s *Statements) MailBacklog(ctx context.Context) (MailBacklog, error) {
	var b MailBacklog
	err := s.queryRow(ctx, nil, []any{&b.Waiting, nullTimeScanner{&b.Oldest}, &b.Dead, &b.Sent}, `
		SELECT COUNT(due_at), MIN(CASE WHEN due_at IS NOT NULL THEN created_at END),
			COUNT(CASE WHEN outcome = 'dead' THEN 1 END), COUNT(CASE WHEN outcome = 'sent' THEN 1 END) FROM mails`)
	if err != nil {
		return MailBacklog{}, fmt.Errorf("backlog of mails: %w", err)
	}
	return b, nil
}

// TroubledMails returns up to n mails that failed, dead ones first, then the oldest.
func (s *Statements) TroubledMails(ctx context.Context, n int) ([]mail.Message, error) {
	list, err := s.mails(ctx, `
		SELECT `+mailColumns+` FROM mails WHERE outcome = 'dead' OR due_at IS NOT NULL AND last_error <> ''
		ORDER BY CASE WHEN outcome = 'dead' THEN 0 ELSE 1 END, id LIMIT $1`, n)
	if err != nil {
		return nil, fmt.Errorf("troubled mails: %w", err)
	}
	return list, nil
}

// RetryMails makes the mail with the id due now if it could not be sent or waits for
// another attempt, or all such mails if the id is "". It returns their number.
func (s *Statements) RetryMails(ctx context.Context, id string, now time.Time) (int64, error) {
	const (
		change   = `UPDATE mails SET due_at = $1, outcome = NULL, finished_at = NULL, attempts = 0, sending = FALSE, repeated = FALSE`
		unsent   = `(outcome = 'dead' OR due_at > $1)`
		thisMail = ` AND id = $2`
	)
	var n int64
	var err error
	if id == "" {
		n, err = s.changeInBatches(ctx, change, `mails`, `id`, unsent, at(now))
	} else {
		n, err = s.exec(ctx, change+` WHERE `+unsent+thisMail, at(now), id)
	}
	if err != nil {
		return n, fmt.Errorf("retry mails: %w", err)
	}
	return n, nil
}

// DeleteOldMails deletes mails that were sent before the time [mail.KeepSent] ago, and
// those that nobody could send for [mail.KeepDead].
func (s *Statements) DeleteOldMails(ctx context.Context, now time.Time) (int64, error) {
	dead := at(now.Add(-mail.KeepDead))
	finished, err := s.deleteInBatches(ctx, `mails`, `finished_at < $1 AND (outcome <> 'dead' OR finished_at < $2)`,
		at(now.Add(-mail.KeepSent)), dead)
	if err != nil {
		return finished, fmt.Errorf("delete old mails: %w", err)
	}
	waiting, err := s.deleteInBatches(ctx, `mails`, `due_at IS NOT NULL AND created_at < $1`, dead)
	if err != nil {
		return finished + waiting, fmt.Errorf("delete mails that waited too long: %w", err)
	}
	return finished + waiting, nil
}
