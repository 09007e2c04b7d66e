package migrations_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/migrations"
	"github.com/voiceassist/gateway/shared/store/sqlite"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// released is the schema version of release 0.1.0. Nothing that was released is older, so
// only later migrations meet large tables.
const released = 16

// TestPlan_NoMigrationBlocksForLong_OnPostgres reads all statements of the migrations since
// the first release. One that takes longer with more rows must not block others; build an
// index with CREATE INDEX CONCURRENTLY, and change rows in batches, by code.
func TestPlan_NoMigrationBlocksForLong_OnPostgres(t *testing.T) {
	t.Parallel()
	db := storetest.OpenPostgres(t, empty(t))
	defer db.Close()
	upTo(t, goose.DialectPostgres, db, released)
	if _, err := db.Handle().ExecContext(t.Context(), `
		UPDATE pg_class SET reltuples = 1000000 WHERE relname IN ('users', 'logins', 'nextcloud_accounts')`); err != nil {
		t.Fatal(err)
	}
	plan := planOf(t, db)
	if len(plan) != store.SchemaVersion-released || plan[0].Version != released+1 {
		t.Fatalf("got %d migrations: %+v", len(plan), plan)
	}
	found := map[string]migrations.Change{}
	for _, m := range plan {
		if m.About == "" || len(m.Changes) == 0 {
			t.Errorf("%s says %q and does %v", m.Name, m.About, m.Changes)
		}
		for _, c := range m.Changes {
			if c.Lock == "unknown" || c.Blocks != migrations.Nothing && c.Rows > 0 {
				t.Errorf("%s blocks %s for a time that grows with the %d rows of %s: %s", m.Name, c.Blocks, c.Rows, c.Table, c.What)
			}
			found[c.What] = c
		}
	}
	for what, want := range map[string]migrations.Change{
		"create table mails":                  {Table: "users", Lock: "SHARE ROW EXCLUSIVE", Blocks: migrations.Writes},
		"build index mails_due_at_idx":        {Blocks: migrations.Nothing},
		"add column sweep_at":                 {Table: "logins", Lock: "ACCESS EXCLUSIVE", Blocks: migrations.ReadsAndWrite},
		"build index logins_sweep_at_idx":     {Table: "logins", Lock: "SHARE UPDATE EXCLUSIVE", Blocks: migrations.Nothing, Rows: 1_000_000, Takes: 2 * time.Second},
		"index accounts for the search":       {Table: "users", Lock: "rows, in batches", Blocks: migrations.Nothing, Rows: 1_000_000, Takes: 100 * time.Second},
		"drop index logins_expires_at_idx":    {Lock: "ACCESS EXCLUSIVE", Blocks: migrations.ReadsAndWrite},
		"build index search_keys_key_idx":     {Blocks: migrations.Nothing},
		"create table second_factors":         {Table: "users", Lock: "SHARE ROW EXCLUSIVE", Blocks: migrations.Writes},
		"build index api_keys_user_id_id_idx": {Blocks: migrations.Nothing},
		"add column held":                     {Table: "nextcloud_accounts", Lock: "ACCESS EXCLUSIVE", Blocks: migrations.ReadsAndWrite},
	} {
		want.What = what
		if found[what] != want {
			t.Errorf("got %+v, want %+v", found[what], want)
		}
	}
	if _, err := migrations.Up(t.Context(), db, migrations.LockWait{}); err != nil {
		t.Fatal(err)
	}
	if plan := planOf(t, db); len(plan) != 0 {
		t.Errorf("after the migrations, the plan is %+v", plan)
	}
}

// TestPlan_KnowsEveryStatement plans all migrations from an empty database.
func TestPlan_KnowsEveryStatement(t *testing.T) {
	t.Parallel()
	db, err := sqlite.Open(filepath.Join(t.TempDir(), "gateway.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	check := func(db *store.DB) {
		t.Helper()
		for _, m := range planOf(t, db) {
			for _, c := range m.Changes {
				if c.Lock == "unknown" {
					t.Errorf("%s of %s is unknown", c.What, m.Name)
				}
			}
		}
	}
	check(db)
	if testing.Short() {
		return
	}
	server := storetest.OpenPostgres(t, empty(t))
	defer server.Close()
	check(server)
}

func planOf(t *testing.T, db *store.DB) []migrations.Pending {
	t.Helper()
	plan, err := migrations.Plan(context.WithoutCancel(t.Context()), db)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}
