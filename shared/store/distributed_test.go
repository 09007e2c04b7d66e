package store_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// sqlOf returns the migrations for PostgreSQL, and the string literals of this package and
// of those that open it, both without comments.
func sqlOf(t *testing.T) (schema, statements string) {
	t.Helper()
	files, err := filepath.Glob("migrations/postgres/*.sql")
	if err != nil || len(files) < 20 {
		t.Fatalf("got the migrations %q, %v", files, err)
	}
	var b strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		up, _, _ := strings.Cut(string(text), "-- +goose Down")
		b.WriteString(regexp.MustCompile(`--[^\n]*`).ReplaceAllString(up, ""))
	}
	schema = b.String()
	b.Reset()
	for _, pattern := range []string{"*.go", "postgres/*.go"} {
		sources, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, source := range sources {
			// SQLite commits in groups.
			if strings.HasSuffix(source, "_test.go") || source == "group.go" {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
					text, _ := strconv.Unquote(literal.Value)
					b.WriteString(regexp.MustCompile(`--[^\n]*`).ReplaceAllString(text, "") + "\n")
				}
				return true
			})
		}
	}
	return schema, b.String()
}

// TestSQL_SuitsDistributedDatabases looks for what databases that are distributed and speak
// PostgreSQL's protocol lack, or do slowly. What the gateway does use of it is in the table
// of docs/scale.md, and nothing else is.
func TestSQL_SuitsDistributedDatabases(t *testing.T) {
	t.Parallel()
	schema, statements := sqlOf(t)
	for what, pattern := range map[string]string{
		"a sequence":                    `(?i)\b(small|big)?serial\b|\bsequence\b|\bnextval\b|GENERATED .* AS IDENTITY`,
		"a trigger, rule or procedure":  `\b(TRIGGER|CREATE RULE|PROCEDURE|FUNCTION|plpgsql|DO \$)`,
		"an extension or type":          `CREATE (EXTENSION|TYPE|DOMAIN)`,
		"a lock of a session or table":  `(?i)pg_(try_)?advisory|\bLOCK TABLE\b`,
		"notifications":                 `\b(LISTEN|NOTIFY|UNLISTEN)\b`,
		"a temporary table or a cursor": `\bTEMP(ORARY)? TABLE\b|\bDECLARE \w+ CURSOR\b`,
		"a savepoint":                   `\bSAVEPOINT\b`,
		"TRUNCATE or COPY":              `\b(TRUNCATE|COPY) `,
		"the clock of the database":     `(?i)\b(now|clock_timestamp|statement_timestamp)\(\)|\bCURRENT_(TIMESTAMP|DATE)\b`,
		"random values of the database": `(?i)\bgen_random_uuid\b|\brandom\(\)`,
		"a physical address":            `\b(ctid|xmin|oid)\b`,
		"LATERAL or a partition":        `\b(LATERAL|PARTITION OF|INHERITS)\b`,
	} {
		for where, text := range map[string]string{"the schema": schema, "a statement": statements} {
			if found := regexp.MustCompile(pattern).FindString(text); found != "" {
				t.Errorf("%s uses %s: %q", where, what, found)
			}
		}
	}
	page, err := os.ReadFile("../../docs/scale.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## Distributed SQL")
	section, _, _ = strings.Cut(section, "\n## ")
	var rows []string
	for _, m := range regexp.MustCompile(`(?m)^\| ([^|]+) \|`).FindAllStringSubmatch(section, -1) {
		rows = append(rows, m[1])
	}
	used := map[string]string{
		"foreign keys, `ON DELETE CASCADE`": `REFERENCES \w+ \(\w+\) ON DELETE CASCADE`,
		"partial indexes":                   `CREATE (UNIQUE )?INDEX [^;]+ WHERE `,
		"an index on an expression":         `CREATE INDEX [^;]+\(LOWER\(`,
		"an unlogged table":                 `CREATE UNLOGGED TABLE`,
		"`FOR UPDATE SKIP LOCKED`":          `FOR UPDATE SKIP LOCKED`,
		"`FOR NO KEY UPDATE`, `FOR SHARE`":  `FOR (NO KEY UPDATE|SHARE)`,
		"`WITH … AS MATERIALIZED`":          `AS MATERIALIZED`,
		"`ON CONFLICT`, `RETURNING`":        `ON CONFLICT`,
	}
	for row, pattern := range used {
		if !regexp.MustCompile(pattern).MatchString(schema + statements) {
			t.Errorf("docs/scale.md says that the gateway uses %s, and it does not", row)
		}
		if !slices.Contains(rows, row) {
			t.Errorf("the gateway uses %s, which is not in the table of docs/scale.md", row)
		}
	}
}
