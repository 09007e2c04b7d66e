package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/migrations"
	"github.com/voiceassist/gateway/shared/store/postgres"
	"github.com/voiceassist/gateway/shared/store/sqlite"
)

// A database is PostgreSQL, or the embedded SQLite in DATA_DIR if DATABASE_URL is
// unset.
type database struct {
	postgres.Settings

	embedded bool
	dir      string // of the embedded one
	logins   signin.Lifetimes
}

// Load loads the settings of the database.
func (d *database) Load(r setting.Reader) {
	if d.loadEmbedded(r); !d.embedded {
		d.Conns = postgres.ServerConns
		d.Settings.Load(r)
	}
}

func (d *database) loadEmbedded(r setting.Reader) {
	d.dir = dataDir(r)
	d.logins.Load(r)
	d.embedded = r.Secret("DATABASE_URL") == ""
}

// open opens the database. The embedded one migrates itself; tell is called with
// what that waits for.
func (d *database) open(ctx context.Context, tell func(line string)) (*store.DB, error) {
	if !d.embedded {
		return d.Open(), nil
	}
	db, err := d.openEmbedded()
	if err != nil {
		return nil, err
	}
	if _, err := migrations.Up(ctx, db, migrations.Waiting{Tell: tell}); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// openEmbedded opens the SQLite in DATA_DIR without migrating it.
func (d *database) openEmbedded() (*store.DB, error) {
	db, err := sqlite.Open(filepath.Join(d.dir, databaseFile))
	if err != nil {
		return nil, err
	}
	db.SetLoginLifetime(d.logins.Absolute)
	return db, nil
}

// A directDatabase is the [database] of migrations, past any pooler and before any
// migration.
type directDatabase struct {
	database

	direct postgres.DirectSettings
}

// Load loads the settings of the database.
func (d *directDatabase) Load(r setting.Reader) {
	d.loadEmbedded(r)
	if d.embedded = d.embedded && r.Secret("MIGRATE_DATABASE_URL") == ""; !d.embedded {
		d.direct.Load(r)
	}
}

func (d *directDatabase) open(context.Context, func(line string)) (*store.DB, error) {
	if !d.embedded {
		return d.direct.Open(), nil
	}
	return d.openEmbedded()
}

// migrated returns an error that says what to do when the schema is older than
// this binary needs.
func migrated(ctx context.Context, db *store.DB) error {
	version, err := db.Schema(ctx)
	if err == nil && version < store.SchemaVersion {
		err = errors.New("the database's " + store.DescribeOutdated(version))
	}
	return err
}

func migrateCommand(vars *variables) *cobra.Command {
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Migrate the database schema, or show its state",
		Long: `Migrate the database schema. PostgreSQL needs "migrate up" before each new
version of the gateway starts; the embedded SQLite migrates itself. With a
transaction pooler in DATABASE_URL, set MIGRATE_DATABASE_URL to a direct
connection.`,
	}
	c.AddCommand(
		migrateUpCommand(vars),
		&cobra.Command{
			Use:         "status",
			Short:       "List all migrations and whether they are applied",
			Long:        `List all migrations that this version knows, oldest first, and whether the database has them.`,
			Example:     "  gateway migrate status\n  gateway migrate status --output json",
			Annotations: next(`If one is missing: gateway migrate up.`),
			Args:        cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				return withDatabase(c, vars, new(directDatabase), func(db *store.DB) error {
					steps, err := migrations.Status(c.Context(), db)
					if err != nil {
						return err
					}
					return writeSteps(c, steps)
				})
			},
		},
	)
	return c
}

// A stepLine is a migration for programs.
type stepLine struct {
	Version int64  `json:"version"`
	Name    string `json:"name"`
	Applied bool   `json:"applied"`
}

func writeSteps(c *cobra.Command, steps []migrations.Step) error {
	result := struct {
		Missing    int        `json:"missing"`
		Migrations []stepLine `json:"migrations"`
	}{}
	var rows [][]string
	for _, s := range steps {
		state := "applied"
		if !s.Applied {
			state = "missing"
			result.Missing++
		}
		result.Migrations = append(result.Migrations, stepLine(s))
		rows = append(rows, []string{state, s.Name})
	}
	return writeResult(c, result, func(w io.Writer) { writeTable(w, []string{"STATE", "MIGRATION"}, rows) })
}

// A migration is what migrate up prints.
type migration struct {
	Applied int                   `json:"applied"`
	Schema  int64                 `json:"schema_version"`
	Twins   []store.EmailConflict `json:"twins"` // accounts with one address in two spellings
}

func (m migration) write(w io.Writer) {
	fmt.Fprintf(w, "%d migrations applied; the schema is at version %d\n", m.Applied, m.Schema)
	for _, t := range m.Twins {
		fmt.Fprintf(w, "account %s has the e-mail address of account %s in another spelling; see docs/operations.md\n",
			t.Account, t.Holder)
	}
}

func migrateUpCommand(vars *variables) *cobra.Command {
	var wait time.Duration
	c := &cobra.Command{
		Use:   "up",
		Short: "Apply missing migrations",
		Long: `Apply missing migrations, each in a transaction of its own. It is safe to run
twice, several at once, and while an older gateway serves. It waits for locks that
others hold, says who holds them, and gives up after --wait.`,
		Example: `  gateway migrate up
  gateway migrate up --wait 30s`,
		Annotations: next(`Start or restart the gateway: gateway serve.`),
		Args:        cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withDatabase(c, vars, new(directDatabase), func(db *store.DB) error {
				applied, progress := 0, newProgress(c)
				n, err := migrations.Up(c.Context(), db, migrations.Waiting{
					Longest: max(wait, 1), Tell: tellTo(c.ErrOrStderr()),
					Applied: func(name string) {
						applied++
						progress.show("%d migrations applied, last %s", applied, name)
					},
				})
				progress.end()
				if err != nil {
					return err
				}
				// Accounts that an administrator must look at: see "Two spellings of one
				// address" in docs/operations.md.
				twins, err := db.CanonicalizeEmails(c.Context())
				if err != nil {
					return err
				}
				result := migration{n, store.SchemaVersion, append([]store.EmailConflict{}, twins...)}
				if err := writeResult(c, result, result.write); err != nil {
					return err
				}
				hint(c, "start or restart the gateway: gateway serve")
				return nil
			})
		},
	}
	c.Flags().DurationVar(&wait, "wait", migrations.LongestWait, "how long to wait for locks that others hold")
	return c
}

// tellTo returns what writes lines to w.
func tellTo(w io.Writer) func(line string) {
	return func(line string) { fmt.Fprintln(w, line) }
}

// A configuredDatabase is a [database] or a [directDatabase].
type configuredDatabase interface {
	setting.Settings
	open(ctx context.Context, tell func(line string)) (*store.DB, error)
}

// withDatabase runs fn on the configured database.
func withDatabase(c *cobra.Command, vars *variables, d configuredDatabase, fn func(*store.DB) error) error {
	env, err := vars.env()
	if err != nil {
		return err
	}
	return withDatabaseOf(c, env, d, fn)
}

func withDatabaseOf(c *cobra.Command, env *config.Env, d configuredDatabase, fn func(*store.DB) error) error {
	if err := env.Load(d); err != nil {
		return err
	}
	db, err := d.open(c.Context(), tellTo(c.ErrOrStderr()))
	if err != nil {
		return err
	}
	defer db.Close()
	return fn(db)
}
