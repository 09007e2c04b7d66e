package store_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// wholeTable matches a line of a plan that reads all rows of a table.
var wholeTable = regexp.MustCompile(`Seq Scan on \w+|SCAN (users|search_keys|found|earlier|logins|latest|sessions|audit_events|nextcloud_\w+|other|rate_limits|link_tokens|mails|login_challenges)\b.*`)

// TestStatements_UseIndexes checks the plans of statements whose cost must not grow with
// the number of accounts.
func TestStatements_UseIndexes(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var id account.ID
		for i := range 50 {
			id = named(t, db, i, fmt.Sprintf("Person%d Family%d", i, i%9)).ID
		}
		if db.Engine() == store.PostgreSQL { // which analyzes tables by itself; SQLite does not
			if _, err := db.Handle().ExecContext(t.Context(), "ANALYZE"); err != nil {
				t.Fatal(err)
			}
		}
		for what, run := range map[string]func(db *store.DB) error{
			"search": func(db *store.DB) error {
				_, err := db.SearchAccounts(t.Context(), "family", store.Page{Limit: 51})
				return err
			},
			"accounts":   func(db *store.DB) error { _, err := db.Accounts(t.Context(), store.Page{Limit: 51}); return err },
			"last admin": func(db *store.DB) error { _, err := db.CountOtherAdmins(t.Context(), id); return err },
			"sessions":   func(db *store.DB) error { _, err := db.Sessions(t.Context(), id, store.Page{Limit: 51}); return err },
			"logins": func(db *store.DB) error {
				_, err := db.Logins(t.Context(), id, store.Page{Limit: 51}, noon)
				return err
			},
			"account for login": func(db *store.DB) error {
				_, _, _, err := db.AccountForLogin(t.Context(), account.Email("x-1@example.org").Lookup(), "192.0.2.1")
				return err
			},
			"refresh": func(db *store.DB) error {
				_, _, err := db.RotateLogin(t.Context(), signin.ID(id), 1, "192.0.2.1", noon, noon)
				return err
			},
			"audit trail of a user": func(db *store.DB) error { _, err := db.AuditOf(t.Context(), id, 50); return err },
			"unchained events":      func(db *store.DB) error { _, err := db.UnchainedEvents(t.Context(), 50); return err },
			"count of unchained":    func(db *store.DB) error { _, _, err := db.CountUnchained(t.Context()); return err },
			"accounts in Nextcloud": func(db *store.DB) error {
				_, err := db.NextcloudAccounts(t.Context(), "", store.Page{Limit: 51})
				return err
			},
			"accounts in Nextcloud by status": func(db *store.DB) error {
				_, err := db.NextcloudAccounts(t.Context(), desired.Failed, store.Page{Limit: 51})
				return err
			},
			"account by id in Nextcloud": func(db *store.DB) error {
				_, _, err := db.NextcloudAccountByID(t.Context(), "x")
				return notFoundIsNil(err)
			},
			"taken ids in Nextcloud": func(db *store.DB) error {
				_, err := db.TakenNextcloudIDs(t.Context(), []string{"x", "y"})
				return err
			},
			"reserved id in Nextcloud": func(db *store.DB) error {
				_, _, err := db.ReserveNextcloudID(t.Context(), id, "lease", "x", noon)
				return err
			},
			"lease of accounts in Nextcloud": func(db *store.DB) error {
				_, err := db.LeaseNextcloud(t.Context(), "lease", noon, noon, 8)
				return err
			},
			"end of leases":        func(db *store.DB) error { return db.ReleaseNextcloudLeases(t.Context(), "lease") },
			"backlog of Nextcloud": func(db *store.DB) error { _, err := db.NextcloudBacklog(t.Context(), noon); return err },
			"due in Nextcloud":     func(db *store.DB) error { _, err := db.NextcloudDue(t.Context(), noon); return err },
			"expired logins":       func(db *store.DB) error { _, err := db.DeleteExpiredLogins(t.Context(), noon); return err },
			"expired challenges":   func(db *store.DB) error { return db.DeleteExpiredChallenges(t.Context(), noon) },
			"expired link tokens":  func(db *store.DB) error { _, err := db.DeleteExpiredLinkTokens(t.Context(), noon); return err },
			"old mails":            func(db *store.DB) error { _, err := db.DeleteOldMails(t.Context(), noon); return err },
			"held passwords":       func(db *store.DB) error { _, err := db.EraseHeldPasswords(t.Context(), noon); return err },
			"held accounts":        func(db *store.DB) error { return db.ReleaseAllNextcloud(t.Context()) },
			"sweep of limits":      func(db *store.DB) error { return db.RateLimits().Sweep(t.Context(), noon) },
			"audit trail": func(db *store.DB) error {
				_, err := db.NamedEvents(t.Context(), store.AuditFilter{Limit: 51})
				return err
			},
			"audit trail of a user, of two names, in a time": func(db *store.DB) error {
				_, err := db.NamedEvents(t.Context(), store.AuditFilter{
					User: id, Names: []audit.Name{audit.LoggedIn, audit.LoginFailed}, Since: noon, Until: noon.Add(time.Hour), Limit: 51,
				})
				return err
			},
			"audit trail since": func(db *store.DB) error {
				_, err := db.AuditEvents(t.Context(), store.AuditFilter{Since: noon, Limit: 50})
				return err
			},
			"oldest without account in Nextcloud": func(db *store.DB) error {
				_, err := db.OldestUnprovisioned(t.Context())
				return err
			},
		} {
			plan, err := store.Explain(db, run)
			if err != nil || plan == "" {
				t.Errorf("%s: %v", what, err)
			}
			line := wholeTable.FindString(plan)
			// The first holds few rows, and the second only those that the statement changes.
			if strings.HasSuffix(line, "INDEX users_admins_idx") || strings.HasSuffix(line, "INDEX nextcloud_accounts_held_idx") {
				line = ""
			}
			if line != "" {
				t.Errorf("%s: %s\n%s", what, line, plan)
			}
		}
	})
}

func notFoundIsNil(err error) error {
	if errors.Is(err, account.ErrNotFound) {
		return nil
	}
	return err
}
