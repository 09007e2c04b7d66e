package migrate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/voiceassist/gateway/shared/faas/faastest"
	"github.com/voiceassist/gateway/shared/faas/secrets/secretstest"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(faastest.Run(withCluster{m})) }

// withCluster runs the tests while a PostgreSQL server is available.
type withCluster struct{ m *testing.M }

func (w withCluster) Run() int { return storetest.Run(w.m) }

// A deployment is the function as deployed, the stack that invokes it and its database.
type deployment struct {
	*faastest.Process

	stack *faastest.Stack
	url   string
	conn  *pgx.Conn
}

// empty returns the URL of a database without a schema.
func empty(t *testing.T) string {
	t.Helper()
	return storetest.FromTemplate(t, func(context.Context, string) error { return nil })
}

// deploy starts the function on the database. It reads the URL from variable.
func deploy(t *testing.T, variable, dsn string, env ...string) *deployment {
	t.Helper()
	d := &deployment{stack: faastest.NewStack(t), url: dsn}
	env = append(append(env, variable+"="+dsn), d.stack.Env()...)
	d.Process = faastest.Start(t, faastest.Build(t, "./bootstrap"), env...)
	if e := d.InitError(); e != nil {
		t.Fatalf("init error: %v", e)
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	d.conn = conn
	return d
}

// ask returns a summary of the answer to the stack.
func (d *deployment) ask(ctx context.Context, t *testing.T, kind, version string) string {
	t.Helper()
	properties := map[string]any{"ServiceToken": "arn:aws:lambda:eu-central-1:123456789012:function:migrate"}
	if version != "" {
		properties["SchemaVersion"] = version
	}
	if b, err := d.Invoke(ctx, d.stack.Request(t, kind, properties)); err != nil || string(b) != "null" {
		t.Errorf("Invoke = %s, %v; want null", b, err)
	}
	select {
	case a := <-d.stack.Responses():
		return strings.TrimSpace(fmt.Sprintf("%s %s%s %s", a.Status, a.Reason, a.Data["SchemaVersion"], a.Data["Applied"]))
	default:
		return "no answer"
	}
}

// exec runs SQL on the database.
func (d *deployment) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := d.conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// schema returns the version of the schema and the number of tables.
func (d *deployment) schema(t *testing.T) (version, tables int) {
	t.Helper()
	err := d.conn.QueryRow(t.Context(), `
		SELECT (SELECT max(version_id) FROM goose_db_version WHERE is_applied),
			(SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public')`).Scan(&version, &tables)
	if err != nil {
		t.Fatal(err)
	}
	return version, tables
}

var newest = strconv.Itoa(store.SchemaVersion)

func done(version, applied any) string { return fmt.Sprintf("SUCCESS %v %v", version, applied) }

func TestMigrate_AppliesMigrationsForAStack(t *testing.T) {
	t.Parallel()
	d := deploy(t, "DATABASE_URL", empty(t))
	for _, tt := range []struct{ name, kind, version, want string }{
		{"deleted before it was created", "Delete", "", "SUCCESS"},
		{"created", "Create", newest, done(newest, newest)},
		{"created again, as CloudFormation does after a failure", "Create", newest, done(newest, 0)},
		{"updated", "Update", newest, done(newest, 0)},
		{"updated by a stack that needs an older schema: a rollback", "Update", "1", done(newest, 0)},
		{"updated by a stack without a version", "Update", "", done(newest, 0)},
		{"a newer schema than the function knows", "Update", "999", "FAILED the stack needs version 999 of the schema, and this " +
			"function knows version " + newest + ": deploy its code with the stack"},
		{"no version", "Update", "newest", "FAILED the property SchemaVersion is no whole number"},
		{"deleted", "Delete", newest, "SUCCESS"},
	} {
		if got := d.ask(t.Context(), t, tt.kind, tt.version); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
	if v, tables := d.schema(t); v != store.SchemaVersion || tables < 5 {
		t.Errorf("version %d with %d tables after the deletion; want the schema unchanged", v, tables)
	}
}

func TestMigrate_ManualActions(t *testing.T) {
	t.Parallel()
	d := deploy(t, "MIGRATE_DATABASE_URL", empty(t), "DATABASE_URL=postgres://pooler.invalid/x")
	invoke := func(action string) string {
		b, err := d.Invoke(t.Context(), []byte(`{"action":"`+action+`"}`))
		if err != nil {
			return err.Error()
		}
		return string(b)
	}
	status := func() (version, needs, applied, known int) {
		var s struct {
			Version, Needs int
			Steps          []struct{ Applied bool }
		}
		if err := json.Unmarshal([]byte(invoke("status")), &s); err != nil {
			t.Fatal(err)
		}
		for _, step := range s.Steps {
			if step.Applied {
				applied++
			}
		}
		return s.Version, s.Needs, applied, len(s.Steps)
	}
	if v, needs, applied, known := status(); v != 0 || needs != store.SchemaVersion || applied != 0 || known != store.SchemaVersion {
		t.Errorf("before: version %d of %d, %d of %d steps", v, needs, applied, known)
	}
	if got, want := invoke("up"), `{"applied":`+newest+`,"version":`+newest+`}`; got != want {
		t.Errorf("up = %s, want %s", got, want)
	}
	if got, want := invoke("up"), `{"applied":0,"version":`+newest+`}`; got != want {
		t.Errorf("up again = %s, want %s", got, want)
	}
	if v, _, applied, known := status(); v != store.SchemaVersion || applied != known {
		t.Errorf("after: version %d, %d of %d steps", v, applied, known)
	}
	if got, want := invoke("down"), `Function.CommandFailed: the action is none; there are "up" and "status"`; got != want {
		t.Errorf("down = %s, want %s", got, want)
	}
}

func TestMigrate_ReportsDuplicateAddresses(t *testing.T) {
	t.Parallel()
	d := deploy(t, "MIGRATE_DATABASE_URL", empty(t))
	if _, err := d.Invoke(t.Context(), []byte(`{"action":"up"}`)); err != nil {
		t.Fatal(err)
	}
	keeper, twin := account.NewID(), account.NewID()
	for id, email := range map[account.ID]string{keeper: "bob@xn--bcher-kva.example", twin: "bob@bücher.example"} {
		d.exec(t, `INSERT INTO users (id, email, full_name, role, preferences, password_hash, search, created_at, updated_at)
			VALUES ($1, $2, '', 'user', '{}', '', '', now(), now())`, string(id), email)
	}
	got, err := d.Invoke(t.Context(), []byte(`{"action":"up"}`))
	want := `{"applied":0,"version":` + newest + `,"twins":[{"account":"` + string(twin) + `","keeper":"` + string(keeper) + `"}]}`
	if err != nil || string(got) != want {
		t.Errorf("up = %s, %v, want %s", got, err, want)
	}
}

// A failed migration rolls back completely; once its cause is fixed, the next call continues.
func TestMigrate_FailureRollsBack(t *testing.T) {
	t.Parallel()
	d := deploy(t, "DATABASE_URL", empty(t))
	d.exec(t, "CREATE TABLE audit_events (in_the_way int)") // the last table of the first migration
	got := d.ask(t.Context(), t, "Create", newest)
	if !strings.HasPrefix(got, "FAILED migrate up: ") || !strings.Contains(got, `"audit_events" already exists`) {
		t.Errorf("got %s, want the failure reported", got)
	}
	if v, tables := d.schema(t); v != 0 || tables != 2 { // goose's own, and the one in the way
		t.Errorf("version %d with %d tables; want no change", v, tables)
	}
	if strings.ContainsAny(got, "\n") {
		t.Errorf("the reason has several lines: %q", got)
	}
	d.exec(t, "DROP TABLE audit_events")
	if got, want := d.ask(t.Context(), t, "Update", newest), done(newest, newest); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// An older function, as after a rollback, with a schema that a newer one migrated.
func TestMigrate_AcceptsANewerSchema(t *testing.T) {
	t.Parallel()
	d := deploy(t, "DATABASE_URL", storetest.PostgresURL(t))
	d.exec(t, "INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, true)", store.SchemaVersion+1)
	if got, want := d.ask(t.Context(), t, "Update", newest), done(store.SchemaVersion+1, 0); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestMigrate_ConcurrentRunsApplyOnce(t *testing.T) {
	t.Parallel()
	dsn := empty(t)
	var (
		all     sync.WaitGroup
		answers = make([]string, 3)
	)
	for i := range answers {
		d := deploy(t, "DATABASE_URL", dsn)
		all.Go(func() { answers[i] = d.ask(t.Context(), t, "Create", newest) })
	}
	all.Wait()
	total := 0
	for _, a := range answers {
		applied, err := strconv.Atoi(a[strings.LastIndexByte(a, ' ')+1:])
		if err != nil || !strings.HasPrefix(a, "SUCCESS "+newest) {
			t.Errorf("an answer is %s", a)
		}
		total += applied
	}
	if total != store.SchemaVersion {
		t.Errorf("%v: %d migrations applied in total, want %d", answers, total, store.SchemaVersion)
	}
}

// lockID is the key of goose's advisory lock.
const lockID = 4097083626

// Another session holds the lock until the function times out. The function must report that
// to the stack and must not block later calls.
func TestMigrate_TimeoutIsReportedAndCanBeRetried(t *testing.T) {
	t.Parallel()
	d := deploy(t, "DATABASE_URL", empty(t))
	d.exec(t, "SELECT pg_advisory_lock($1)", lockID)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if got := d.ask(ctx, t, "Create", newest); !strings.HasPrefix(got, "FAILED migrate up: waiting for another migration, which process ") ||
		!strings.Contains(got, "context deadline exceeded") {
		t.Errorf("got %s, want a timeout that names the blocker", got)
	}
	if !strings.Contains(d.Log(), `"message":"waiting for another migration`) {
		t.Errorf("the log does not name the blocker: %s", d.Log())
	}
	d.exec(t, "SELECT pg_advisory_unlock($1)", lockID)
	if got, want := d.ask(t.Context(), t, "Create", newest), done(newest, newest); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestMigrate_ReadsTheDatabaseFromASecret(t *testing.T) {
	t.Parallel()
	server := secretstest.New(t)
	dsn := empty(t)
	wrong, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	wrong.Host, wrong.User = "127.0.0.1:1", url.UserPassword("gateway", "hunter2")
	server.Put(t, "own", map[string]string{"DATABASE_URL": wrong.String()})
	server.Put(t, "app", map[string]string{"DATABASE_URL": "postgres://pooler.invalid/x"})
	d := deploy(t, "UNUSED", dsn, server.Env("own", "app")...)
	got := d.ask(t.Context(), t, "Create", newest)
	if !strings.HasPrefix(got, "FAILED migrate up: ") || !strings.Contains(got, "127.0.0.1") {
		t.Errorf("no server: got %s", got)
	}
	if strings.Contains(got+d.Log(), "hunter2") {
		t.Errorf("the password appears in %s or in %s", got, d.Log())
	}
	server.Put(t, "own", map[string]string{"MIGRATE_DATABASE_URL": dsn})
	e := deploy(t, "UNUSED", dsn, server.Env("own", "app")...)
	if got, want := e.ask(t.Context(), t, "Create", newest), done(newest, newest); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestMigrate_WithoutADatabaseFails(t *testing.T) {
	t.Parallel()
	d := deploy(t, "UNUSED", empty(t))
	const want = "FAILED open: DATABASE_URL is not set; it must be postgres://user:password@host:5432/name?sslmode=verify-full"
	if diff := cmp.Diff(want, d.ask(t.Context(), t, "Create", newest)); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}
