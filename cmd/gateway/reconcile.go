package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/provision"
	"github.com/voiceassist/gateway/shared/store"
)

func reconcileCommand(vars *variables) *cobra.Command {
	var (
		noWait  bool
		maxWait time.Duration
	)
	c := &cobra.Command{
		Use:   "reconcile",
		Short: "Bring the accounts in Nextcloud to what is wished, and show how far it is",
		Long: `Bring the accounts in Nextcloud to what is wished, at the pace that Nextcloud
allows, until nothing is left. It may run beside the gateway: they share the
work. Stopped, it leaves nothing half done; the rest stays for the next time.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if noWait {
				maxWait = 0
			}
			return withParts(c.Context(), vars, c.ErrOrStderr(), func(all *parts) error {
				if all.Reconciler == nil {
					return errNoNextcloud
				}
				return reconcile(c.Context(), all.Reconciler, newProgress(c.OutOrStdout()), maxWait)
			})
		},
	}
	c.Flags().BoolVar(&noWait, "no-wait", false, "end when nothing is due now, though something is later")
	c.Flags().DurationVar(&maxWait, "max-wait", 15*time.Minute, "how long to wait for what is due later, each time")
	return c
}

const (
	batch = 20              // accounts at a time; the progress is told after each
	nap   = 2 * time.Second // between two looks while waiting: the gateway works, too
)

// reconcile runs batches until nothing is left, or what is left is due later
// than after the longest wait.
func reconcile(ctx context.Context, r *provision.Reconciler, p *progress, longest time.Duration) error {
	defer p.end()
	for {
		o, err := r.Outlook(context.WithoutCancel(ctx)) // also when interrupted
		if err != nil {
			return err
		}
		p.show(o)
		if o.Left == 0 || ctx.Err() != nil {
			return p.verdict(o)
		}
		if o.For == store.HoldRefused {
			return fmt.Errorf("the administrator is refused by Nextcloud, which is not asked again before %s; changed credentials are tried at once: gateway nextcloud doctor tells more",
				o.Until.UTC().Format(time.RFC3339))
		}
		if o.Wait == 0 {
			res, err := r.RunBatch(ctx, batch)
			if err != nil && ctx.Err() == nil {
				return err
			}
			p.done += res.Succeeded
			if res.Claimed > 0 || res.NextTryAt != nil {
				continue
			}
			o.Wait = nap // another process has them
		}
		if o.Wait > longest {
			return p.verdict(o)
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(o.Wait, nap)):
		}
	}
}

// progress tells how far a reconciliation is: on a terminal a line that
// changes, else a line now and then.
type progress struct {
	out      io.Writer
	terminal bool
	begun    time.Time
	said     time.Time
	done     int
	givenUp  int // before it began
	last     string
}

const sayEvery = 10 * time.Second // where it is no terminal

func newProgress(out io.Writer) *progress {
	p := &progress{out: out, begun: time.Now(), givenUp: -1}
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// failed returns how many accounts were given up since it began.
func (p *progress) failed(o provision.Outlook) int { return max(0, o.GivenUp-p.givenUp) }

func (p *progress) show(o provision.Outlook) {
	if p.givenUp < 0 {
		p.givenUp = o.GivenUp
	}
	took := time.Since(p.begun)
	rate, left := 0.0, "unknown"
	if took > 0 {
		rate = float64(p.done) / took.Seconds()
	}
	if rate > 0 {
		left = time.Duration(float64(o.Left) / rate * float64(time.Second)).Round(time.Second).String()
	}
	p.last = fmt.Sprintf("done %d, failed %d, left %d, %.1f/s, time left %s", p.done, p.failed(o), o.Left, rate, left)
	if o.Left == 0 {
		p.last = fmt.Sprintf("done %d, failed %d, left 0, %.1f/s, took %s", p.done, p.failed(o), rate, took.Round(time.Second/10))
	} else if o.Wait > 0 {
		p.last += fmt.Sprintf("; waiting %s for %s", o.Wait.Round(time.Second), waitsFor(o))
	}
	switch now := time.Now(); {
	case p.terminal:
		fmt.Fprintf(p.out, "\r\x1b[K%s", p.last)
		p.last = "\n"
	case now.Sub(p.said) >= sayEvery:
		fmt.Fprintln(p.out, p.last)
		p.said, p.last = now, ""
	}
}

// waitsFor says what all that is left waits for.
func waitsFor(o provision.Outlook) string {
	switch o.For {
	case store.HoldOutage:
		return "Nextcloud to answer again"
	case store.HoldTrial:
		return "another process that tries whether Nextcloud answers"
	case store.HoldRefused:
		return "an administrator that Nextcloud accepts"
	}
	return "the next try of an account, see GET /api/nextcloud/accounts"
}

// end leaves the last line standing.
func (p *progress) end() {
	if p.terminal || p.last == "" {
		fmt.Fprint(p.out, p.last)
		return
	}
	fmt.Fprintln(p.out, p.last)
}

// verdict is what the command ends with.
func (p *progress) verdict(o provision.Outlook) error {
	if n := p.failed(o); n > 0 {
		return fmt.Errorf("accounts that somebody must look at: %d; GET /api/nextcloud/accounts tells why", n)
	}
	if o.Left > 0 {
		return fmt.Errorf("accounts that are left: %d; GET /api/nextcloud/accounts tells why and when they are due", o.Left)
	}
	return nil
}
