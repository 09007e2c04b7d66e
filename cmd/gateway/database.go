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
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/migrations"
	"github.com/voiceassist/gateway/shared/store/postgres"
	"github.com/voiceassist/gateway/shared/store/sqlite"
)

// openDatabase opens PostgreSQL where DATABASE_URL is set, else the embedded
// SQLite in DATA_DIR, which migrates itself; tell is told what that waits for.
func openDatabase(ctx context.Context, env *config.Env, tell func(line string)) (*store.DB, error) {
	if db := readDatabase(env); db != nil || env.Err() != nil {
		return db, env.Err()
	}
	db, err := openEmbedded(env)
	if err != nil {
		return nil, err
	}
	if _, err := migrations.Up(ctx, db, migrations.Waiting{Tell: tell}); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// openEmbedded opens the SQLite in DATA_DIR as it is.
func openEmbedded(env *config.Env) (*store.DB, error) {
	db, err := sqlite.Open(filepath.Join(dataDir(env), databaseFile))
	if err != nil {
		return nil, err
	}
	db.SetLoginLifetime(signin.ReadLifetimes(env).Absolute)
	return db, nil
}

// readDatabase returns the PostgreSQL in the settings, to which nothing connects
// yet; nil after a mistake, and where the embedded SQLite is used.
func readDatabase(env *config.Env) *store.DB {
	if env.Secret("DATABASE_URL") == "" {
		return nil
	}
	return postgres.Read(env, postgres.ServerConns)
}

// openDirect is [openDatabase] for migrations, past any pooler and before any
// migration.
func openDirect(_ context.Context, env *config.Env, _ func(line string)) (*store.DB, error) {
	if env.Secret("MIGRATE_DATABASE_URL") != "" || env.Secret("DATABASE_URL") != "" {
		db := postgres.ReadDirect(env)
		return db, env.Err()
	}
	return openEmbedded(env)
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
				return withDatabase(c, vars, openDirect, func(db *store.DB) error {
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
			return withDatabase(c, vars, openDirect, func(db *store.DB) error {
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

// withDatabase runs fn on the configured database, as open opens it.
func withDatabase(
	c *cobra.Command, vars *variables,
	open func(context.Context, *config.Env, func(line string)) (*store.DB, error), fn func(*store.DB) error,
) error {
	env, err := vars.env()
	if err != nil {
		return err
	}
	db, err := open(c.Context(), env, tellTo(c.ErrOrStderr()))
	if err != nil {
		return err
	}
	defer db.Close()
	return fn(db)
}
