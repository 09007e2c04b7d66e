package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/access"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/quota"
)

func quotaCommand(vars *variables) *cobra.Command {
	return &cobra.Command{
		Use:   "quota EMAIL [QUOTA]",
		Short: "Show or set the quota of one account",
		Long: `Show the quota of the account with the address EMAIL, as wanted and as found in
Nextcloud, or set it. QUOTA is one argument: "20 GB", "500 MB", none for no limit,
default for NEXTCLOUD_DEFAULT_QUOTA, or keep to leave it as it is in Nextcloud.
The running gateway or "gateway nextcloud reconcile" sets it in Nextcloud, and
overwrites a change that was made there.`,
		Example: `  gateway nextcloud quota ada@example.org
  gateway nextcloud quota ada@example.org '20 GB'
  gateway nextcloud quota ada@example.org default`,
		Annotations: next(`Wait for the running gateway, or run "gateway nextcloud reconcile".`),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return []string{"default", "keep", "none"}, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			address, err := account.ParseEmailLookup(args[0])
			if err != nil {
				return explain(err)
			}
			set, override := len(args) > 1, ""
			if set {
				if override, err = desired.ParseQuota(args[1]); err != nil {
					return explain(err)
				}
			}
			return withParts(c.Context(), vars, c.ErrOrStderr(), func(all *parts) error {
				if all.Reconciler == nil {
					return errNoNextcloud
				}
				if set {
					if err := all.operator().SetQuota(c.Context(), address, override); err != nil {
						return explain(err)
					}
				}
				n, err := all.operator().NextcloudAccount(c.Context(), address)
				if err != nil {
					return explain(err)
				}
				result := struct {
					access.Quota

					Status desired.Status `json:"status"`
				}{access.QuotaOf(n), n.Status}
				if err := writeResult(c, result, func(w io.Writer) { writeQuota(w, n) }); err != nil {
					return err
				}
				if set {
					hint(c, "wait for the running gateway, or: gateway nextcloud reconcile")
				}
				return nil
			})
		},
	}
}

func writeQuota(w io.Writer, n desired.Account) {
	q := access.QuotaOf(n)
	wanted, found := "as it is in Nextcloud", "not known yet"
	if q.Wanted != nil {
		wanted = *q.Wanted
	}
	if q.Setting == desired.DefaultQuota {
		wanted += " (default)"
	}
	if q.Found != nil {
		found = fmt.Sprintf("%s, %s used, as of %s", *q.Found, quota.Quota(*q.Used), q.AsOf.Format(time.RFC3339))
	}
	fmt.Fprintf(w, "wanted     %s\nnextcloud  %s\nstatus     %s\n", wanted, found, n.Status)
}
