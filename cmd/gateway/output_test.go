package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestOutput_IsTableOrJSON runs commands that print a result, in both formats.
func TestOutput_IsTableOrJSON(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args  string
		table string // in the table format
		key   string // of the JSON document
	}{
		{"version", "", "version"},
		{"migrate up", " migrations applied; the schema is at version ", "schema_version"},
		{"migrate status", "STATE    MIGRATION\napplied  ", "migrations"},
		{"audit verify", "ok: 0 events", "head"},
		{"keys status", "KEY ", "keys"},
	} {
		c := newConsole(t)
		c.do(0, "migrate", "up")
		c.do(0, "audit", "verify") // generates the keys
		words := strings.Fields(test.args)
		if out, _ := c.do(0, words...); !strings.Contains(out, test.table) {
			t.Errorf("%s: got no %q in\n%s", test.args, test.table, out)
		}
		for _, flag := range []string{"--output=json", "-ojson"} {
			out, problems := c.do(0, append([]string{flag}, words...)...)
			var document map[string]any
			if err := json.Unmarshal([]byte(out), &document); err != nil || document[test.key] == nil || problems != "" {
				t.Errorf("%s %s: got no document with %q: %v, %q\n%s", test.args, flag, test.key, err, problems, out)
			}
		}
	}
	expectUsageError(t, []string{"version", "--output", "yaml"}, `"yaml"`, "must be table or json")
}

func TestOutput_ReportsEmptyListsOnStderr(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.do(0, "migrate", "up")
	if out, problems := c.do(0, "audit", "list"); out != "" || problems != "No events found.\n" {
		t.Errorf("got %q, %q", out, problems)
	}
	if out, problems := c.do(0, "audit", "list", "--output", "json"); out != "" || problems != "" {
		t.Errorf("got %q, %q", out, problems)
	}
	if out, problems := c.do(0, "keys", "status"); out != "algorithm: HS256\n" || problems != "No keys yet; the first start of the gateway makes them.\n" {
		t.Errorf("got %q, %q", out, problems)
	}
	if out, _ := c.do(0, "keys", "status", "-o", "json"); !strings.Contains(out, `"keys": []`) {
		t.Errorf("got %s", out)
	}
}

func TestOutput_AcceptsTheFormerFlag(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.do(0, "migrate", "up")
	for _, words := range [][]string{{"audit", "verify"}, {"keys", "status"}} {
		before, problems := c.do(0, append(words, "--json")...)
		now, _ := c.do(0, append(words, "--output", "json")...)
		if before != now || problems != "" {
			t.Errorf("%q: %q\n%s\n%s", words, problems, before, now)
		}
		if help, _ := c.do(0, append(words, "--help")...); strings.Contains(help, "--json") {
			t.Errorf("help offers --json:\n%s", help)
		}
	}
}
