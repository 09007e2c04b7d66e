package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/audit/trail"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/store"
)

const (
	// settle is the time in which every gateway has read the key file again, some
	// of them by clocks that differ; it is several of keysPolled.
	settle = 30 * time.Second
	// slack is added to what verifiers and tokens are given: for that reading, for
	// whatever stands between, and for clocks.
	slack = time.Minute
)

func keysRotateCommand(vars *variables) *cobra.Command {
	var (
		data, now bool
		olderThan time.Duration
	)
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Take the next step of a key rotation, if it is due",
		Long: `Take the next step of a key rotation, or say when it is due. You can run it as
often as you like, and on a schedule.

A new signing key is published first. It signs once no verifier can have a key set
without it. The previous key is removed when its last token has expired. A secret
of HS256, HS384 or HS512 signs half a minute after it is generated.

With --data, the command rotates the data secret, which protects refresh tokens and
stored credentials. The previous secret is removed when its last refresh token has
expired, after everything encrypted with it has been encrypted anew.

Where the keys come from settings, the command changes nothing, says what to set,
and exits with 1.`,
		Example: `  gateway keys rotate
  gateway keys rotate --data
  gateway keys rotate --older-than 2160h`,
		Annotations: next(`Run the same command again from the printed time on; "gateway keys status" shows
  it, too. No restart is needed.`),
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			env, err := vars.env()
			if err != nil {
				return err
			}
			ch, err := chainOf(env, data)
			if err != nil {
				return err
			}
			if ch.fromSettings() {
				return tellSettings(c, ch)
			}
			ch.plan.MinAge = olderThan
			return withKeys(c, env, func(p *keyParts) error {
				r, err := p.rotate(c.Context(), ch, now)
				if r.Message == "" {
					return err
				}
				return errors.Join(writeResult(c, r, func(w io.Writer) { r.write(w, ch) }), err)
			})
		},
	}
	c.Flags().BoolVar(&data, "data", false, "rotate the data secret instead of what signs access tokens")
	c.Flags().BoolVar(&now, "now", false, "replace a leaked key: a new one signs at once and all others are rejected")
	c.Flags().DurationVar(&olderThan, "older-than", 24*time.Hour, "begin a rotation only when the key has signed for this long")
	return c
}

// keyParts are what rotates keys: less than what serves, as it must work where
// the keys are wrong.
type keyParts struct {
	env *config.Env
	db  *store.DB
	now func() time.Time

	progress *progress // of what is sealed anew
}

func withKeys(c *cobra.Command, env *config.Env, fn func(*keyParts) error) error {
	ctx, logs := c.Context(), c.ErrOrStderr()
	log := setup.Log(setting.LogLevel(env), logs)
	makeDefault(log, logs)
	return withDatabaseOf(c, env, new(database), func(db *store.DB) error {
		db.LogTo(log)
		if err := migrated(ctx, db); err != nil {
			return spoken(err)
		}
		if lacksSecret(env) {
			if err := makeSecrets(ctx, env, time.Now()); err != nil {
				return err
			}
		}
		return fn(&keyParts{env: env, db: db, now: time.Now, progress: newProgress(c)})
	})
}

// A rotation is what keys rotate did.
type rotation struct {
	Changed bool       `json:"changed"`
	Message string     `json:"message"`
	NextAt  *time.Time `json:"next_at"` // when the next step is due; null where none is left

	*resealed
}

func (r rotation) write(w io.Writer, c *chain) {
	fmt.Fprintln(w, r.Message)
	if r.Changed && r.NextAt != nil {
		fmt.Fprintf(w, "next: `gateway keys rotate%s`, from %s on\n", c.flag(), r.NextAt.Format(time.RFC3339))
	}
	if r.resealed != nil {
		r.resealed.write(w)
	}
}

// rotate takes the next step, or all at once. The audit trail has it before the
// file does: of a crash between them stays an event too many, never one too few.
// With an error, a rotation that has a message was made.
func (p *keyParts) rotate(ctx context.Context, c *chain, atOnce bool) (rotation, error) {
	var r rotation
	var sealing keystore.Keys // where a leak ends, those to seal anew with
	err := c.file.Update(ctx, func(set keystore.Set) (keystore.Set, error) {
		keys, now := c.of(set), p.now()
		if atOnce {
			keys = nil
		}
		if err := c.fit(keys); err != nil {
			return set, err
		}
		step, due := keys.Next(c.plan)
		if now.Before(due) {
			r = rotation{Message: c.tellWait(step, due), NextAt: utc(due)}
			return set, nil
		}
		after, err := keys.Apply(step, c.plan, now, c.fresh)
		if err != nil {
			return set, err
		}
		made := rotation{Changed: true}
		if len(after) > 1 {
			_, due := after.Next(c.plan)
			made.NextAt = utc(due)
		}
		if c.kind == dataSecret && step == keystore.Remove {
			if made.resealed, err = p.reseal(ctx, keys); err != nil {
				return set, err
			}
		}
		if made.Message, err = c.tellStep(step, keys, after); err != nil {
			return set, err
		}
		next := c.with(set, after)
		if atOnce {
			made.Message += "; all others are refused"
			if next, sealing, err = c.withoutLeaked(set, next, now); err != nil {
				return set, err
			}
		}
		event := audit.New(audit.KeysRotated, "", atTheConsole, now)
		event.Detail = made.Message
		if err := p.db.Audit(ctx, event); err != nil {
			return set, spoken(err)
		}
		r = made
		return next, nil
	})
	if err != nil {
		return rotation{}, err
	}
	if r.NextAt == nil && len(sealing) > 0 {
		// Gateways forget what they cannot open, so they have the new secret first.
		r.resealed, err = p.reseal(ctx, sealing)
	}
	return r, err
}

