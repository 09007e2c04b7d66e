package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
)

func TestMigrateUp_ListsDuplicateAddresses(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if out, _ := c.do(0, "migrate", "up"); strings.Contains(out, "account") {
		t.Errorf("without accounts, migrate up prints %q", out)
	}
	keeper, twin := account.NewID(), account.NewID()
	c.store(func(ctx context.Context, db *store.DB) {
		for id, email := range map[account.ID]string{keeper: "bob@xn--bcher-kva.example", twin: "bob@bücher.example"} {
			if _, err := db.Handle().ExecContext(ctx, `
				INSERT INTO users (id, email, full_name, role, preferences, password_hash, search, disabled_at, created_at, updated_at)
				VALUES ($1, $2, '', 'user', '{}', '', '', NULL, $3, $3)`, string(id), email, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
	})
	want := "account " + string(twin) + " has the e-mail address of account " + string(keeper) + " in another spelling; see docs/operations.md\n"
	if out, _ := c.do(0, "migrate", "up"); !strings.HasSuffix(out, "\n"+want) || strings.Contains(out, "@") {
		t.Errorf("got %q, want it to end with %q", out, want)
	}
}

// TestMigrateUp_CountsAppliedMigrations checks that the command migrates an embedded
// database, and that opening it does not.
func TestMigrateUp_CountsAppliedMigrations(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if out, _ := c.do(0, "migrate", "status"); !strings.Contains(out, "\nmissing  00001_") || strings.Contains(out, "applied  ") {
		t.Errorf("before migrate up, migrate status prints %s", out)
	}
	if out, _ := c.do(0, "migrate", "up"); strings.HasPrefix(out, "0 ") {
		t.Errorf("migrate up prints %q, want some migrations applied", out)
	}
	if out, _ := c.do(0, "migrate", "up"); !strings.HasPrefix(out, "0 migrations applied; ") {
		t.Errorf("a second migrate up prints %q, want 0 migrations applied", out)
	}
	if out, _ := c.do(0, "migrate", "status"); strings.Contains(out, "missing") {
		t.Errorf("after migrate up, migrate status prints %s", out)
	}
}

func TestUser_InAnySpelling(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.do(0, "migrate", "up")
	id := account.NewID()
	c.store(func(ctx context.Context, db *store.DB) {
		a := account.Account{ID: id, Email: "bob@bücher.example", Role: account.User, CreatedAt: time.Now(), UpdatedAt: time.Now()}
		if err := db.Update(ctx, func(tx *store.Tx) error { return tx.CreateAccount(ctx, a, "hash") }); err != nil {
			t.Fatal(err)
		}
	})
	if out, _ := c.do(0, "user", "set-role", "Bob@XN--BCHER-KVA.example", "admin"); out != "bob@bücher.example is admin\n" {
		t.Errorf("got %q", out)
	}
	if out, _ := c.do(0, "audit", "list", "--user", "bob@ｂücher.example"); !strings.Contains(out, string(id)) {
		t.Errorf("got %q", out)
	}
}
