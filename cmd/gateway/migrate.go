package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/cmd/gateway/internal/database"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/migrations"
)

func migrateCommand(vars *variables) *cobra.Command {
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Migrate the database schema, or show its state or the plan",
		Long: `Migrate the database schema. PostgreSQL needs "migrate up" before each new
version of the gateway starts; the embedded SQLite migrates itself. With a
transaction pooler in DATABASE_URL, set MIGRATE_DATABASE_URL to a direct
connection.`,
	}
	c.AddCommand(
		migrateUpCommand(vars), migratePlanCommand(vars),
		&cobra.Command{
			Use:         "status",
			Short:       "List all migrations and whether they are applied",
			Long:        `List all migrations that this version knows, oldest first, and whether the database has them.`,
			Example:     "  gateway migrate status\n  gateway migrate status --output json",
			Annotations: next(`If one is missing: gateway migrate up.`),
			Args:        cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				return withDatabase(c, vars, new(database.DirectSettings), func(db *store.DB) error {
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

// A stepJSON is a migration under --output json.
type stepJSON struct {
	Version int64  `json:"version"`
	Name    string `json:"name"`
	Applied bool   `json:"applied"`
}

func writeSteps(c *cobra.Command, steps []migrations.Step) error {
	result := struct {
		Missing    int        `json:"missing"`
		Migrations []stepJSON `json:"migrations"`
	}{}
	var rows [][]string
	for _, s := range steps {
		state := "applied"
		if !s.Applied {
			state = "missing"
			result.Missing++
		}
		result.Migrations = append(result.Migrations, stepJSON(s))
		rows = append(rows, []string{state, s.Name})
	}
	return writeResult(c, result, func(w io.Writer) { writeTable(w, []string{"STATE", "MIGRATION"}, rows) })
}

// A migrateResult is what migrate up prints.
type migrateResult struct {
	Applied   int                   `json:"applied"`
	Schema    int64                 `json:"schema_version"`
	Conflicts []store.EmailConflict `json:"twins"` // accounts with the same address in two spellings
}

func (m migrateResult) write(w io.Writer) {
	fmt.Fprintf(w, "%d migrations applied; the schema is at version %d\n", m.Applied, m.Schema)
	for _, conflict := range m.Conflicts {
		fmt.Fprintf(w, "account %s has the e-mail address of account %s in another spelling; see docs/operations.md\n",
			conflict.Account, conflict.Holder)
	}
}

func migrateUpCommand(vars *variables) *cobra.Command {
	var wait time.Duration
	c := &cobra.Command{
		Use:   "up",
		Short: "Apply missing migrations",
		Long: `Apply missing migrations. It is safe to run twice, several at once, and while an older
gateway serves: no migration blocks others for a time that grows with the size of a
table. An interrupted migration is undone or continued by the next run. The command waits
for locks that others hold, says who holds them, and gives up after --wait.`,
		Example: `  gateway migrate up
  gateway migrate up --wait 30s`,
		Annotations: next(`Start or restart the gateway: gateway serve.`),
		Args:        cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withDatabase(c, vars, new(database.DirectSettings), func(db *store.DB) error {
				applied, progress := 0, newProgress(c)
				n, err := migrations.Up(c.Context(), db, migrations.LockWait{
					Longest: max(wait, 1), Report: lineWriter(c.ErrOrStderr()),
					Applied: func(name string) {
						applied++
						progress.show("%d migrations applied, last %s", applied, name)
					},
				})
				progress.end()
				if err != nil {
					return err
				}
				// An administrator must resolve these conflicts: see "Two spellings of one
				// address" in docs/operations.md.
				conflicts, err := db.CanonicalizeEmails(c.Context())
				if err != nil {
					return err
				}
				result := migrateResult{n, store.SchemaVersion, append([]store.EmailConflict{}, conflicts...)}
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
