package main

import (
	"context"
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
				r := &reconciliation{Reconciler: all.Reconciler, progress: newProgress(c).atOnce(), begun: time.Now()}
				err := r.run(c.Context(), maxWait)
				r.progress.end()
				return errors.Join(writeResult(c, r.result(), r.write), err)
			})
		},
	}
	c.Flags().BoolVar(&noWait, "no-wait", false, "stop when nothing is due now, even if something is due later")
	c.Flags().DurationVar(&maxWait, "max-wait", 15*time.Minute, "longest single wait for what is due later")
	return c
}

const (
	batch = 20              // accounts at a time; the progress is shown after each
	nap   = 2 * time.Second // between two looks while waiting: the gateway works, too
)

// A reconciliation is one run of the command.
type reconciliation struct {
	*reconcile.Reconciler

	progress *progress
	begun    time.Time
	done     int
	givenUp  int               // before it began
	last     reconcile.Backlog // what is left
}

// run works in batches until nothing is left, or what is left is due later than
// after the longest wait.
func (r *reconciliation) run(ctx context.Context, longest time.Duration) error {
	for first := true; ; first = false {
		o, err := r.Backlog(context.WithoutCancel(ctx)) // also when interrupted
		if err != nil {
			return err
		}
		if r.last = o; first {
			r.givenUp = o.GivenUp
		}
		r.progress.show("%s", r.line())
		if o.Remaining == 0 || ctx.Err() != nil {
			return r.verdict()
		}
		if o.Reason == store.BlockedByRefusal {
			return fmt.Errorf("the administrator is rejected by Nextcloud; the gateway retries at %s, or at once with changed credentials: run gateway nextcloud doctor for details",
				o.Until.UTC().Format(time.RFC3339))
		}
		if o.Wait == 0 {
			res, err := r.RunBatch(ctx, batch)
			if err != nil && ctx.Err() == nil {
				return err
			}
			r.done += res.Succeeded
			if res.Attempted > 0 || res.NextAttemptAt != nil {
				continue
			}
			o.Wait = nap // another process has them
		}
		if o.Wait > longest {
			return r.verdict()
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(o.Wait, nap)):
		}
	}
}

// failed returns how many accounts were given up since it began.
func (r *reconciliation) failed() int { return max(0, r.last.GivenUp-r.givenUp) }

// line says how far it is.
func (r *reconciliation) line() string {
	o, took := r.last, time.Since(r.begun)
	rate, left := 0.0, "unknown"
	if took > 0 {
		rate = float64(r.done) / took.Seconds()
	}
	if rate > 0 {
		left = time.Duration(float64(o.Remaining) / rate * float64(time.Second)).Round(time.Second).String()
	}
	if o.Remaining == 0 {
		return fmt.Sprintf("done %d, failed %d, left 0, %.1f/s, took %s", r.done, r.failed(), rate, took.Round(time.Second/10))
	}
	line := fmt.Sprintf("done %d, failed %d, left %d, %.1f/s, time left %s", r.done, r.failed(), o.Remaining, rate, left)
	if o.Wait > 0 {
		line += fmt.Sprintf("; waiting %s for %s", o.Wait.Round(time.Second), waitsFor(o))
	}
	return line
}

func (r *reconciliation) write(w io.Writer) { fmt.Fprintln(w, r.line()) }

// waitsFor says what everything that is left waits for.
func waitsFor(o reconcile.Backlog) string {
	switch o.Reason {
	case store.BlockedByOutage:
		return "Nextcloud to respond again"
	case store.BlockedByTrial:
		return "another process that tests whether Nextcloud responds"
	case store.BlockedByRefusal:
		return "an administrator that Nextcloud accepts"
	}
	return "the next try of an account, see GET /api/nextcloud/accounts"
}

// A reconciled is what the command prints for programs.
type reconciled struct {
	Done     int        `json:"done"`
	Failed   int        `json:"failed"`
	Left     int        `json:"left"`
	Seconds  float64    `json:"seconds"`
	WaitsFor string     `json:"waits_for,omitempty"` // "outage", "trial" or "refused"
	NextTry  *time.Time `json:"next_try_at"`         // null where nothing waits
}

func (r *reconciliation) result() reconciled {
	seconds := time.Since(r.begun).Round(time.Millisecond).Seconds()
	return reconciled{r.done, r.failed(), r.last.Remaining, seconds, string(r.last.Reason), r.last.NextAttempt}
}

// verdict is what the command ends with.
func (r *reconciliation) verdict() error {
	if n := r.failed(); n > 0 {
		return fmt.Errorf("accounts that need attention: %d; GET /api/nextcloud/accounts shows why", n)
	}
	if n := r.last.Remaining; n > 0 {
		return fmt.Errorf("accounts not yet in sync: %d; GET /api/nextcloud/accounts shows why, and when the gateway retries", n)
	}
	return nil
}
