package postgres_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/postgres"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestFailures checks the meaning of each way to lose a server: whether it is temporary,
// and whether the statement may have taken effect.
func TestFailures(t *testing.T) {
	t.Parallel()
	state := func(code string) error { return &pgconn.PgError{Severity: "FATAL", Code: code} }
	network := func(errno syscall.Errno) error {
		return &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", errno)}
	}
	for _, tt := range []struct {
		name                string
		err                 error
		unavailable, undone bool
	}{
		{"connection closed", io.EOF, true, false},
		{"connection closed within a message", io.ErrUnexpectedEOF, true, false},
		{"reset", network(syscall.ECONNRESET), true, false},
		{"broken pipe", network(syscall.EPIPE), true, false},
		{"timed out by the kernel", network(syscall.ETIMEDOUT), true, false},
		{"closed locally", net.ErrClosed, true, false},
		{"context deadline", context.DeadlineExceeded, true, false},
		{"read deadline", os.ErrDeadlineExceeded, true, false},
		{"retried by database/sql", driver.ErrBadConn, true, true},
		{"admin_shutdown", state("57P01"), true, true},
		{"crash_shutdown", state("57P02"), true, true},
		{"cannot_connect_now", state("57P03"), true, true},
		{"query_canceled, by a statement_timeout", state("57014"), true, true},
		{"too_many_connections", state("53300"), true, true},
		{"disk_full", state("53100"), true, true},
		{"io_error", state("58030"), true, true},
		{"read_only_sql_transaction, after a failover", state("25006"), true, true},
		{"feature_not_supported, from a standby that is asked for a serializable transaction", state("0A000"), true, true},
		{"idle_in_transaction_session_timeout", state("25P03"), true, true},
		{"lock_not_available", state("55P03"), true, true},
		{"connection_failure, from a pooler", state("08006"), true, false},
		{"protocol_violation, from PgBouncer", state("08P01"), true, false},
		{"transaction_resolution_unknown", state("08007"), true, false},
		{"statement_completion_unknown", state("40003"), true, false},
		{"unique_violation", state("23505"), false, true},
		{"serialization_failure", state("40001"), false, true},
		{"syntax_error", state("42601"), false, true},
		{"canceled by the caller", context.Canceled, false, false},
		{"a programming error", errors.New("scan"), false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := fmt.Errorf("some statement: %w", tt.err)
			if got := postgres.Unavailable(err); got != tt.unavailable {
				t.Errorf("Unavailable = %t", got)
			}
			if got := postgres.Undone(err); got != tt.undone {
				t.Errorf("Undone = %t", got)
			}
		})
	}
}

// A transaction that times out may reach pgx before database/sql notices. pgx sends
// nothing then, so the outcome is known.
func TestUndone_CommitThatWasNotSent(t *testing.T) {
	t.Parallel()
	tx, err := connect(t, storetest.PostgresURL(t)).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	err = tx.Commit(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want context.DeadlineExceeded", err)
	}
	if !postgres.Unavailable(err) || !postgres.Undone(err) {
		t.Errorf("%v: Unavailable = %t, Undone = %t; want both true", err, postgres.Unavailable(err), postgres.Undone(err))
	}
}

// A name may still lead to a server that became a standby in a failover.
func TestStandby_IsUnavailable(t *testing.T) {
	t.Parallel()
	db := storetest.OpenPostgres(t, storetest.NewPair(t).StandbyURL())
	defer db.Close()
	for what, change := range map[string]func() error{
		"transaction": func() error { return db.Update(t.Context(), func(*store.Tx) error { return nil }) },
		"statement":   func() error { _, err := db.RecheckNextcloud(t.Context(), time.Unix(0, 0)); return err },
	} {
		if err := change(); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("a %s on a standby: got %v, want %v", what, err, store.ErrUnavailable)
		}
	}
}

// Under the simple protocol, database/sql would repeat a statement after losing its
// response.
func TestRead_RejectsTheSimpleProtocol(t *testing.T) {
	t.Parallel()
	env := config.Map(map[string]string{"DATABASE_URL": "postgres://h/db?default_query_exec_mode=simple_protocol"})
	if setting.Of[postgres.Settings](env); env.Err() == nil {
		t.Error("the simple protocol is accepted")
	}
}
