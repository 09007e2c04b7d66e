package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/provision"
)

func sweepCommand(vars *variables) *cobra.Command {
	var plan, apply bool
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
				if len(report.Drifts) == 0 {
					report.Drifts = []provision.Drift{} // a list in JSON, too
					notice(c, "No differences found.")
				}
				return writeResult(c, report, func(w io.Writer) { report.write(w, apply) })
			})
		},
	}
	c.Flags().BoolVar(&plan, "plan", false, "only list what differs")
	c.Flags().BoolVar(&apply, "apply", false, "let what differs be put right")
	addOldJSON(c)
	return c
}

// A sweepReport is what the command prints as JSON.
type sweepReport struct {
	provision.Comparison

	Due int `json:"due"` // accounts that were made due
}

// write prints the report for people.
func (r sweepReport) write(w io.Writer, apply bool) {
	var kept, orphans int
	var rows [][]string
	for _, d := range r.Drifts {
		if d.Kind == provision.DriftOrphan {
			orphans++
		}
		remark := ""
		if d.Kept {
			remark = "kept"
			kept++
		}
		rows = append(rows, []string{string(d.Kind), d.NextcloudID, string(d.UserID), d.Found, d.Wanted, remark})
	}
	if len(rows) > 0 {
		writeTable(w, []string{"DIFFERENCE", "NEXTCLOUD ID", "USER ID", "FOUND", "WANTED", "REMARK"}, rows)
	}
	fmt.Fprintf(w, "compared %d, differ %d, kept %d, orphans %d, not compared %d, not ours %d\n",
		r.Compared, r.Drifted(), kept, orphans, r.Unsettled, r.Foreign)
	if apply {
		fmt.Fprintf(w, "scheduled %d\n", r.Due)
	}
}
