package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/cmd/gateway/internal/backup"
	"github.com/voiceassist/gateway/cmd/gateway/internal/database"
	"github.com/voiceassist/gateway/cmd/gateway/internal/keys"
	"github.com/voiceassist/gateway/cmd/gateway/internal/server"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/audit/trail"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/migrations"
	"github.com/voiceassist/gateway/shared/store/sqlite"
)

func restoreCommand(vars *variables) *cobra.Command {
	var (
		plan, passphrase bool
		identity         string
	)
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Restore a backup into an empty place",
		Long: `Restore the backup in FILE. First check it completely: its checksums and versions, the
database, that the keys of the backup or of the settings open it, and the audit trail.
Then put the files into place.

DATA_DIR must be empty or missing, and no server may run: nothing is ever replaced. If
the database is a PostgreSQL, restore its dump, DATA_DIR/gateway.dump, with pg_restore.

With --plan, check the backup, print what would be restored, and change nothing. The
check needs as much space in TMPDIR as the data in the backup.`,
		Example: `  gateway restore --plan gateway.backup
  gateway restore gateway.backup`,
		Annotations: next(`Start the gateway with "gateway serve --recheck-nextcloud", and compare it with
  Nextcloud: gateway nextcloud sweep --plan.`),
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(c *cobra.Command, args []string) error {
			with, err := identities(c, identity, passphrase)
			if err != nil {
				return err
			}
			return runRestore(c, vars, args[0], with, plan)
		},
	}
	c.Flags().BoolVar(&plan, "plan", false, "check the backup and say what would be restored; change nothing")
	c.Flags().BoolVar(&passphrase, "passphrase", false, "decrypt with the passphrase in the first line of standard input")
	c.Flags().StringVar(&identity, "identity", "", "decrypt with the private keys of age in this `FILE`")
	return c
}

// identities returns what decrypts the backup; nothing for one that is not encrypted.
func identities(c *cobra.Command, file string, passphrase bool) (backup.Identities, error) {
	switch {
	case passphrase && file != "":
		return nil, usageError("--passphrase and --identity exclude each other")
	case passphrase:
		phrase, err := readPassphrase(c.InOrStdin())
		if err != nil {
			return nil, err
		}
		return backup.WithPassphrase(phrase)
	case file != "":
		return backup.ReadIdentities(file)
	default:
		return nil, nil
	}
}

func runRestore(c *cobra.Command, vars *variables, path string, with backup.Identities, plan bool) error {
	env, err := vars.env()
	if err != nil {
		return err
	}
	var at server.Settings
	r := restoration{vars: vars, env: env}
	s := backup.Source{Path: path, Identities: with, Verify: r.verify}
	if err := env.Load(&s.Settings, &at); err != nil {
		return err
	}
	if at.CheckHealth(c.Context()) == nil {
		err = fmt.Errorf("a gateway serves on HTTP_ADDR %s: stop it first", at.HTTPAddr)
	}
	result := restoreResult{Planned: plan}
	if plan {
		var planned error
		result.Manifest, result.Into, planned = backup.Plan(c.Context(), s)
		err = errors.Join(planned, err)
	} else if err == nil {
		result.Manifest, err = backup.Restore(c.Context(), s)
	}
	result.Audit = r.audit
	if err == nil || plan && result.Format > 0 {
		err = errors.Join(writeResult(c, result, func(w io.Writer) { result.write(w, s.Dir) }), err)
	}
	if err == nil && !plan {
		hint(c, "start the gateway: gateway serve --recheck-nextcloud")
	}
	return explain(err)
}

// A restoration checks a backup with the keys in it and those of the settings.
type restoration struct {
	vars  *variables
	env   *config.Env
	audit *trail.Report // nil until it was verified
}

// verify checks the files of the backup in the folder. An embedded database with an older
// schema is migrated there, as it would be at the start of the gateway.
func (r *restoration) verify(ctx context.Context, dir string, m backup.Manifest) error {
	ring, err := r.ring(dir, m)
	if err != nil || m.Engine != backup.Embedded {
		return err
	}
	file := filepath.Join(dir, database.File)
	if err := sqlite.Check(ctx, file); err != nil {
		return err
	}
	db, err := sqlite.Open(file)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := migrations.Up(ctx, db, migrations.LockWait{}); err != nil {
		return err
	}
	return r.verifyWith(ctx, db, ring, m)
}

func (r *restoration) verifyWith(ctx context.Context, db *store.DB, ring *keyring.Ring, m backup.Manifest) error {
	if ok, err := database.SealedWith(ctx, db, ring); err != nil {
		return err
	} else if !ok {
		return errors.New("the database of the backup is encrypted with other keys: those of the settings, or the key file in the backup, are not the ones it was used with")
	}
	var witness audit.Link
	if m.AuditHead != "" {
		var err error
		if witness, err = trail.ParseLink(m.AuditHead); err != nil {
			return fmt.Errorf("audit_head of the backup: %w", err)
		}
	}
	report, err := trail.New(db, ring, 0, time.Now).Verify(ctx, witness)
	if err != nil {
		return err
	}
	if r.audit = &report; !report.OK {
		return fmt.Errorf("the audit trail of the backup: %w", report.Broken)
	}
	return nil
}

// ring returns the keys that a gateway with the restored files would have.
func (r *restoration) ring(dir string, m backup.Manifest) (*keyring.Ring, error) {
	var values map[string]string
	env := config.New(func(name string) (string, bool) {
		if value, ok := values[name]; ok {
			return value, true
		}
		if name == "DATA_DIR" || name == "JWT_KEYS_DIR" {
			return dir, true
		}
		return r.vars.lookup(name)
	})
	source := setting.Of[keys.Source](env)
	set, err := source.File.Read()
	if err == nil && source.LacksSecret() {
		if len(set.Secrets) == 0 && !m.Has(keys.LegacyFile) {
			return nil, errors.New("the backup has no secrets, as they came from settings: set JWT_SECRET and DATA_SECRET to those of the gateway")
		}
		set, err = source.Preview(time.Now())
	}
	if err == nil {
		values, err = source.Values(env, set, time.Now())
	}
	if err != nil {
		return nil, err
	}
	var s keyring.Settings
	if err := env.Load(&s); err != nil {
		return nil, err
	}
	return s.Ring(), nil
}

// A restoreResult is what restore prints.
type restoreResult struct {
	backup.Manifest

	Planned bool          `json:"planned"`              // nothing was changed
	Into    []string      `json:"would_write,omitzero"` // with --plan
	Audit   *trail.Report `json:"audit"`                // null if the backup does not contain the database
}

func (r restoreResult) write(w io.Writer, dir string) {
	fmt.Fprintf(w, "backup of %s by gateway %s: %s, schema version %d\n", r.CreatedAt.Format(time.RFC3339), r.Version, r.Engine, r.Schema)
	if r.Audit != nil && r.Audit.OK {
		fmt.Fprintf(w, "the database is intact, the keys open it, and the audit trail has all of its %d events\n", r.Audit.Events)
	}
	if r.Planned {
		for _, path := range r.Into {
			fmt.Fprintf(w, "would write %s\n", path)
		}
		return
	}
	fmt.Fprintf(w, "restored %d files into %s\n", len(r.Files), dir)
	if r.Has(backup.DumpName) {
		fmt.Fprintf(w, "restore the database with pg_restore from %s\n", filepath.Join(dir, backup.DumpName))
	}
}
