package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestSchema_OlderIsRefusedUntilMigrated(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		handle := db.Handle()
		if _, err := handle.ExecContext(t.Context(),
			"UPDATE goose_db_version SET is_applied = FALSE WHERE version_id = $1", store.SchemaVersion); err != nil {
			t.Fatal(err)
		}
		_, err := db.Account(t.Context(), account.NewID())
		if !errors.Is(err, store.ErrSchemaOutdated) || !strings.Contains(err.Error(), "run gateway migrate up") {
			t.Errorf("query: got %v, want ErrSchemaOutdated with a remedy", err)
		}
		if _, err := db.Accounts(t.Context(), store.Page{Limit: 1}); !errors.Is(err, store.ErrSchemaOutdated) {
			t.Errorf("list: got %v, want ErrSchemaOutdated", err)
		}
		began := false
		err = db.Update(t.Context(), func(*store.Tx) error { began = true; return nil })
		if !errors.Is(err, store.ErrSchemaOutdated) || began {
			t.Errorf("transaction: got %v, begun = %t; want ErrSchemaOutdated before it begins", err, began)
		}
		if err := db.Ping(t.Context()); err != nil {
			t.Errorf("Ping = %v, want success", err)
		}
		if _, err := handle.ExecContext(t.Context(), "UPDATE goose_db_version SET is_applied = TRUE"); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Accounts(t.Context(), store.Page{Limit: 1}); err != nil {
			t.Errorf("after the migration: %v", err)
		}
	})
}

func TestSchema_NewerIsTolerated(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		if _, err := db.Handle().ExecContext(t.Context(),
			"INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, TRUE)", store.SchemaVersion+1); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Accounts(t.Context(), store.Page{Limit: 1}); err != nil {
			t.Errorf("on a newer schema: %v", err)
		}
	})
}

func TestSchema_EmptyDatabaseIsRefused_OnPostgres(t *testing.T) {
	t.Parallel()
	db := storetest.OpenPostgres(t, storetest.FromTemplate(t, func(context.Context, string) error { return nil }))
	defer db.Close()
	if _, err := db.Account(t.Context(), account.NewID()); !errors.Is(err, store.ErrSchemaOutdated) {
		t.Errorf("query: got %v, want ErrSchemaOutdated", err)
	}
}

// TestSchema_IsQueriedOnce checks that the schema check costs one round trip in the life
// of a process.
func TestSchema_IsQueriedOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		list := func() error {
			_, err := db.Accounts(t.Context(), store.Page{Limit: 1})
			return err
		}
		if err := list(); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Handle().ExecContext(t.Context(), "DROP TABLE goose_db_version"); err != nil {
			t.Fatal(err)
		}
		if err := list(); err != nil {
			t.Errorf("second list = %v; it checked the schema again", err)
		}
	})
}