func utc(t time.Time) *time.Time {
	t = t.UTC()
	return &t
}

// flag is what tells the command that this chain is meant.
func (c *chain) flag() string {
	if c.kind == dataSecret {
		return " --data"
	}
	return ""
}

// fit returns an error where the signing keys are for another algorithm.
func (c *chain) fit(keys keystore.Keys) error {
	if c.kind != signingKey || len(keys) == 0 {
		return nil
	}
	if err := fits(c.algorithm, keys[len(keys)-1].Text); err != nil {
		return fmt.Errorf("%s: %w; `gateway keys rotate --now` creates one that does", c.file.Path(), err)
	}
	return nil
}

// tellStep says in one line what a step did; also to the audit trail, so without
// anything that is secret.
func (c *chain) tellStep(step keystore.Step, before, after keystore.Keys) (string, error) {
	key := after[len(after)-1]
	if step == keystore.Remove {
		key = before[0]
	}
	id, err := c.id(key.Text)
	if err != nil {
		return "", err
	}
	switch {
	case step == keystore.Remove:
		return fmt.Sprintf("the %s %s is removed", string(c.kind), id), nil
	case step == keystore.Publish && c.plan.Publish > 0:
		return fmt.Sprintf("the %s %s is published", string(c.kind), id), nil
	}
	return fmt.Sprintf("the %s %s signs from %s on", string(c.kind), id, key.Signs.Format(time.RFC3339)), nil
}

// tellWait says why nothing was done.
func (c *chain) tellWait(step keystore.Step, due time.Time) string {
	why := map[keystore.Step]string{
		keystore.Publish: "the " + string(c.kind) + " signs for less than " + c.plan.MinAge.String() + " (--older-than)",
		keystore.Sign:    "verifiers may have a key set without the new " + string(c.kind),
		keystore.Remove:  "tokens of the " + string(c.kind) + " before may still be in use",
	}[step]
	return fmt.Sprintf("nothing to do before %s: %s", due.UTC().Format(time.RFC3339), why)
}

// A resealed says what was sealed anew.
type resealed struct {
	Sealed int `json:"resealed"`
	Lost   int `json:"lost"` // values that open with none of the secrets
}

func (r *resealed) write(w io.Writer) {
	fmt.Fprintf(w, "sealed anew with the current secret: %d\n", r.Sealed)
	if r.Lost > 0 {
		fmt.Fprintf(w, "warning: %d sealed values open with none of the secrets; they were lost before\n", r.Lost)
	}
}

// reseal seals anew what is not sealed with the last of the secrets, so that the
// others are not needed any more; the audit trail, too.
func (p *keyParts) reseal(ctx context.Context, secrets keystore.Keys) (*resealed, error) {
	var previous []secret.String
	for _, k := range secrets[:len(secrets)-1] {
		previous = append(previous, k.Text)
	}
	ring, err := keyring.New(secrets[len(secrets)-1].Text, previous...)
	if err != nil {
		return nil, err
	}
	return p.resealWith(ctx, ring)
}

func (p *keyParts) resealWith(ctx context.Context, ring *keyring.Ring) (*resealed, error) {
	defer p.progress.end()
	var settings trail.Settings
	if err := p.env.Load(&settings); err != nil {
		return nil, err
	}
	t := trail.New(p.db, ring, settings.Keep, p.now)
	t.Progress = func(what string, events int64) { p.progress.show("%d events of the audit trail %s", events, what) }
	if _, _, err := t.Keep(ctx); err != nil {
		return nil, spoken(err)
	}
	n, lost, err := reconcile.Reseal(ctx, p.db, ring, func(looked int) { p.progress.show("%d encrypted values checked", looked) })
	if err != nil {
		return nil, spoken(err)
	}
	return &resealed{n, lost}, nil
}

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
				p := &keyParts{env: all.env, db: all.DB, now: all.Now, progress: newProgress(c)}
				r, err := p.resealWith(c.Context(), all.ring)
				if err != nil {
					return err
				}
				return writeResult(c, r, r.write)
			})
		},
	}
}
