package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/cmd/gateway/internal/database"
	"github.com/voiceassist/gateway/cmd/gateway/internal/operator"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/audit/trail"
	"github.com/voiceassist/gateway/shared/store"
)

func auditCommand(vars *variables) *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Read and verify the audit trail",
		Long: `Read the audit trail, which records security events such as logins and role
changes, and verify that nobody removed or changed an event.`,
	}
	c.AddCommand(auditVerifyCommand(vars), auditListCommand(vars), auditAdoptCommand(vars))
	return c
}

func auditVerifyCommand(vars *variables) *cobra.Command {
	var readOnly bool
	var head string
	c := &cobra.Command{
		Use:   "verify",
		Short: "Verify that no event was removed or changed",
		Long: `Verify that no event of the audit trail was removed or changed. It exits with 1
and names the first such place, and with 3 where it cannot read the trail.

With --head it also verifies that the trail contains a head that the gateway
logged earlier (message "audit trail"); a trail that was cut or replaced does not.
Events that are not in the chain yet are added first, unless --read-only is set.`,
		Example: `  gateway audit verify
  gateway audit verify --read-only --output json`,
		Annotations: next(`Keep the printed head outside the database, and pass it as --head later. If the
  trail is broken, back up the database before anything else.`),
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var witness audit.Link
			if head != "" {
				var err error
				if witness, err = trail.ParseLink(head); err != nil {
					return usagef("--head: %v", err)
				}
			}
			err := withParts(c.Context(), vars, c.ErrOrStderr(), func(p *parts) error {
				progress := newProgress(c)
				defer progress.end()
				p.Trail.Progress = func(what string, events int64) { progress.show("%d events %s", events, what) }
				if !readOnly {
					_, _, err := p.Trail.Keep(c.Context())
					if _, broken := errors.AsType[*trail.Broken](err); err != nil && !broken {
						return err
					}
				}
				r, err := p.Trail.Verify(c.Context(), witness)
				if err != nil {
					return explain(err)
				}
				progress.end()
				if err := writeResult(c, r, func(w io.Writer) { writeVerification(w, r) }); err != nil || r.OK {
					return err
				}
				return r.Broken
			})
			if _, broken := errors.AsType[*trail.Broken](err); broken || err == nil {
				return err
			}
			return notChecked(err)
		},
	}
	addOldJSON(c)
	c.Flags().BoolVar(&readOnly, "read-only", false, "write nothing")
	c.Flags().StringVar(&head, "head", "", "a head from the log, as `PLACE:HASH`")
	return c
}

// writeVerification writes the report for people. Where the trail is broken is the
// error of the command.
func writeVerification(w io.Writer, r trail.Report) {
	if r.OK {
		fmt.Fprintf(w, "ok: %d events, none removed or changed; %d older ones were pruned\nhead: %s\n", r.Events, r.Pruned, r.Head)
	}
	if r.OlderSecret > 0 {
		fmt.Fprintf(w, "%d events were sealed with secrets that are no longer kept; later events vouch for them\n", r.OlderSecret)
	}
	if r.Unchained > 0 {
		fmt.Fprintf(w, "%d events have no place yet, the oldest of %s\n", r.Unchained, r.Oldest.Format(time.RFC3339))
	}
	if r.Stale {
		fmt.Fprintln(w, "warning: nothing gives places to events; does a gateway run on this database?")
	}
}

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
	c.Flags().StringVar(&event, "event", "", "only events with this `NAME`, such as login_failed")
	c.Flags().StringVar(&since, "since", "", "only events since `TIME`: a duration such as 24h, or a time such as 2026-11-24T12:00:00Z")
	_ = c.RegisterFlagCompletionFunc("event", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var names []string
		for _, n := range audit.Names() {
			names = append(names, string(n))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}) // it fails for an unknown flag only
	c.Flags().IntVar(&limit, "limit", 100, "list at most this `NUMBER` of events")
	addOldJSON(c)
	return c
}

func auditFilter(event, since string, limit int, now time.Time) (store.AuditFilter, error) {
	f := store.AuditFilter{Name: audit.Name(event), Since: time.Unix(0, 0), Limit: limit}
	if limit < 1 {
		return f, usagef("--limit is %d; it must be 1 or more", limit)
	}
	if known := audit.Names(); event != "" {
		names := make([]string, len(known))
		found := false
		for i, n := range known {
			names[i], found = string(n), found || n == f.Name
		}
		if !found {
			return f, usagef("--event is %q; it must be one of %s", event, strings.Join(names, ", "))
		}
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

// An auditLine is an event for programs.
type auditLine struct {
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

// writeEventLines writes a JSON object a line, for programs that read logs.
func writeEventLines(w io.Writer, events []audit.Event) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, e := range events {
		err := enc.Encode(auditLine{
			e.ID, e.At, string(e.Name), string(e.User), string(e.Actor), string(e.Login), e.Detail,
			e.Origin.Address, e.Origin.Device, e.Origin.CorrelationID,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func writeEvents(w io.Writer, events []audit.Event) {
	var rows [][]string
	for _, e := range events {
		rows = append(rows, []string{
			e.At.Format(time.RFC3339), string(e.Name), string(e.User), string(e.Actor), e.Origin.Address, e.Origin.Device, e.Detail,
		})
	}
	writeTable(w, []string{"TIME", "EVENT", "USER", "BY", "ADDRESS", "DEVICE", "DETAIL"}, rows)
}

func auditAdoptCommand(vars *variables) *cobra.Command {
	return &cobra.Command{
		Use:   "adopt",
		Short: "Accept a broken trail as it is, after you investigated it",
		Long: `Accept a broken audit trail as it is, and build a new chain over it. The trail
records that you did so and what was wrong. Back up the database first: a broken
trail is evidence.`,
		Example:     "  gateway audit adopt",
		Annotations: next(`Restart every gateway, then run "gateway audit verify".`),
		Args:        cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withParts(c.Context(), vars, c.ErrOrStderr(), func(p *parts) error {
				r, err := p.Trail.Adopt(c.Context(), operator.Origin)
				if err != nil {
					return explain(err)
				}
				if _, _, err := p.Trail.Keep(c.Context()); err != nil {
					return explain(err)
				}
				result := struct {
					Adopted *trail.Broken `json:"adopted"`
					Head    string        `json:"head"`
				}{r.Broken, p.Trail.Seen()}
				return writeResult(c, result, func(w io.Writer) {
					fmt.Fprintf(w, "adopted (%s); restart every process\nhead: %s\n", r.Broken.Reason, result.Head)
				})
			})
		},
	}
}
