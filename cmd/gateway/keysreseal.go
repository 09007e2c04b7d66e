package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/cmd/gateway/internal/keys"
	"github.com/voiceassist/gateway/shared/audit/trail"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
)

func keysResealCommand(vars *variables) *cobra.Command {
	return &cobra.Command{
		Use:   "reseal",
		Short: "Encrypt stored values anew with the current data secret",
		Long: `Encrypt stored credentials and the head of the audit trail anew with the current
data secret, so that you can remove previous secrets from the settings. The gateway
does the same in the background; this command does it at once and says how much
was left. It can run beside gateways.`,
		Example:     "  gateway keys reseal",
		Annotations: next(`Remove the previous secrets from DATA_PREVIOUS_SECRETS, and restart every gateway.`),
		Args:        cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withParts(c.Context(), vars, c.ErrOrStderr(), func(all *parts) error {
				r := &resealer{env: all.env, db: all.DB, now: all.Now, progress: newProgress(c)}
				result, err := r.reseal(c.Context(), all.ring)
				if err != nil {
					return err
				}
				return writeResult(c, result, func(w io.Writer) { writeResealed(w, result) })
			})
		},
	}
}

// A resealer encrypts the stored values again.
type resealer struct {
	env      *config.Env
	db       *store.DB
	now      func() time.Time
	progress *progress
}

// reseal encrypts stored credentials and the head of the audit trail again, with the
// current key of the ring.
func (r *resealer) reseal(ctx context.Context, ring *keyring.Ring) (*keys.Resealed, error) {
	defer r.progress.end()
	var settings trail.Settings
	if err := r.env.Load(&settings); err != nil {
		return nil, err
	}
	t := trail.New(r.db, ring, settings.Keep, r.now)
	t.Progress = func(what string, events int64) { r.progress.show("%d events of the audit trail %s", events, what) }
	if _, _, err := t.Keep(ctx); err != nil {
		return nil, explain(err)
	}
	n, lost, err := reconcile.Reseal(ctx, r.db, ring, func(checked int) { r.progress.show("%d encrypted values checked", checked) })
	if err != nil {
		return nil, explain(err)
	}
	return &keys.Resealed{Sealed: n, Lost: lost}, nil
}

func writeResealed(w io.Writer, r *keys.Resealed) {
	fmt.Fprintf(w, "sealed anew with the current secret: %d\n", r.Sealed)
	if r.Lost > 0 {
		fmt.Fprintf(w, "warning: %d sealed values open with none of the secrets; they were lost before\n", r.Lost)
	}
}
