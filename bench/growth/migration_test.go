package growth_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/voiceassist/gateway/bench/seed"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/migrations"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// released is the schema version of the first release, whose databases may be large.
const released = 16

// maxStall is how long a migration may keep a request waiting.
const maxStall = 2 * time.Second

// TestMigration migrates a database of the first release while clients read and write, and
// reports how long the slowest statement of each took. With MIGRATION=1 it has a million
// users, and otherwise as many as show that all statements work.
func TestMigration(t *testing.T) {
	users := 2000
	if os.Getenv("MIGRATION") != "" {
		users = many
	} else {
		t.Parallel()
	}
	if testing.Short() {
		return // it needs PostgreSQL
	}
	db := storetest.Postgres(t)
	now := time.Now()
	fill(t, db, users, now)
	p, err := goose.NewProvider(goose.DialectPostgres, db.Handle(), os.DirFS("../../shared/store/migrations/postgres"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.DownTo(t.Context(), released); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Handle().ExecContext(t.Context(), `VACUUM ANALYZE`); err != nil {
		t.Fatal(err)
	}
	plan, err := migrations.Plan(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	var estimate time.Duration
	for _, m := range plan {
		for _, c := range m.Changes {
			estimate += c.Takes
		}
	}
	load := startLoad(t, db.Handle(), users, now)
	begin, last := time.Now(), time.Now()
	n, err := migrations.Up(t.Context(), db, migrations.LockWait{Applied: func(name string) {
		t.Logf("%8s  %s", time.Since(last).Round(time.Millisecond), name)
		if last = time.Now(); name == plan[len(plan)-1].Name {
			load.report(t, "during the migrations")
		}
	}})
	took := time.Since(begin)
	if err != nil || n != store.SchemaVersion-released {
		t.Fatalf("%d migrations, %v", n, err)
	}
	t.Logf("%8s  code: the search index", time.Since(last).Round(time.Millisecond))
	t.Logf("%d users: %s in all, estimated %s", users, took.Round(time.Millisecond), estimate.Round(time.Millisecond))
	load.stop()
	for name, stall := range load.report(t, "until the end") {
		if stall.longest > maxStall || stall.count == 0 {
			t.Errorf("%s: %d statements, and one waited for %v; want at most %v", name, stall.count, stall.longest, maxStall)
		}
	}
	if plan, err := migrations.Plan(t.Context(), db); err != nil || len(plan) > 0 {
		t.Errorf("the plan is now %v, %v", plan, err)
	}
}

// A load is a client for each of some statements, which all releases make.
type load struct {
	end    context.CancelFunc
	ended  sync.WaitGroup
	mu     sync.Mutex
	stalls map[string]stall
}

// A stall is the longest time that a statement took, of so many.
type stall struct {
	longest time.Duration
	count   int
}

// startLoad starts the clients. Each uses a connection of its own, and rests for as long
// as its statement took.
func startLoad(t *testing.T, db *sql.DB, users int, now time.Time) *load {
	t.Helper()
	db.SetMaxOpenConns(0)
	ctx, end := context.WithCancel(t.Context())
	l := &load{end: end, stalls: map[string]stall{}}
	ofUser := func(n int) any { return string(seed.User(n, users, now)) }
	ofLogin := func(n int) any { return string(seed.Login(n, users, now)) }
	for name, of := range map[string]struct {
		statement string
		id        func(n int) any // $1
	}{
		"read of an account":          {`SELECT u.email, l.counter FROM users u JOIN logins l ON l.user_id = u.id WHERE u.id = $1 LIMIT 1`, ofUser},
		"refresh of a login":          {`UPDATE logins SET counter = counter + 1 WHERE id = $1`, ofLogin},
		"change of an account":        {`UPDATE users SET updated_at = now() WHERE id = $1`, ofUser},
		"update of a Nextcloud entry": {`UPDATE nextcloud_accounts SET seen_at = now() WHERE user_id = $1`, ofUser},
		"new account": {`INSERT INTO users (id, email, full_name, role, preferences, password_hash, search, created_at, updated_at)
			SELECT id, id || '@example.com', '', 'user', '{}', '', 'new', now(), now() FROM (SELECT gen_random_uuid() AS id) AS new WHERE $1::uuid IS NOT NULL`, ofUser},
		"new login": {`INSERT INTO logins (id, user_id, counter, device, address, created_at, rotated_at, expires_at)
			SELECT gen_random_uuid(), $1, 0, '', '', now(), now(), now() + interval '1 day'`, ofUser},
	} {
		l.ended.Go(func() {
			for n := 1; ctx.Err() == nil; n++ {
				begin := time.Now()
				result, err := db.ExecContext(ctx, of.statement, of.id(1+n*7919%users))
				took := time.Since(begin)
				if ctx.Err() != nil {
					return
				}
				if err == nil {
					var rows int64
					if rows, err = result.RowsAffected(); rows != 1 {
						err = fmt.Errorf("%d rows, %w", rows, err)
					}
				}
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				l.note(name, took)
				<-time.After(min(max(took, time.Millisecond), 10*time.Millisecond))
			}
		})
	}
	return l
}

func (l *load) note(name string, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stalls[name]
	l.stalls[name] = stall{max(s.longest, took), s.count + 1}
}

// stop ends the clients.
func (l *load) stop() {
	l.end()
	l.ended.Wait()
}

// report logs what the clients found so far, and returns it.
func (l *load) report(t *testing.T, when string) map[string]stall {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, s := range l.stalls {
		t.Logf("%8s  longest %s %s (%d statements)", s.longest.Round(time.Millisecond), name, when, s.count)
	}
	return maps.Clone(l.stalls)
}
