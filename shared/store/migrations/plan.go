package migrations

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/store"
)

// A Pending migration is one that is not applied, and what it would do.
type Pending struct {
	Version int64
	Name    string
	About   string // the first paragraph of its comment
	Changes []Change
}

// A Change is a statement of a migration, or work of code that follows.
type Change struct {
	What   string        // such as "build index users_admins_idx"
	Table  string        // that exists before the migration; "" for none
	Lock   string        // on that table: a lock mode of PostgreSQL; "" for none
	Blocks Blocking      // what waits while the change runs
	Rows   int64         // of the table, estimated by the database; 0 if its size does not matter
	Takes  time.Duration // an estimate; 0 for some milliseconds
}

// Blocking says which statements of others wait for a change.
type Blocking string

// What waits.
const (
	Nothing       Blocking = "nothing"
	Writes        Blocking = "writes"
	ReadsAndWrite Blocking = "reads and writes"
)

// How long a row takes, roughly, on a machine with two cores: measured with a million users
// (docs/performance.md, Migrations).
const (
	rowOfIndex  = 2 * time.Microsecond
	rowOfUpdate = 20 * time.Microsecond
	rowOfSearch = 100 * time.Microsecond
)

// Plan returns the missing migrations with their statements, oldest first, and finally
// what code does to the rows that exist. It changes nothing. Sizes are those that the
// database last estimated, so they cost no scan.
func Plan(ctx context.Context, db *store.DB) ([]Pending, error) {
	steps, err := Status(ctx, db)
	if err != nil {
		return nil, err
	}
	p := planner{engine: db.Engine(), created: map[string]bool{}}
	if p.rows, err = rowCounts(ctx, db); err != nil {
		return nil, fmt.Errorf("migration plan: %w", err)
	}
	var all []Pending
	for _, s := range steps {
		if s.Applied {
			continue
		}
		text, err := fs.ReadFile(files, path.Join(db.Engine(), path.Base(s.Name)))
		if err != nil {
			return nil, err
		}
		m := Pending{Version: s.Version, Name: path.Base(s.Name), About: about(text)}
		for _, statement := range split(text) {
			m.Changes = append(m.Changes, p.changes(statement)...)
		}
		m.Changes = append(m.Changes, p.code(s.Version)...)
		all = append(all, m)
	}
	return all, nil
}

// about returns the first paragraph of the comment that begins a migration.
func about(text []byte) string {
	var words []string
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line, comment := strings.CutPrefix(lines.Text(), "--")
		if !comment || strings.Contains(line, "+goose") {
			break
		}
		words = append(words, strings.Fields(line)...)
	}
	return strings.Join(words, " ")
}

// split returns the statements of a migration upwards, each on one line.
func split(text []byte) []string {
	_, up, _ := strings.Cut(string(text), "-- +goose Up")
	up, _, _ = strings.Cut(up, "-- +goose Down")
	var plain strings.Builder
	for line := range strings.Lines(up) {
		line, _, _ = strings.Cut(line, "--")
		plain.WriteString(line + " ")
	}
	var all []string
	for statement := range strings.SplitSeq(plain.String(), ";") {
		if statement = strings.Join(strings.Fields(statement), " "); statement != "" {
			all = append(all, statement)
		}
	}
	return all
}

// A planner finds what statements do.
type planner struct {
	engine  string
	rows    map[string]int64
	created map[string]bool // tables that earlier statements of the plan create
}

// A kind of statement, and what it does on PostgreSQL to the table that it names.
type kind struct {
	pattern *regexp.Regexp // with groups named table and name
	what    string
	lock    string
	blocks  Blocking
	row     time.Duration // how long a row takes; 0 if the number of rows does not matter
}

