package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/keyring"
	"github.com/voiceassist/gateway/shared/keystore"
	"github.com/voiceassist/gateway/shared/provision"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/token"
	"github.com/voiceassist/gateway/shared/trail"
)

const (
	// settle is the time in which every gateway has read the key file again, some
	// of them by clocks that differ; it is several of keysPolled.
	settle = 30 * time.Second
	// slack is added to what verifiers and tokens are given: for that reading, for
	// whatever stands between, and for clocks.
	slack = time.Minute
)

func keysCommand(vars *variables) *cobra.Command {
	c := &cobra.Command{Use: "keys", Short: "Make keys, tell which are in use, and rotate them"}
	c.AddCommand(keysGenerateCommand(vars), keysStatusCommand(vars), keysRotateCommand(vars), keysResealCommand(vars))
	return c
}

func keysGenerateCommand(vars *variables) *cobra.Command {
	var algorithm, out string
	c := &cobra.Command{
		Use:   "generate",
		Short: "Make a key, or a secret for HS256; print it, or write it to a file",
		Long: `Make a private key for EdDSA, ES256 or RS256, or a secret for HS256, and print
it. With --out it goes to FILE, which only its owner may read, and the public half
to FILE.pub; a file that exists is never touched. The key is in use nowhere yet.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			env, err := vars.env()
			if err != nil {
				return err
			}
			if algorithm != "" {
				env = config.Map(map[string]string{"JWT_ALGORITHM": algorithm})
			}
			name := algorithm
			algorithm = token.ReadAlgorithm(env)
			if err := env.Err(); err != nil && name != "" {
				return usagef("--algorithm: %v", err)
			} else if err != nil {
				return err
			}
			return generate(c.OutOrStdout(), &chain{algorithm: algorithm, kind: signsWith(algorithm)}, out)
		},
	}
	c.Flags().StringVar(&algorithm, "algorithm", "", "EdDSA, ES256, RS256 or HS256 (default: JWT_ALGORITHM)")
	c.Flags().StringVar(&out, "out", "", "the file to write the key to, instead of printing it")
	return c
}

func generate(w io.Writer, c *chain, out string) error {
	text, err := c.fresh()
	if err != nil {
		return err
	}
	id, err := c.id(text)
	if err != nil {
		return err
	}
	var public string
	if c.kind == signingKey {
		if public, err = publicHalf(text); err != nil {
			return err
		}
	}
	if out == "" {
		_, err := fmt.Fprintln(w, text.Reveal()+public)
		return err
	}
	if err := createFile(out, text.Reveal()+"\n", 0o600); err != nil {
		return err
	}
	if public == "" {
		fmt.Fprintf(w, "%s: the %s %s\n", out, string(c.kind), id)
		return nil
	}
	if err := createFile(out+".pub", public, 0o644); err != nil {
		return errors.Join(err, os.Remove(out))
	}
	fmt.Fprintf(w, "%s: the %s %s for %s; its public half is %s.pub\n", out, string(c.kind), id, c.algorithm, out)
	return nil
}

// createFile writes a new file, whole or not at all.
func createFile(path, text string, mode fs.FileMode) error {
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists, and is left as it is", path)
	}
	if err != nil {
		return err
	}
	_, err = w.WriteString(text)
	if err := errors.Join(err, w.Sync(), w.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func keysRotateCommand(vars *variables) *cobra.Command {
	var (
		data, now bool
		olderThan time.Duration
	)
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Take the next step of a rotation, if its time has come",
		Long: `Take the next step of a rotation, or tell when its time comes. A signing key is
published first; once nobody can have a key set without it, it signs; and when the
last token of the key before has expired, that one is removed. The secret of HS256,
HS384 and HS512 signs half a minute after it is made. With --data it is the turn of
the secret of refresh tokens and of all that is sealed: the one before is removed
when the last refresh token that it made has expired, and what it sealed is sealed
anew. Run it as often as you like, on schedule, too: gateways read the key file
again by themselves.

Where the keys come from settings, nothing is changed: the command tells what to
set.`,
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
				return tellSettings(c.OutOrStdout(), ch)
			}
			ch.plan.Rest = olderThan
			return withKeys(c.Context(), env, c.ErrOrStderr(), func(p *keyParts) error {
				return p.rotate(c.Context(), ch, now, c.OutOrStdout())
			})
		},
	}
	c.Flags().BoolVar(&data, "data", false, "rotate the data secret, and nothing that signs access tokens")
	c.Flags().BoolVar(&now, "now", false, "for a key that leaked: a new one signs at once, and all others are refused")
	c.Flags().DurationVar(&olderThan, "older-than", 24*time.Hour, "begin a rotation only where the key signs for so long")
	return c
}

// keyParts are what rotates keys: less than what serves, as it must work where
// the keys are wrong.
type keyParts struct {
	env *config.Env
	db  *store.DB
	now func() time.Time
}

func withKeys(ctx context.Context, env *config.Env, logs io.Writer, fn func(*keyParts) error) error {
	db, err := openDatabase(ctx, env, tellTo(logs))
	if err != nil {
		return err
	}
	defer db.Close()
	log := setup.Log(env, logs)
	if err := env.Err(); err != nil {
		return err
	}
	db.LogTo(log)
	if err := migrated(ctx, db); err != nil {
		return spoken(err)
	}
	if lacksSecret(env) {
		if err := makeSecrets(ctx, env, time.Now()); err != nil {
			return err
		}
	}
	return fn(&keyParts{env: env, db: db, now: time.Now})
}

// rotate takes the next step, or all at once. The audit trail has it before the
// file does: of a crash between them stays an event too many, never one too few.
func (p *keyParts) rotate(ctx context.Context, c *chain, atOnce bool, w io.Writer) error {
	var told string
	var after, sealing keystore.Keys // the keys then, and where a leak ends, those to seal anew with
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
			told = c.tellWait(step, due)
			return set, nil
		}
		var err error
		if after, err = keys.Do(step, c.plan, now, c.fresh); err != nil {
			return set, err
		}
		if c.kind == dataSecret && step == keystore.Remove {
			if err := p.reseal(ctx, keys, w); err != nil {
				return set, err
			}
		}
		if told, err = c.tellStep(step, keys, after); err != nil {
			return set, err
		}
		next := c.with(set, after)
		if atOnce {
			told = fmt.Sprintf("%s; all others are refused", told)
			if next, sealing, err = c.withoutLeaked(set, next, now); err != nil {
				return set, err
			}
		}
		event := audit.New(audit.KeysRotated, "", atTheConsole, now)
		event.Detail = told
		if err := p.db.Audit(ctx, event); err != nil {
			return set, spoken(err)
		}
		return next, nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(w, told)
	switch {
	case len(after) > 1:
		_, due := after.Next(c.plan)
		fmt.Fprintf(w, "next: `gateway keys rotate%s`, from %s on\n", c.flag(), due.UTC().Format(time.RFC3339))
	case len(sealing) > 0:
		// Gateways forget what they cannot open, so they have the new secret first.
		return p.reseal(ctx, sealing, w)
	}
	return nil
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
		return fmt.Errorf("%s: %w; `gateway keys rotate --now` makes one that does", c.file.Path(), err)
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
		keystore.Publish: "the " + string(c.kind) + " signs for less than " + c.plan.Rest.String() + " (--older-than)",
		keystore.Sign:    "verifiers may have a key set without the new " + string(c.kind),
		keystore.Remove:  "tokens of the " + string(c.kind) + " before may still be in use",
	}[step]
	return fmt.Sprintf("nothing to do before %s: %s", due.UTC().Format(time.RFC3339), why)
}

// reseal seals anew what is not sealed with the last of the secrets, so that the
// others are not needed any more; the audit trail, too.
func (p *keyParts) reseal(ctx context.Context, secrets keystore.Keys, w io.Writer) error {
	var previous []config.Secret
	for _, k := range secrets[:len(secrets)-1] {
		previous = append(previous, k.Text)
	}
	ring, err := keyring.New(secrets[len(secrets)-1].Text, previous...)
	if err != nil {
		return err
	}
	return p.resealWith(ctx, ring, w)
}

func (p *keyParts) resealWith(ctx context.Context, ring *keyring.Ring, w io.Writer) error {
	t := trail.Read(p.env, p.db, ring)
	if err := p.env.Err(); err != nil {
		return err
	}
	if _, _, err := t.Keep(ctx); err != nil {
		return spoken(err)
	}
	n, lost, err := provision.Reseal(ctx, p.db, ring)
	if err != nil {
		return spoken(err)
	}
	fmt.Fprintf(w, "sealed anew with the current secret: %d\n", n)
	if lost > 0 {
		fmt.Fprintf(w, "warning: %d sealed values open with none of the secrets; they were lost before\n", lost)
	}
	return nil
}

func keysResealCommand(vars *variables) *cobra.Command {
	return &cobra.Command{
		Use:   "reseal",
		Short: "Seal anew, with the current secret, what previous ones sealed, so that they can be dropped",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withParts(c.Context(), vars, c.ErrOrStderr(), func(all *parts) error {
				p := &keyParts{env: all.env, db: all.DB, now: all.Now}
				return p.resealWith(c.Context(), all.ring, c.OutOrStdout())
			})
		},
	}
}
