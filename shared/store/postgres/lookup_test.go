package postgres_test

import (
	"database/sql"
	"errors"
	"testing"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/postgres"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestLookUp_AnswersEachLookup(t *testing.T) {
	t.Parallel()
	for name, suffix := range map[string]string{"prepared": "", "described": "&default_query_exec_mode=cache_describe"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := postgres.Open(secret.String(storetest.PostgresURL(t)+suffix), 2)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			var one, three int
			lookup := func(query string, arg any, dest ...any) *store.Lookup {
				return &store.Lookup{Query: query, Args: []any{arg}, Dest: dest}
			}
			const query = "SELECT $1::int WHERE $1::int <> 2"
			for range 2 { // the second time, the statements are prepared
				batch := []*store.Lookup{lookup(query, 1, &one), lookup(query, 2, new(int)), lookup(query, 3, &three)}
				if err := postgres.LookUp(t.Context(), db.Handle(), batch); err != nil {
					t.Fatal(err)
				}
				if one != 1 || three != 3 || batch[0].Err != nil || batch[2].Err != nil || !errors.Is(batch[1].Err, sql.ErrNoRows) {
					t.Errorf("got %d, %d, and the errors %v, %v, %v", one, three, batch[0].Err, batch[1].Err, batch[2].Err)
				}
			}
			broken := []*store.Lookup{lookup(query, 1, &one), lookup("SELECT 1 / $1::int", 0, &three), lookup(query, 3, &three)}
			if err := postgres.LookUp(t.Context(), db.Handle(), broken); err == nil {
				t.Error("a statement failed: want an error")
			}
			if _, err := db.Schema(t.Context()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}
