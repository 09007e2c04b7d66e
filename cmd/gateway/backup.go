package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/cmd/gateway/internal/backup"
	"github.com/voiceassist/gateway/cmd/gateway/internal/database"
	"github.com/voiceassist/gateway/shared/audit/trail"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/foundation/version"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/sqlite"
)

func backupCommand(vars *variables) *cobra.Command {
	var (
		recipients []string
		passphrase bool
	)
	c := &cobra.Command{
		Use:   "backup FILE [-- COMMAND...]",
		Short: "Save the database and the keys into one file",
		Long: `Save the embedded database, the key file, the generated certificate and the mails
that nobody has sent into the new FILE. The server may run meanwhile, and its writes do
not wait. FILE appears when it is complete. It never replaces another file, and only its
owner can read it: it contains keys.

With DATABASE_URL, give the COMMAND... that prints a dump of the database. Without one,
the backup has everything but the database.

--recipient encrypts the backup for a key of age (https://age-encryption.org), so that
the machine cannot read its own backups. --passphrase reads a passphrase from the first
line of standard input. What settings name, such as SSL_KEY_FILE or JWT_SECRET, is not
part of the backup.`,
		Example: `  gateway backup gateway.backup
  echo 'correct horse battery staple' | gateway backup --passphrase sealed.backup`,
		Annotations: next(`Check the backup with "gateway restore --plan FILE", and keep it on another machine.`),
		Args: func(c *cobra.Command, args []string) error {
			if dash := c.ArgsLenAtDash(); dash >= 0 {
				args = args[:dash]
			}
			return cobra.ExactArgs(1)(c, args)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(c *cobra.Command, args []string) error {
			to, err := recipientsOf(c, recipients, passphrase)
			if err != nil {
				return err
			}
			return runBackup(c, vars, args[0], args[1:], to)
		},
	}
	c.Flags().StringArrayVar(&recipients, "recipient", nil, "encrypt for this public `KEY` of age (age1…); may be repeated")
	c.Flags().BoolVar(&passphrase, "passphrase", false, "encrypt with the passphrase in the first line of standard input")
	return c
}

// recipientsOf returns for whom to encrypt: for the public keys, or for who knows the
// passphrase on stdin. age does not combine the two.
func recipientsOf(c *cobra.Command, keys []string, passphrase bool) (backup.Recipients, error) {
	if !passphrase {
		all, err := backup.ParseRecipients(keys)
		if err != nil {
			return nil, usagef("--recipient: %v", err)
		}
		return all, nil
	}
	if len(keys) > 0 {
		return nil, usageError("--passphrase and --recipient exclude each other")
	}
	phrase, err := readPassphrase(c.InOrStdin())
	if err != nil {
		return nil, err
	}
	return backup.ForPassphrase(phrase)
}

func readPassphrase(r io.Reader) (secret.String, error) {
	phrase, err := readPassword(r)
	if errors.Is(err, io.EOF) {
		err = errors.New("standard input is empty; its first line must be the passphrase")
	}
	return phrase, err
}

// runBackup makes the backup and prints what is in it.
func runBackup(c *cobra.Command, vars *variables, path string, dump []string, to backup.Recipients) error {
	env, err := vars.env()
	if err != nil {
		return err
	}
	var s backup.Settings
	if err := env.Load(&s); err != nil {
		return err
	}
	switch {
	case len(dump) > 0 && s.Embedded:
		return usagef("DATABASE_URL is not set, so there is no database to dump with %q", dump[0])
	case s.Embedded:
		if _, err := os.Stat(filepath.Join(s.Dir, database.File)); err != nil {
			return fmt.Errorf("there is nothing to back up: %w", err)
		}
	case len(dump) == 0:
		dump = nil
		notice(c, "warning: the backup does not contain the database of DATABASE_URL; see gateway help backup")
	}
	m, err := backup.Create(c.Context(), backup.Job{
		Settings: s, Path: path, Recipients: to, Dump: dump, Errors: c.ErrOrStderr(), Version: version.String(), Now: time.Now(),
		Inspect: func(ctx context.Context, file string) (backup.State, error) { return inspect(ctx, env, file) },
	})
	if err != nil {
		return explain(err)
	}
	result := backupResult{m, path, len(to) > 0}
	if err := writeResult(c, result, result.write); err != nil {
		return err
	}
	hint(c, "check it: gateway restore --plan %s", path)
	return nil
}

// inspect returns the state of the embedded database in the file, or of the database that
// the settings name.
func inspect(ctx context.Context, env *config.Env, file string) (backup.State, error) {
	db, err := openFor(ctx, env, file)
	if err != nil {
		return backup.State{}, err
	}
	defer db.Close()
	schema, err := db.Schema(ctx)
	state := backup.State{Schema: schema}
	if err != nil || schema < store.SchemaVersion {
		return state, err
	}
	head, err := db.AuditHead(ctx)
	if err == nil && head.Seq > 0 {
		state.AuditHead = trail.FormatLink(head.Link)
	}
	return state, err
}

func openFor(ctx context.Context, env *config.Env, file string) (*store.DB, error) {
	if file != "" {
		return sqlite.Open(file)
	}
	s := setting.Of[database.Settings](env)
	if err := env.Err(); err != nil {
		return nil, err
	}
	return s.Open(ctx, nil)
}

// A backupResult is what backup prints.
type backupResult struct {
	backup.Manifest

	File      string `json:"file"`
	Encrypted bool   `json:"encrypted"`
}

func (r backupResult) write(w io.Writer) {
	encrypted := ""
	if r.Encrypted {
		encrypted = ", encrypted"
	}
	fmt.Fprintf(w, "%s: %d files with %d bytes%s; schema version %d\n", r.File, len(r.Files), r.Bytes(), encrypted, r.Schema)
	if r.AuditHead != "" {
		fmt.Fprintf(w, "head of the audit trail: %s\n", r.AuditHead)
	}
}
