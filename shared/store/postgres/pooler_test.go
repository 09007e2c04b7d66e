package postgres_test

import (
	"sync"
	"testing"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/postgres"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestPooler_DecidesWhetherStatementsStayPrepared counts the prepared statements that the
// server keeps for the connection.
func TestPooler_DecidesWhetherStatementsStayPrepared(t *testing.T) {
	t.Parallel()
	url := storetest.PostgresURL(t)
	pooled := storetest.Pooler(t, url)
	for _, test := range []struct {
		name, setting, url string
		want               bool
	}{
		{"a direct connection", "", url, true},
		{"a pooler", "", pooled, false},
		{"a direct connection, said to be pooled", "true", url, false},
		{"a direct connection, said to be direct", "false", url, true},
		{"a mode in the URL", "false", url + "&default_query_exec_mode=exec", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			db := setting.Of[postgres.Settings](config.Map(map[string]string{
				"DATABASE_URL": test.url, "DATABASE_POOLER": test.setting, "DATABASE_MAX_CONNECTIONS": "1",
			})).Open()
			t.Cleanup(func() { db.Close() })
			if _, err := db.Accounts(t.Context(), store.Page{Limit: 1}); err != nil {
				t.Fatal(err)
			}
			var n int
			const count = "SELECT COUNT(*) FROM pg_prepared_statements WHERE statement LIKE '%FROM users%'"
			if err := db.Handle().QueryRowContext(t.Context(), count).Scan(&n); err != nil {
				t.Fatal(err)
			}
			if got := n > 0; got != test.want {
				t.Errorf("%d statements stay prepared, want any: %t", n, test.want)
			}
		})
	}
}

// TestPooler_CarriesStatementsOfManyConnections runs the same statements on more
// connections than the pooler has.
func TestPooler_CarriesStatementsOfManyConnections(t *testing.T) {
	t.Parallel()
	db := storetest.OpenPostgres(t, storetest.Pooler(t, storetest.PostgresURL(t)))
	defer db.Close()
	var clients sync.WaitGroup
	for range 2 * storetest.PoolerConns {
		clients.Go(func() {
			for range 20 {
				if _, err := db.Accounts(t.Context(), store.Page{Limit: 1}); err != nil {
					t.Error(err)
				}
				if err := db.Update(t.Context(), func(tx *store.Tx) error {
					_, err := tx.Accounts(t.Context(), store.Page{Limit: 1})
					return err
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	clients.Wait()
}
