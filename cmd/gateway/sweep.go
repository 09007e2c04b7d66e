package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
)

func sweepCommand(vars *variables) *cobra.Command {
	var plan, apply bool
	c := &cobra.Command{
		Use:   "sweep",
		Short: "Compare all accounts in Nextcloud with their desired state",
		Long: `Compare all accounts in Nextcloud with their desired state, and list the
differences: accounts that are missing, wrongly enabled or disabled, or have
another quota, address, name or group, and orphans, which belong to no user.

--plan only lists. --apply also schedules the repair, which the running gateway or
"gateway nextcloud reconcile" makes. Orphans are never changed. A quota that was
changed in Nextcloud is reset only with NEXTCLOUD_QUOTA_DRIFT=reset. The gateway
sweeps once a day by itself.`,
		Example: `  gateway nextcloud sweep --plan
  gateway nextcloud sweep --apply --output json`,
		Annotations: next(`After --plan: gateway nextcloud sweep --apply. After --apply: wait for the running
  gateway, or run "gateway nextcloud reconcile".`),
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if plan == apply {
				return usagef("pass either --plan or --apply")
			}
			return withParts(c.Context(), vars, c.ErrOrStderr(), func(all *parts) error { return sweep(c, all, apply) })
		},
	}
	c.Flags().BoolVar(&plan, "plan", false, "only list the differences")
	c.Flags().BoolVar(&apply, "apply", false, "list the differences and schedule their repair")
	addOldJSON(c)
	return c
}

// sweep prints how accounts differ from their desired state, and with apply schedules
// their repair.
func sweep(c *cobra.Command, all *parts, apply bool) error {
	if all.Reconciler == nil {
		return errNoNextcloud
	}
	progress := newProgress(c)
	all.Reconciler.Progress = func(read, compared int) {
		progress.show("%d accounts read from Nextcloud, %d compared", read, compared)
	}
	found, err := all.Reconciler.Compare(c.Context())
	progress.end()
	if err != nil {
		return err
	}
	report := sweepReport{Comparison: found}
	if apply {
		if report.Due, err = all.Reconciler.ScheduleRepair(c.Context(), found); err != nil {
			return err
		}
	}
	if len(report.Drifts) == 0 {
		report.Drifts = []reconcile.Drift{} // in JSON, an empty list instead of null
		notice(c, "No differences found.")
	}
	if err := writeResult(c, report, func(w io.Writer) { report.write(w, apply) }); err != nil {
		return err
	}
	switch {
	case report.Due > 0:
		hint(c, "wait for the running gateway, or: gateway nextcloud reconcile")
	case !apply && report.Drifted() > 0:
		hint(c, "gateway nextcloud sweep --apply")
	}
	return nil
}

// A sweepReport is the result of the command.
type sweepReport struct {
	reconcile.Comparison

	Due int `json:"due"` // accounts whose repair was scheduled
}

// write prints the report for people.
func (r sweepReport) write(w io.Writer, apply bool) {
	var kept, orphans int
	var rows [][]string
	for _, d := range r.Drifts {
		if d.Kind == reconcile.DriftOrphan {
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
