package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/cmd/gateway/internal/operator"
	"github.com/voiceassist/gateway/shared/audit/trail"
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
