package store_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// wholeTable matches a line of a plan that reads all rows of a table. Subqueries are
// named asked, page or summed.
var wholeTable = regexp.MustCompile(`Seq Scan on \w+|SCAN (users|search_keys|found|earlier|logins|latest|sessions|audit_events|nextcloud_\w+|other|rate_limits)\b.*`)

// TestStatements_UseIndexes checks the plans of statements whose cost must not grow with
// the number of accounts.
func TestStatements_UseIndexes(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for i := range 50 {
			named(t, db, i, fmt.Sprintf("Person%d Family%d", i, i%9))
		}
		if _, err := db.Handle().ExecContext(t.Context(), "ANALYZE"); err != nil {
			t.Fatal(err)
		}
		for what, run := range map[string]func(db *store.DB) error{
			"search": func(db *store.DB) error {
				_, err := db.SearchAccounts(t.Context(), "family", store.Page{Limit: 51})
				return err
			},
			"accounts": func(db *store.DB) error { _, err := db.Accounts(t.Context(), store.Page{Limit: 51}); return err },
		} {
			plan, err := store.Explain(db, run)
			if err != nil || plan == "" {
				t.Errorf("%s: %v", what, err)
			}
			if line := wholeTable.FindString(plan); line != "" {
				t.Errorf("%s: %s\n%s", what, line, plan)
			}
		}
	})
}
