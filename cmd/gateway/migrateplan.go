package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/cmd/gateway/internal/database"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/migrations"
)

func migratePlanCommand(vars *variables) *cobra.Command {
	return &cobra.Command{
		Use:   "plan",
		Short: "Show what the missing migrations would do, and for how long",
		Long: `Show what "migrate up" would do: the changes of each missing migration, the lock that
a change takes, which statements of others wait while it runs, and how long it takes. The
times are estimates from the sizes of the tables as the database last counted them. A
change without a time takes some milliseconds.`,
		Example:     "  gateway migrate plan\n  gateway migrate plan --output json",
		Annotations: next(`Apply the migrations: gateway migrate up.`),
		Args:        cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withDatabase(c, vars, new(database.DirectSettings), func(db *store.DB) error {
				plan, err := migrations.Plan(c.Context(), db)
				if err != nil {
					return err
				}
				schema, err := db.Schema(c.Context())
				if err != nil {
					return explain(err)
				}
				result := newMigratePlan(schema, plan)
				return writeResult(c, result, result.write)
			})
		},
	}
}

// A migratePlan is what migrate plan prints.
type migratePlan struct {
	Schema     int64              `json:"schema_version"`
	Seconds    float64            `json:"estimated_seconds"`
	Migrations []plannedMigration `json:"migrations"`
}

type plannedMigration struct {
	Version int64           `json:"version"`
	Name    string          `json:"name"`
	About   string          `json:"about"`
	Changes []plannedChange `json:"changes"`
}

type plannedChange struct {
	What    string  `json:"what"`
	Table   string  `json:"table"`  // "" if nobody uses it yet
	Lock    string  `json:"lock"`   // "" for none
	Blocks  string  `json:"blocks"` // nothing, writes, or reads and writes
	Rows    int64   `json:"rows"`   // 0 if they do not matter
	Seconds float64 `json:"estimated_seconds"`
}

func newMigratePlan(schema int64, plan []migrations.Pending) migratePlan {
	result := migratePlan{Schema: schema, Migrations: []plannedMigration{}}
	for _, p := range plan {
		m := plannedMigration{Version: p.Version, Name: p.Name, About: p.About, Changes: []plannedChange{}}
		for _, c := range p.Changes {
			m.Changes = append(m.Changes, plannedChange{c.What, c.Table, c.Lock, string(c.Blocks), c.Rows, c.Takes.Seconds()})
			result.Seconds += c.Takes.Seconds()
		}
		result.Migrations = append(result.Migrations, m)
	}
	return result
}

func (m migratePlan) write(w io.Writer) {
	took := func(seconds float64) string {
		return time.Duration(seconds * float64(time.Second)).Round(time.Second / 10).String()
	}
	fmt.Fprintf(w, "%d migrations are missing; the schema is at version %d\n", len(m.Migrations), m.Schema)
	if len(m.Migrations) == 0 {
		return
	}
	var rows [][]string
	for _, p := range m.Migrations {
		fmt.Fprintf(w, "%s: %s\n", p.Name, p.About)
		for _, c := range p.Changes {
			lock, size, takes := c.Lock, "", ""
			if c.Table != "" && lock != "" {
				lock += " on " + c.Table
			}
			if c.Rows > 0 {
				size, takes = strconv.FormatInt(c.Rows, 10), took(c.Seconds)
			}
			rows = append(rows, []string{strconv.FormatInt(p.Version, 10), c.What, lock, c.Blocks, size, takes})
		}
	}
	writeTable(w, []string{"VERSION", "CHANGE", "LOCK", "BLOCKS", "ROWS", "TAKES"}, rows)
	fmt.Fprintf(w, "estimated: %s\n", took(m.Seconds))
}
