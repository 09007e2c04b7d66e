package postgres_test

import (
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/postgres"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

// TestPool_ReplacesDeadConnections cuts every connection of a pool in each way that the
// client can notice. The next statement succeeds at once, because no connection is idle
// long enough to be pinged.
func TestPool_ReplacesDeadConnections(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(t *testing.T, direct string, line *storetest.Line){
		"the server ends them": func(t *testing.T, direct string, _ *storetest.Line) { t.Helper(); terminate(t, direct) },
		"the line resets them": func(_ *testing.T, _ string, line *storetest.Line) { line.Reset() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			direct := storetest.PostgresURL(t)
			line := storetest.NewLine(t, direct)
			db := storetest.OpenPostgres(t, line.URL())
			defer db.Close()
			query := func() error {
				_, err := db.Accounts(t.Context(), store.Page{Limit: 1})
				return err
			}
			update := func() error {
				return db.Update(t.Context(), func(tx *store.Tx) error {
					_, err := tx.Accounts(t.Context(), store.Page{Limit: 1})
					return err
				})
			}
			if err := query(); err != nil {
				t.Fatal(err)
			}
			for what, statement := range map[string]func() error{"query": query, "transaction": update} {
				before := line.Connections()
				cut(t, direct, line)
				if err := statement(); err != nil {
					t.Errorf("first %s afterwards: %v", what, err)
				}
				if made := line.Connections() - before; made != 1 {
					t.Errorf("%d connections were opened, want 1 to replace the dead one", made)
				}
			}
		})
	}
}

// terminate ends all connections to the database but its own, and returns when they are
// gone.
func terminate(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	const wait = 5000 // ms
	tag, err := conn.Exec(t.Context(), `
		SELECT pg_terminate_backend(pid, $1) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()`, wait)
	if err != nil || tag.RowsAffected() == 0 {
		t.Fatalf("terminated %d connections, %v", tag.RowsAffected(), err)
	}
}

func TestLives_PingsOnceAndBriefly(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		idle time.Duration
		mute bool // the server does not answer
		want bool
	}{
		{"just used: no ping", 0, true, true},
		{"idle, server alive", 2 * postgres.PingAfter, false, true},
		{"idle, server silent", 2 * postgres.PingAfter, true, false},
		{"idle too long: no ping", postgres.ConnIdle, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			line := storetest.NewLine(t, storetest.PostgresURL(t))
			c := connect(t, line.URL())
			if tt.mute {
				line.Mute()
			}
			postgres.Rest(c, tt.idle)
			got := postgres.Lives(t.Context(), c)
			if got != tt.want || got == c.IsClosed() {
				t.Errorf("lives = %t, closed = %t; want %t", got, c.IsClosed(), tt.want)
			}
		})
	}
}

func TestHungUp(t *testing.T) {
	t.Parallel()
	direct := storetest.PostgresURL(t)
	c := connect(t, direct)
	if postgres.HungUp(c.PgConn().Conn()) {
		t.Error("HungUp = true for an idle connection")
	}
	terminate(t, direct)
	if !postgres.HungUp(c.PgConn().Conn()) {
		t.Error("HungUp = false for a connection that the server closed")
	}
}

// connect returns a connection configured as in the pool.
func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := stdlib.GetConnector(*config, postgres.Alive(new(postgres.PrimaryLoss))...).Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*stdlib.Conn).Conn()
}

// TestHungUp_DoesNotBlock checks a connection that another goroutine reads from, as
// pgx does in the background after a slow write.
func TestHungUp_DoesNotBlock(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	began := make(chan struct{})
	go func() {
		defer close(ended)
		close(began)
		c.Read(make([]byte, 1))
	}()
	<-began
	for range 100 { // the reader blocks by the last iteration at the latest
		runtime.Gosched()
		if postgres.HungUp(c) {
			t.Error("HungUp = true for a connection with a blocked reader")
		}
	}
	server.Close()
	<-ended
	c.Close()
}
