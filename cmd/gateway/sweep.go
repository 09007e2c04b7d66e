package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/provision"
)

func sweepCommand(vars *variables) *cobra.Command {
	var plan, apply, asJSON bool
	c := &cobra.Command{
		Use:   "sweep",
		Short: "Compare all accounts in Nextcloud with what is wished",
		Long: `Compare all accounts in Nextcloud with what is wished, and list what differs:
accounts that are missing, wrongly enabled or disabled, have another quota,
address, name or group, and orphans, which are nobody's. --plan only lists.
--apply also makes what differs due, so that the running gateway, or "gateway
nextcloud reconcile", puts it right; orphans are never touched, and a quota that
was changed in Nextcloud only where NEXTCLOUD_QUOTA_DRIFT is reset. The gateway
does this by itself once a day.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if plan == apply {
				return usagef("say either --plan or --apply")
			}
			return withParts(c.Context(), vars, c.ErrOrStderr(), func(all *parts) error {
				if all.Reconciler == nil {
					return errNoNextcloud
				}
				found, err := all.Reconciler.Compare(c.Context())
				if err != nil {
					return err
				}
				report := sweepReport{Comparison: found}
				if apply {
					if report.Due, err = all.Reconciler.Recheck(c.Context(), found); err != nil {
						return err
					}
				}
				if asJSON {
					encoder := json.NewEncoder(c.OutOrStdout())
					encoder.SetIndent("", "  ")
					return encoder.Encode(report)
				}
				return report.print(c.OutOrStdout(), apply)
			})
		},
	}
	c.Flags().BoolVar(&plan, "plan", false, "only list what differs")
	c.Flags().BoolVar(&apply, "apply", false, "let what differs be put right")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON document instead of sentences")
	return c
}

// A sweepReport is what the command prints as JSON.
type sweepReport struct {
	provision.Comparison

	Due int `json:"due"` // accounts that were made due
}

func (r sweepReport) print(w io.Writer, apply bool) error {
	var kept, orphans int
	for _, d := range r.Drifts {
		if d.Kind == provision.DriftOrphan {
			orphans++
		}
		line := fmt.Sprintf("%-13s %s", d.Kind, d.NextcloudID)
		if d.UserID != "" {
			line += fmt.Sprintf(" (user %s)", d.UserID)
		}
		if d.Wanted != d.Found {
			line += fmt.Sprintf(": is %q, should be %q", d.Found, d.Wanted)
		}
		if d.Kept {
			line += " (kept)"
			kept++
		}
		fmt.Fprintln(w, line)
	}
	_, err := fmt.Fprintf(w, "compared %d, differ %d, kept %d, orphans %d, not at rest %d, not ours %d\n",
		r.Compared, r.Drifted(), kept, orphans, r.Unsettled, r.Foreign)
	if apply && err == nil {
		_, err = fmt.Fprintf(w, "made due %d; the running gateway puts them right, or: gateway nextcloud reconcile\n", r.Due)
	}
	return err
}
