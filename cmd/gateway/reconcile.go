package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
)

func reconcileCommand(vars *variables) *cobra.Command {
	var (
		noWait  bool
		maxWait time.Duration
	)
	c := &cobra.Command{
		Use:   "reconcile",
		Short: "Apply pending changes to the accounts in Nextcloud",
		Long: `Create and change accounts in Nextcloud until each is in its desired state, at the
rate that Nextcloud allows. It can run beside the gateway: they share the work.
You can interrupt it at any time and run it again. It exits with 1 where an
account failed or is left.`,
		Example: `  gateway nextcloud reconcile
  gateway nextcloud reconcile --no-wait --output json`,
		Annotations: next(`For accounts that fail: GET /api/nextcloud/accounts says why, and
  "gateway nextcloud doctor" checks the server.`),
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if noWait {
				maxWait = 0
			}
			return withParts(c.Context(), vars, c.ErrOrStderr(), func(all *parts) error {
				if all.Reconciler == nil {
					return errNoNextcloud
				}
				progress := newProgress(c).showFirst()
				r := &reconcileResult{start: time.Now()}
				last, err := all.Reconciler.Drain(c.Context(), maxWait, func(p reconcile.Progress) {
					r.Progress = p
					progress.show("%s", r.line())
				})
				r.Progress = last
				progress.end()
				return errors.Join(writeResult(c, r.json(), r.write), r.verdict(err))
			})
		},
	}
	c.Flags().BoolVar(&noWait, "no-wait", false, "stop when nothing is due now, even if something is due later")
	c.Flags().DurationVar(&maxWait, "max-wait", 15*time.Minute, "longest single wait for what is due later")
	return c
}

// A reconcileResult is what the command did so far.
type reconcileResult struct {
	reconcile.Progress

	start time.Time
}

// line returns the progress for people.
func (r *reconcileResult) line() string {
	b, took := r.Backlog, time.Since(r.start)
	rate, left := 0.0, "unknown"
	if took > 0 {
		rate = float64(r.Done) / took.Seconds()
	}
	if rate > 0 {
		left = time.Duration(float64(b.Remaining) / rate * float64(time.Second)).Round(time.Second).String()
	}
	if b.Remaining == 0 {
		return fmt.Sprintf("done %d, failed %d, left 0, %.1f/s, took %s", r.Done, r.Failed, rate, took.Round(time.Second/10))
	}
	line := fmt.Sprintf("done %d, failed %d, left %d, %.1f/s, time left %s", r.Done, r.Failed, b.Remaining, rate, left)
	if b.Wait > 0 {
		line += fmt.Sprintf("; waiting %s for %s", b.Wait.Round(time.Second), waitsFor(b.Reason))
	}
	return line
}

func (r *reconcileResult) write(w io.Writer) { fmt.Fprintln(w, r.line()) }

// waitsFor returns in words what all remaining accounts wait for.
func waitsFor(reason store.BlockReason) string {
	switch reason {
	case store.BlockedByOutage:
		return "Nextcloud to respond again"
	case store.BlockedByTrial:
		return "another process that tests whether Nextcloud responds"
	case store.BlockedByRefusal:
		return "an administrator that Nextcloud accepts"
	}
	return "the next try of an account, see GET /api/nextcloud/accounts"
}

// A reconcileJSON is the result under --output json.
type reconcileJSON struct {
	Done     int        `json:"done"`
	Failed   int        `json:"failed"`
	Left     int        `json:"left"`
	Seconds  float64    `json:"seconds"`
	WaitsFor string     `json:"waits_for,omitempty"` // "outage", "trial" or "refused"
	NextTry  *time.Time `json:"next_try_at"`         // null if nothing waits
}

func (r *reconcileResult) json() reconcileJSON {
	seconds := time.Since(r.start).Round(time.Millisecond).Seconds()
	return reconcileJSON{r.Done, r.Failed, r.Backlog.Remaining, seconds, string(r.Backlog.Reason), r.Backlog.NextAttempt}
}

// verdict returns the error that the command ends with. err is that of
// [reconcile.Reconciler.Drain].
func (r *reconcileResult) verdict(err error) error {
	switch {
	case errors.Is(err, reconcile.ErrRefused):
		return fmt.Errorf("the administrator is rejected by Nextcloud; the gateway retries at %s, or at once with changed credentials: run gateway nextcloud doctor for details",
			r.Backlog.Until.UTC().Format(time.RFC3339))
	case err != nil:
		return err
	case r.Failed > 0:
		return fmt.Errorf("accounts that need attention: %d; GET /api/nextcloud/accounts shows why", r.Failed)
	case r.Backlog.Remaining > 0:
		return fmt.Errorf("accounts not yet in sync: %d; GET /api/nextcloud/accounts shows why, and when the gateway retries", r.Backlog.Remaining)
	}
	return nil
}
