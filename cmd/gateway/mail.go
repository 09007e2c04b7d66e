package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/cmd/gateway/internal/database"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/store"
)

func mailCommand(vars *variables) *cobra.Command {
	c := &cobra.Command{
		Use:   "mail",
		Short: "Show and retry mails that were not sent",
		Long: `Show which mails of the outbox were not sent and why, and retry them. The commands
send nothing themselves: the running gateway does.`,
	}
	c.AddCommand(mailStatusCommand(vars), mailRetryCommand(vars))
	return c
}

// maxListedMails is the maximum of --limit.
const maxListedMails = 10000

func mailStatusCommand(vars *variables) *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what is in the outbox, and which mails failed",
		Long: `Show how many mails wait, were sent in the last day, and could not be sent. Then list
the mails whose last attempt failed: first the dead ones, which are not tried again,
then those that wait for another attempt.`,
		Example: `  gateway mail status
  gateway mail status --limit 10 --output json`,
		Annotations: next(`Fix what the errors say, then run "gateway mail retry".`),
		Args:        cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if limit < 1 || limit > maxListedMails {
				return usagef("--limit is %d; it must be from 1 to %d", limit, maxListedMails)
			}
			return withOutbox(c, vars, func(db *store.DB) error { return mailStatus(c, db, limit) })
		},
	}
	c.Flags().IntVar(&limit, "limit", 100, "list at most this `NUMBER` of mails")
	return c
}

// withOutbox runs fn with the database.
func withOutbox(c *cobra.Command, vars *variables, fn func(*store.DB) error) error {
	return withDatabase(c, vars, new(database.Settings), func(db *store.DB) error {
		if err := database.CheckSchema(c.Context(), db); err != nil {
			return explain(err)
		}
		return fn(db)
	})
}

// A mailStatusJSON is the outbox under --output json.
type mailStatusJSON struct {
	Waiting int        `json:"waiting"`
	Oldest  *time.Time `json:"oldest_waiting_at"` // null for none
	Sent    int        `json:"sent"`              // in the last day
	Dead    int        `json:"dead"`
	Mails   []mailJSON `json:"mails"` // that failed
}

// A mailJSON is a mail whose last attempt failed.
type mailJSON struct {
	ID        string     `json:"id"`
	Status    string     `json:"status"` // dead or waiting
	Kind      mail.Kind  `json:"kind"`
	Recipient string     `json:"recipient"`
	UserID    string     `json:"user_id"`
	CreatedAt time.Time  `json:"created_at"`
	Attempts  int        `json:"attempts"`
	NextTryAt *time.Time `json:"next_try_at"` // null for a dead mail
	LastError string     `json:"last_error"`
}

func mailStatus(c *cobra.Command, db *store.DB, limit int) error {
	backlog, err := db.MailBacklog(c.Context())
	if err != nil {
		return explain(err)
	}
	list, err := db.TroubledMails(c.Context(), limit)
	if err != nil {
		return explain(err)
	}
	status := mailStatusJSON{backlog.Waiting, backlog.Oldest, backlog.Sent, backlog.Dead, make([]mailJSON, 0, len(list))}
	for _, m := range list {
		j := mailJSON{m.ID, "waiting", m.Kind, string(m.Recipient), string(m.User), m.CreatedAt, m.Attempts, m.DueAt, m.LastError}
		if m.DueAt == nil {
			j.Status = "dead"
		}
		status.Mails = append(status.Mails, j)
	}
	if err := writeResult(c, status, status.write); err != nil {
		return err
	}
	if len(list) > 0 {
		hint(c, "fix what the errors say, then: gateway mail retry")
	}
	return nil
}

// write prints the status for people.
func (s mailStatusJSON) write(w io.Writer) {
	fmt.Fprintf(w, "waiting %d, sent in the last day %d, dead %d\n", s.Waiting, s.Sent, s.Dead)
	if s.Oldest != nil {
		fmt.Fprintf(w, "the oldest mail waits since %s\n", s.Oldest.Format(time.RFC3339))
	}
	rows := make([][]string, 0, len(s.Mails))
	for _, m := range s.Mails {
		due := ""
		if m.NextTryAt != nil {
			due = m.NextTryAt.Format(time.RFC3339)
		}
		rows = append(rows, []string{m.ID, m.Status, string(m.Kind), m.Recipient, strconv.Itoa(m.Attempts), due, m.LastError})
	}
	if len(rows) > 0 {
		writeTable(w, []string{"ID", "STATUS", "KIND", "RECIPIENT", "ATTEMPTS", "NEXT TRY", "LAST ERROR"}, rows)
	}
}

func mailRetryCommand(vars *variables) *cobra.Command {
	return &cobra.Command{
		Use:   "retry [ID]",
		Short: "Try failed mails again now",
		Long: `Make the mail with the ID due now, or all mails that could not be sent or wait for
another attempt. Their attempts are counted anew. A mail whose link no longer works is
dropped instead of sent. The command exits with 1 if there is no such mail.`,
		Example: `  gateway mail retry
  gateway mail retry 0198f7a0-7c3b-7d2e-9f11-0123456789ab`,
		Annotations: next(`See what became of them: gateway mail status.`),
		Args:        cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) (err error) {
			id := ""
			if len(args) > 0 {
				if id, err = uid.Parse(args[0]); err != nil {
					return usagef("ID is %q; it must be one of those that gateway mail status lists", args[0])
				}
			}
			return withOutbox(c, vars, func(db *store.DB) error { return mailRetry(c, db, id) })
		},
	}
}

var errNoSuchMail = errors.New("there is no such mail that waits or failed; gateway mail status lists those that failed")

func mailRetry(c *cobra.Command, db *store.DB, id string) error {
	n, err := db.RetryMails(c.Context(), id, time.Now())
	switch {
	case err != nil:
		return explain(err)
	case n == 0 && id != "":
		return errNoSuchMail
	case n == 0:
		notice(c, "No mail failed.")
	}
	result := struct {
		Due int64 `json:"due"` // mails that are due now
	}{n}
	return writeResult(c, result, func(w io.Writer) {
		if n > 0 {
			fmt.Fprintf(w, "due now: %d\n", n)
		}
	})
}
