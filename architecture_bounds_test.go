package gateway_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// boundRows returns the rows of the tables of docs/bounds.md.
func boundRows(t *testing.T) (rows []string) {
	t.Helper()
	page, err := os.ReadFile("docs/bounds.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "|") && !strings.HasPrefix(line, "|---") && !strings.Contains(line, "| test |") {
			rows = append(rows, line)
		}
	}
	return rows
}

// TestBounds_AreTested checks that every bound names tests that exist.
func TestBounds_AreTested(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile("`([a-z0-9/]+)\\.(Test\\w+)`")
	for _, row := range boundRows(t) {
		names := name.FindAllStringSubmatch(row, -1)
		if len(names) == 0 {
			t.Errorf("no test holds %s", row)
		}
		for _, m := range names {
			if !strings.Contains(testsOf(t, m[1]), "\nfunc "+m[2]+"(") {
				t.Errorf("%s not found in %q", m[2], m[1])
			}
		}
	}
}

// TestBounds_AreComplete checks that every table of the schema, and every call
// that answers with an array, has a row.
func TestBounds_AreComplete(t *testing.T) {
	t.Parallel()
	rows := boundRows(t)
	var want []string
	files, err := filepath.Glob("shared/store/migrations/postgres/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	table := regexp.MustCompile(`(?m)^CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(\w+)`)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range table.FindAllStringSubmatch(string(b), -1) {
			want = append(want, "| `"+m[1]+"` |")
		}
	}
	for _, call := range arrays(t) {
		want = append(want, "| `"+call+"` |")
	}
	if len(want) < 15 {
		t.Errorf("only %d tables and calls were found: %q", len(want), want)
	}
	for _, w := range want {
		if !slices.ContainsFunc(rows, func(row string) bool { return strings.HasPrefix(row, w) }) {
			t.Errorf("docs/bounds.md has no row %s", w)
		}
	}
}

// arrays returns the calls of docs/openapi.json that may answer with an array.
func arrays(t *testing.T) (calls []string) {
	t.Helper()
	b, err := os.ReadFile("docs/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	type schema struct {
		Type  any
		AnyOf []struct{ Type any } `json:"anyOf"`
	}
	for path, methods := range doc.Paths {
		for method, raw := range methods {
			var call struct {
				Responses map[string]struct {
					Content map[string]struct{ Schema schema }
				}
			}
			if json.Unmarshal(raw, &call) != nil {
				continue // the parameters of a path
			}
			s := call.Responses["200"].Content["application/json"].Schema
			if s.Type == "array" || slices.ContainsFunc(s.AnyOf, func(one struct{ Type any }) bool { return one.Type == "array" }) {
				calls = append(calls, strings.ToUpper(method)+" "+path)
			}
		}
	}
	return calls
}