//nolint:gochecknoglobals // a table
var kinds = []kind{
	{regexp.MustCompile(`^(SET|SELECT) `), "", "", Nothing, 0},
	{regexp.MustCompile(`^CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(?P<name>\w+)`), "create table", "", Nothing, 0},
	{regexp.MustCompile(`^ALTER TABLE (?P<table>\w+) ADD COLUMN (?:IF NOT EXISTS )?(?P<name>\w+) [^(]*\b(?:CHECK|UNIQUE|PRIMARY|REFERENCES)\b`), "add and check column", "ACCESS EXCLUSIVE", ReadsAndWrite, rowOfIndex},
	{regexp.MustCompile(`^ALTER TABLE (?P<table>\w+) ADD COLUMN (?:IF NOT EXISTS )?(?P<name>\w+) [^(]*$`), "add column", "ACCESS EXCLUSIVE", ReadsAndWrite, 0},
	{regexp.MustCompile(`^ALTER TABLE (?P<table>\w+) DROP COLUMN (?P<name>\w+)`), "drop column", "ACCESS EXCLUSIVE", ReadsAndWrite, 0},
	{regexp.MustCompile(`^ALTER TABLE (?P<table>\w+) (?P<name>.*)`), "change", "ACCESS EXCLUSIVE", ReadsAndWrite, rowOfUpdate},
	{regexp.MustCompile(`^CREATE (?:UNIQUE )?INDEX CONCURRENTLY (?P<name>\w+) ON (?P<table>\w+)`), "build index", "SHARE UPDATE EXCLUSIVE", Nothing, rowOfIndex},
	{regexp.MustCompile(`^CREATE (?:UNIQUE )?INDEX (?:IF NOT EXISTS )?(?P<name>\w+) ON (?P<table>\w+)`), "build index", "SHARE", Writes, rowOfIndex},
	{regexp.MustCompile(`^DROP INDEX CONCURRENTLY IF EXISTS (?P<name>\w+)`), "", "", Nothing, 0}, // of an interrupted run
	{regexp.MustCompile(`^DROP INDEX (?P<name>\w+)`), "drop index", "ACCESS EXCLUSIVE", ReadsAndWrite, 0},
	{regexp.MustCompile(`^UPDATE (?P<table>\w+)`), "update rows", "ROW EXCLUSIVE", Writes, rowOfUpdate},
	{regexp.MustCompile(`^INSERT INTO (?P<table>\w+)`), "insert rows", "ROW EXCLUSIVE", Nothing, 0},
}

// references matches tables that a new one refers to.
var references = regexp.MustCompile(`REFERENCES (\w+)`)

// changes returns what a statement does; nothing for one that has no effect of its own.
// A statement of an unknown kind is one that blocks everything.
func (p *planner) changes(statement string) []Change {
	for _, k := range kinds {
		m := k.pattern.FindStringSubmatch(statement)
		if m == nil {
			continue
		}
		if k.what == "" {
			return nil
		}
		c := Change{What: k.what, Lock: k.lock, Blocks: k.blocks}
		for i, group := range k.pattern.SubexpNames() {
			switch group {
			case "table":
				c.Table = m[i]
			case "name":
				c.What += " " + m[i]
			}
		}
		if k.what == "create table" {
			return p.creates(c, m[1], statement)
		}
		return []Change{p.complete(c, k.row)}
	}
	return []Change{{What: statement, Lock: "unknown", Blocks: ReadsAndWrite}}
}

// creates returns the change that creates a table, which locks those that it refers to.
func (p *planner) creates(c Change, table, statement string) []Change {
	p.created[table] = true
	for _, m := range references.FindAllStringSubmatch(statement, -1) {
		if !p.created[m[1]] {
			c.Table, c.Lock, c.Blocks = m[1], "SHARE ROW EXCLUSIVE", Writes
		}
	}
	return []Change{p.complete(c, 0)}
}

// complete adds the size of the table. A table that the plan creates has no rows, and
// nobody uses it yet. On SQLite, a migration locks the file.
func (p *planner) complete(c Change, row time.Duration) Change {
	if p.created[c.Table] {
		c.Table, c.Lock, c.Blocks = "", "", Nothing
		row = 0
	}
	if row > 0 {
		c.Rows = p.rows[c.Table]
		c.Takes = time.Duration(c.Rows) * row
	}
	if p.engine == store.SQLite {
		c.Lock, c.Blocks = "the database file", Writes
	}
	return c
}

// code returns what code does to rows after the migration. It works in batches.
func (p *planner) code(version int64) []Change {
	var c Change
	switch version {
	case 10:
		c = Change{What: "canonicalize addresses", Takes: time.Duration(p.rows["users"]) * rowOfUpdate}
	case 21:
		c = Change{What: "index accounts for the search", Takes: time.Duration(p.rows["users"]) * rowOfSearch}
	default:
		return nil
	}
	c.Table, c.Lock, c.Blocks, c.Rows = "users", "rows, in batches", Nothing, p.rows["users"]
	return []Change{c}
}

// rowCounts returns the estimated number of rows of each table.
func rowCounts(ctx context.Context, db *store.DB) (map[string]int64, error) {
	names := `SELECT name, 0 FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE '%WITHOUT ROWID%' AND name NOT LIKE 'sqlite_%'`
	if db.Engine() == store.PostgreSQL {
		names = `SELECT relname, GREATEST(reltuples, 0)::bigint FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace`
	}
	rows, err := db.Handle().QueryContext(ctx, names)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	counts := map[string]int64{}
	for rows.Next() {
		var name string
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			return nil, err
		}
		counts[name] = n
	}
	if err := rows.Err(); err != nil || db.Engine() == store.PostgreSQL {
		return counts, err
	}
	rows.Close()
	for name := range counts { // the last one is at most too large
		var n int64
		if err := db.Handle().QueryRowContext(ctx, `SELECT COALESCE(MAX(_rowid_), 0) FROM "`+name+`"`).Scan(&n); err != nil {
			return nil, err
		}
		counts[name] = n
	}
	return counts, nil
}
