package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/account"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/trail"
)

func auditCommand(vars *variables) *cobra.Command {
	c := &cobra.Command{Use: "audit", Short: "Read the audit trail, and verify that nobody changed it"}
	c.AddCommand(auditVerifyCommand(vars), auditListCommand(vars), auditAdoptCommand(vars))
	return c
}

func auditVerifyCommand(vars *variables) *cobra.Command {
	var readOnly bool
	var head string
	c := &cobra.Command{
		Use:   "verify",
		Short: "Verify that no event was removed or changed; exit with 1 and name the first place where one was",
		Long: `Verify that no event of the audit trail was removed or changed. With --head,
also that the trail passed where it was when that head was logged ("audit trail",
head): a trail that was cut, or made anew, did not. Events that have no place in
the chain yet get one first, unless --read-only is given.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var witness audit.Link
			if head != "" {
				var err error
				if witness, err = trail.ParseLink(head); err != nil {
					return usagef("--head: %v", err)
				}
			}
			return withParts(c.Context(), vars, c.ErrOrStderr(), func(p *parts) error {
				if !readOnly {
					_, _, err := p.Trail.Keep(c.Context())
					if _, broken := errors.AsType[*trail.Broken](err); err != nil && !broken {
						return err
					}
				}
				r, err := p.Trail.Verify(c.Context(), witness)
				if err != nil {
					return spoken(err)
				}
				if err := writeResult(c, r, func(w io.Writer) { writeReport(w, r) }); err != nil || r.OK {
					return err
				}
				return r.Broken
			})
		},
	}
	addOldJSON(c)
	c.Flags().BoolVar(&readOnly, "read-only", false, "write nothing")
	c.Flags().StringVar(&head, "head", "", "PLACE:HASH of a head from the log")
	return c
}

// writeReport writes the report for people. Where the trail is broken is the
// error of the command.
func writeReport(w io.Writer, r trail.Report) {
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
		Short: "List events, the newest first",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			f, err := auditFilter(event, since, limit, time.Now())
			if err != nil {
				return err
			}
			return withDatabase(c, vars, openDatabase, func(db *store.DB) error {
				if err := migrated(c.Context(), db); err != nil {
					return spoken(err)
				}
				if user != "" {
					if f.User, err = whom(c, db, user); err != nil {
						return err
					}
				}
				events, err := db.AuditEvents(c.Context(), f)
				if err != nil {
					return spoken(err)
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
	c.Flags().StringVar(&user, "user", "", "only what concerns this account: its address or id")
	c.Flags().StringVar(&event, "event", "", "only events of this name, such as login_failed")
	c.Flags().StringVar(&since, "since", "", "only from then on: a duration such as 24h, or a time such as 2026-11-24T12:00:00Z")
	c.Flags().IntVar(&limit, "limit", 100, "how many at most")
	addOldJSON(c)
	return c
}

func auditFilter(event, since string, limit int, now time.Time) (store.AuditFilter, error) {
	f := store.AuditFilter{Name: audit.Name(event), Since: time.Unix(0, 0), Limit: limit}
	if limit < 1 {
		return f, usagef("--limit is %d; it takes 1 or more", limit)
	}
	if known := audit.Names(); event != "" {
		names := make([]string, len(known))
		found := false
		for i, n := range known {
			names[i], found = string(n), found || n == f.Name
		}
		if !found {
			return f, usagef("--event is %q; it takes one of %s", event, strings.Join(names, ", "))
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
		return f, usagef("--since is %q; it takes a duration such as 24h, or a time such as 2026-11-24T12:00:00Z", since)
	}
	f.Since = t
	return f, nil
}

// whom returns the account with that id or address. That of an id need not be
// there any more.
func whom(c *cobra.Command, db *store.DB, name string) (account.ID, error) {
	if id, err := account.ParseID(name); err == nil {
		return id, nil
	}
	l, err := account.ParseLookup(name)
	if err != nil {
		return "", usagef("--user is %q; it takes an e-mail address or an id", name)
	}
	a, _, err := db.AccountByEmail(c.Context(), l)
	if errors.Is(err, account.ErrNotFound) {
		return "", fmt.Errorf("nobody has the address %s; events of an account that was deleted are found by its id", l.Subject())
	}
	return a.ID, spoken(err)
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
		Short: "Take a broken trail as it stands, after it was looked into; the trail will tell",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withParts(c.Context(), vars, c.ErrOrStderr(), func(p *parts) error {
				r, err := p.Trail.Adopt(c.Context(), atTheConsole)
				if err != nil {
					return spoken(err)
				}
				if _, _, err := p.Trail.Keep(c.Context()); err != nil {
					return spoken(err)
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
