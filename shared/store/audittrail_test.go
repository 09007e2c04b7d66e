package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// happened stores an event that began at the given time, a second before it got its id.
func happened(t *testing.T, db *store.DB, name audit.Name, user account.ID, at time.Time) audit.Event {
	t.Helper()
	e := audit.New(name, user, audit.Origin{Address: "192.0.2.7"}, kept(at))
	e.ID = uid.Since(at.Add(time.Second))[:24] + e.ID[24:]
	if err := db.Audit(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return e
}

// TestAuditEvents_Filters combines all filters, and compares the result with what a loop
// selects.
func TestAuditEvents_Filters(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		users := []account.ID{"", account.NewID(), account.NewID()}
		names := []audit.Name{audit.LoggedIn, audit.LoginFailed, audit.RoleChanged}
		var all []audit.Event
		for i := range 60 {
			all = append(all, happened(t, db, names[i%len(names)], users[i*7%len(users)], noon.Add(time.Duration(i)*time.Minute)))
		}
		slices.Reverse(all)
		times := []time.Time{{}, kept(noon).Add(20 * time.Minute), kept(noon).Add(40*time.Minute + time.Microsecond)}
		for _, names := range [][]audit.Name{nil, names[:1], names[:2], {audit.Deleted}} {
			for _, user := range users {
				for _, since := range times {
					for _, until := range times {
						for _, before := range []string{"", all[5].ID} {
							f := store.AuditFilter{User: user, Names: names, Since: since, Until: until, Before: before, Limit: 7}
							want := []audit.Event{}
							for _, e := range all {
								if (user == "" || e.User == user) && (names == nil || slices.Contains(names, e.Name)) && !e.At.Before(since) &&
									(until.IsZero() || e.At.Before(until)) && (before == "" || e.ID < before) && len(want) < f.Limit {
									want = append(want, e)
								}
							}
							got, err := db.AuditEvents(t.Context(), f)
							if diff := cmp.Diff(want, got); diff != "" || err != nil {
								t.Errorf("%+v: %v (-want +got):\n%s", f, err, diff)
							}
						}
					}
				}
			}
		}
	})
}

// TestNamedEvents_HaveAddresses checks the addresses of accounts that exist, have changed,
// and are gone.
func TestNamedEvents_HaveAddresses(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ada, root := named(t, db, 1, "Ada"), named(t, db, 2, "Root")
		e := audit.New(audit.Disabled, ada.ID, audit.Origin{}, noon)
		e.Actor = root.ID
		if err := db.Audit(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		happened(t, db, audit.LoginFailed, "", noon)
		addresses := func() string {
			list, err := db.NamedEvents(t.Context(), store.AuditFilter{Limit: 10})
			if err != nil || len(list) != 2 {
				t.Fatalf("got %d events, %v", len(list), err)
			}
			return fmt.Sprintf("%s by %s, %s by %s", list[0].UserEmail, list[0].ActorEmail, list[1].UserEmail, list[1].ActorEmail)
		}
		if got, want := addresses(), fmt.Sprintf("%s by %s,  by ", ada.Email, root.Email); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			return tx.DeleteAccount(t.Context(), tx.Operator(), ada.ID)
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := addresses(), fmt.Sprintf(" by %s,  by ", root.Email); got != want {
			t.Errorf("after the deletion: got %s, want %s", got, want)
		}
	})
}

