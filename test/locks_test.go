package test_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/voiceassist/gateway/shared/store/sqlite"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestLockedSQLite holds the lock of the embedded database in another process until every
// request has been answered.
func TestLockedSQLite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, dir, nil)
	register := func(n int) string {
		return fmt.Sprintf(`{"email":"user%d@example.org","password":%q}`, n, storePassword)
	}
	if !call(p, "POST", "/api/auth/register", "", register(0), nil) {
		t.Fatal("the registration failed")
	}
	var pair struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	call(p, "POST", "/api/auth/login", "", register(0), &pair)
	requests := []struct {
		method, path, body   string
		locked, free, access int
	}{
		{"POST", "/api/auth/register", register(1), 503, 200, 0},
		{"POST", "/api/auth/login", register(0), 503, 200, 0},
		{"POST", "/api/auth/refresh", fmt.Sprintf(`{"refresh_token":%q}`, pair.Refresh), 503, 200, 0},
		{"POST", "/api/sessions", `{"title":"t"}`, 503, 201, 1},
		{"PATCH", "/api/users/me", `{"full_name":"Ada"}`, 503, 200, 1},
		{"GET", "/api/users/me", "", 200, 200, 1},
		{"GET", "/api/users/me/logins", "", 200, 200, 1},
	}
	ask := func(locked bool) {
		var all sync.WaitGroup
		for _, q := range requests {
			all.Go(func() {
				r, err := http.NewRequestWithContext(t.Context(), q.method, p.https+q.path, strings.NewReader(q.body))
				if err != nil {
					t.Error(err)
					return
				}
				if q.body != "" {
					r.Header.Set("Content-Type", "application/json")
				}
				if q.access == 1 {
					r.Header.Set("Authorization", "Bearer "+pair.Access)
				}
				resp, err := p.client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				text, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Error(err)
				}
				want := q.free
				if locked {
					want = q.locked
				}
				var problem struct{ Code string }
				if resp.StatusCode == 503 {
					json.Unmarshal(text, &problem)
				}
				if resp.StatusCode != want || want == 503 && (problem.Code != "database_unavailable" || resp.Header.Get("Retry-After") == "") {
					t.Errorf("locked %t: %s %s got %d %s, want %d", locked, q.method, q.path, resp.StatusCode, text, want)
				}
			})
		}
		all.Wait()
	}
	db, err := sqlite.Open(filepath.Join(dir, "gateway.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Handle().BeginTx(t.Context(), &sql.TxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ask(true)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	ask(false)
}

// TestMigrateUp_ReportsTheObstacle runs the command as an operator does.
func TestMigrateUp_ReportsTheObstacle(t *testing.T) {
	t.Parallel()
	url := storetest.FromTemplate(t, func(context.Context, string) error { return nil })
	up := func(url string, args ...string) (output string, code int) {
		return command(t, t.TempDir(), "", []string{"DATABASE_URL=" + url}, append([]string{"migrate", "up"}, args...)...)
	}
	out, code := up(storetest.Pooler(t, url))
	if code != 1 || strings.Count(out, "\n") != 1 || !strings.Contains(out, "PgBouncer") || !strings.Contains(out, "set MIGRATE_DATABASE_URL") {
		t.Errorf("through a pooler: exit code %d, %s", code, out)
	}
	other, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(t.Context())
	if _, err := other.Exec(t.Context(), "SELECT pg_advisory_lock(4097083626)"); err != nil {
		t.Fatal(err)
	}
	const waits = "waiting for another migration, which process "
	out, code = up(url, "--wait", "2s")
	if code != 1 || !strings.HasPrefix(out, waits) || !strings.Contains(out, "migrate up: "+waits) {
		t.Errorf("during another migration: exit code %d, %s", code, out)
	}
	if _, err := other.Exec(t.Context(), "SELECT pg_advisory_unlock(4097083626)"); err != nil {
		t.Fatal(err)
	}
	if out, code := up(url); code != 0 || !strings.Contains(out, "migrations applied") {
		t.Errorf("after the other migration: exit code %d, %s", code, out)
	}
}

// TestFirstStart_OfSeveralProcesses starts several processes on a folder that does not
// exist.
func TestFirstStart_OfSeveralProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			out, code := command(t, dir, "", []string{"DATA_DIR=" + filepath.Join(dir, "data")}, "audit", "list")
			if code != 0 {
				t.Errorf("exit code %d: %s", code, out)
			}
		})
	}
	all.Wait()
}
