package main

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/cmd/gateway/internal/database"
	"github.com/voiceassist/gateway/cmd/gateway/internal/operator"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/store"
)

func auditListCommand(vars *variables) *cobra.Command {
	var (
		user, event, since string
		limit              int
	)
	c := &cobra.Command{
		Use:   "list",
		Short: "List events, newest first",
		Long: `List the events of the audit trail, newest first. With --output json it prints one
JSON object a line.`,
		Example: `  gateway audit list --limit 20
  gateway audit list --user ada@example.org --since 24h
  gateway audit list --event login_failed --output json`,
		Annotations: next(`Verify that the list is complete: gateway audit verify.`),
		Args:        cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			f, err := auditFilter(event, since, limit, time.Now())
			if err != nil {
				return err
			}
			return withDatabase(c, vars, new(database.Settings), func(db *store.DB) error {
				if err := database.CheckSchema(c.Context(), db); err != nil {
					return explain(err)
				}
				if user != "" {
					f.User, err = operator.FindUser(c.Context(), db, user)
					if errors.Is(err, operator.ErrNotAUser) {
						return usagef("--user is %q; it must be an e-mail address or an id", user)
					}
					if err != nil {
						return explain(err)
					}
				}
				events, err := db.AuditEvents(c.Context(), f)
				if err != nil {
					return explain(err)
				}
				if len(events) == 0 {
					notice(c, "No events found.")
					return nil
				}
				if asJSON(c) {
					return writeEventLines(c.OutOrStdout(), events)
				}
				return writeResult(c, nil, func(w io.Writer) { writeEvents(w, events) })
			})
		},
	}
	c.Flags().StringVar(&user, "user", "", "only events of the account with this address or id (`EMAIL|ID`)")
	c.Flags().StringVar(&event, "event", "", "only events with this `NAME`, such as login_failed, or with one of several names, separated by commas")
	c.Flags().StringVar(&since, "since", "", "only events since `TIME`: a duration such as 24h, or a time such as 2026-11-24T12:00:00Z")
	_ = c.RegisterFlagCompletionFunc("event", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var names []string
		for _, n := range audit.Names() {
			names = append(names, string(n))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}) // it fails only for an unknown flag
	c.Flags().IntVar(&limit, "limit", 100, "list at most this `NUMBER` of events")
	addOldJSON(c)
	return c
}

// auditFilter parses the flags of the command. now is the end of a duration.
func auditFilter(event, since string, limit int, now time.Time) (store.AuditFilter, error) {
	f := store.AuditFilter{Limit: limit}
	if limit < 1 {
		return f, usagef("--limit is %d; it must be 1 or more", limit)
	}
	var err error
	if f.Names, err = audit.ParseNames(event); err != nil {
		names := make([]string, len(audit.Names()))
		for i, n := range audit.Names() {
			names[i] = string(n)
		}
		return f, usagef("--event is %q; it must be one of %s", event, strings.Join(names, ", "))
	}
	if since == "" {
		return f, nil
	}
	if d, err := time.ParseDuration(since); err == nil && d >= 0 {
		f.Since = now.Add(-d)
		return f, nil
	}
	t, err := time.Parse(time.RFC3339, since)
	if err != nil {
		return f, usagef("--since is %q; it must be a duration such as 24h, or a time such as 2026-11-24T12:00:00Z", since)
	}
	f.Since = t
	return f, nil
}

// An eventJSON is an event under --output json.
type eventJSON struct {
	ID            string    `json:"id"`
	At            time.Time `json:"at"`
	Event         string    `json:"event"`
	UserID        string    `json:"user_id,omitempty"`
	ActorID       string    `json:"actor_id,omitempty"`
	LoginID       string    `json:"login_id,omitempty"`
	Detail        string    `json:"detail,omitempty"`
	Address       string    `json:"address,omitempty"`
	Device        string    `json:"device,omitempty"`
	CorrelationID string    `json:"correlation_id,omitempty"`
}

// writeEventLines writes one JSON object a line (JSON Lines).
func writeEventLines(w io.Writer, events []audit.Event) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, e := range events {
		err := enc.Encode(eventJSON{
			e.ID, e.At, string(e.Name), string(e.User), string(e.Actor), string(e.Login), e.Detail,
			e.Origin.Address, e.Origin.Device, e.Origin.CorrelationID,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// writeEvents writes a table for people.
func writeEvents(w io.Writer, events []audit.Event) {
	var rows [][]string
	for _, e := range events {
		rows = append(rows, []string{
			e.At.Format(time.RFC3339), string(e.Name), string(e.User), string(e.Actor), e.Origin.Address, e.Origin.Device, e.Detail,
		})
	}
	writeTable(w, []string{"TIME", "EVENT", "USER", "BY", "ADDRESS", "DEVICE", "DETAIL"}, rows)
}
