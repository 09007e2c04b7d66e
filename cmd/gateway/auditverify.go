package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/audit/trail"
)

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

// writeVerification writes the report for people, except where the trail is broken:
// that is the error of the command.
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
