package test_test

import (
	"database/sql"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/docs/docstest"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/sqlite"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestBadInput_ChangesNothing sends every unacceptable request, and compares every row of
// the store before and after.
func TestBadInput_ChangesNothing(t *testing.T) {
	t.Parallel()
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			env, db := open(t, dir)
			g := start(t, dir, nil, append(env, "JWT_SECRET="+keyring.Generate().Reveal())...).target()
			g.check = docstest.Check
			saved := map[string]string{}
			play(t, g, acceptance()[:2], saved) // register, log in
			before := rows(t, db(), settled)
			if len(before) < 4 {
				t.Fatalf("got %d rows to compare, want more: %v", len(before), before)
			}
			play(t, g, badInput("Authorization: Bearer ${access}"), saved)
			if diff := cmp.Diff(before, rows(t, db(), settled)); diff != "" {
				t.Errorf("the store changed (- before, + after):\n%s", diff)
			}
		})
	}
}

// engines are the databases, each with the settings of a gateway that keeps its data in
// dir, and a function that opens that database.
var engines = map[string]func(t *testing.T, dir string) (env []string, db func() *store.DB){
	"sqlite": func(t *testing.T, dir string) ([]string, func() *store.DB) {
		t.Helper()
		return nil, func() *store.DB {
			db, err := sqlite.Open(filepath.Join(dir, "gateway.db"))
			if err != nil {
				t.Fatal(err)
			}
			return db
		}
	},
	"postgres": func(t *testing.T, _ string) ([]string, func() *store.DB) {
		t.Helper()
		url := database(t)
		return []string{"DATABASE_URL=" + url}, func() *store.DB { return storetest.OpenPostgres(t, url) }
	},
}

// The tables of the audit trail: all of it, and without failed logins, which are bad input
// and events at once, and without places in the chain, which change independently.
var (
	whole   = []string{"audit_events", "audit_chain"}
	settled = "(SELECT id, at, event, user_id, actor_id, login_id, address, device, correlation_id, detail FROM audit_events WHERE event <> 'login_failed') AS audit_events"
)

// rows returns every row of every table as text, in order, and closes db.
func rows(t *testing.T, db *store.DB, trail ...string) []string {
	t.Helper()
	defer db.Close()
	var all []string
	for _, table := range append([]string{"users", "logins", "sessions", "nextcloud_accounts", "nextcloud_app_passwords", "nextcloud_gate"}, trail...) {
		found, err := db.Handle().QueryContext(t.Context(), "SELECT * FROM "+table)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, texts(t, table, found)...)
	}
	slices.Sort(all)
	return all
}

func texts(t *testing.T, table string, found *sql.Rows) []string {
	t.Helper()
	defer found.Close()
	columns, err := found.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for found.Next() {
		values, dest := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			dest[i] = &values[i]
		}
		if err := found.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		row := map[string]string{}
		for i, name := range columns {
			row[name] = fmt.Sprint(values[i])
			if b, ok := values[i].([]byte); ok {
				row[name] = string(b)
			}
		}
		var b strings.Builder
		b.WriteString(table)
		for _, name := range slices.Sorted(maps.Keys(row)) {
			fmt.Fprintf(&b, " %s=%s", name, row[name])
		}
		all = append(all, b.String())
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