// TestAuditEvents_CostTheSameAtAnyDepth reads pages of a trail with many events of one user,
// whose rare event is the oldest. PostgreSQL counts the rows that it reads; SQLite says
// which index it uses.
func TestAuditEvents_CostTheSameAtAnyDepth(t *testing.T) {
	t.Parallel()
	const (
		limit  = 51
		ofName = "audit_events_event_id_idx ((event,id)>(?,?) AND (event,id)<(?,?))"
		ofBoth = "audit_events_user_id_event_id_idx ((user_id,event,id)>(?,?,?) AND (user_id,event,id)<(?,?,?))"
	)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		user := account.NewID()
		rare := happened(t, db, audit.RoleChanged, user, noon)
		deep := longTrail(t, db, user)
		logins, roles := []audit.Name{audit.LoggedIn, audit.LoginFailed}, []audit.Name{audit.RoleChanged}
		for what, test := range map[string]struct {
			f     store.AuditFilter
			index string // of SQLite
		}{
			"first page":              {store.AuditFilter{}, "(id>? AND id<?)"},
			"deep":                    {store.AuditFilter{Before: deep}, "(id>? AND id<?)"},
			"of a user, deep":         {store.AuditFilter{User: user, Before: deep}, "audit_events_user_id_id_idx ((user_id,id)>(?,?) AND (user_id,id)<(?,?))"},
			"of two names, deep":      {store.AuditFilter{Names: logins, Before: deep}, ofName},
			"of a user and two names": {store.AuditFilter{User: user, Names: logins, Before: deep}, ofBoth},
			"behind a flood":          {store.AuditFilter{Names: logins[:1]}, ofName},
			"rare event":              {store.AuditFilter{Names: roles}, ofName},
			"rare event of a user":    {store.AuditFilter{User: user, Names: roles}, ofBoth},
			"of another user":         {store.AuditFilter{User: account.NewID(), Names: logins}, ofBoth},
			"before all others":       {store.AuditFilter{Until: noon.Add(-2 * time.Hour)}, "(id>? AND id<?)"},
			"after all others":        {store.AuditFilter{Since: noon.Add(48 * time.Hour)}, "(id>? AND id<?)"},
		} {
			test.f.Limit = limit
			read := func(db *store.DB) error { _, err := db.NamedEvents(t.Context(), test.f); return err }
			if db.Engine() == store.SQLite {
				plan, err := store.Explain(db, read)
				if err != nil || !strings.Contains(plan, test.index) || strings.Contains(plan, "SCAN audit_events") {
					t.Errorf("%s: %v, want %s:\n%s", what, err, test.index, plan)
				}
				continue
			}
			before := rowsRead(t, db)
			if err := read(db); err != nil {
				t.Fatal(err)
			}
			if n := rowsRead(t, db) - before; n > 4*limit {
				t.Errorf("%s: read %d rows for a page of %d", what, n, limit)
			}
		}
		got, err := db.AuditEvents(t.Context(), store.AuditFilter{User: user, Names: roles, Limit: limit})
		if err != nil || len(got) != 1 || got[0].ID != rare.ID {
			t.Errorf("rare event: got %v, %v", got, err)
		}
	})
}

// longTrail inserts 5,000 logins of the user and then 5,000 that failed, and returns the id
// of one of the oldest.
func longTrail(t *testing.T, db *store.DB, user account.ID) string {
	t.Helper()
	id := `printf('%s%08d', $1, n)`
	if db.Engine() == store.PostgreSQL {
		id = `CAST($1 || LPAD(CAST(n AS text), 8, '0') AS uuid)`
	}
	prefix := uid.Since(noon.Add(time.Minute))[:24]
	for i, name := range []audit.Name{audit.LoggedIn, audit.LoginFailed} {
		_, err := db.Handle().ExecContext(t.Context(), `
			WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 4999)
			INSERT INTO audit_events (id, at, event, user_id, address, device, correlation_id, detail)
			SELECT `+id+`, $2, $3, $4, '', '', '', '' FROM numbers`, fmt.Sprintf("%s%04d", prefix, i), noon, string(name), string(user))
		if err != nil {
			t.Fatal(err)
		}
	}
	if db.Engine() == store.PostgreSQL {
		if _, err := db.Handle().ExecContext(t.Context(), `VACUUM ANALYZE audit_events`); err != nil {
			t.Fatal(err)
		}
		db.Handle().SetMaxOpenConns(1) // see rowsRead
	}
	return prefix + "000000000200"
}

// rowsRead returns how many rows of the trail PostgreSQL has read so far, from the table or
// from an index. A process reports that with a delay, except on request, so all statements
// must share one connection.
func rowsRead(t *testing.T, db *store.DB) (n int64) {
	t.Helper()
	if _, err := db.Handle().ExecContext(t.Context(), `SELECT pg_stat_force_next_flush()`); err != nil {
		t.Fatal(err)
	}
	err := db.Handle().QueryRowContext(t.Context(), `
		SELECT seq_tup_read + (SELECT SUM(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'audit_events')
		FROM pg_stat_user_tables WHERE relname = 'audit_events'`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
