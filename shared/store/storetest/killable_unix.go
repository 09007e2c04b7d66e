//go:build unix

package storetest

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/voiceassist/gateway/shared/foundation/porttest"
)

// A Killable is a PostgreSQL server for one test, with one migrated database. It
// can be killed and started again. As in production, what it has committed
// survives.
type Killable struct {
	tb   testing.TB
	who  identity
	bin  string // where its programs are
	dir  string
	url  *url.URL
	stop func() // nil while it does not run

	settings []string
}

// NewKillable starts the server; it ends with tb.
func NewKillable(tb testing.TB) *Killable {
	tb.Helper()
	return newKillable(tb, fast()...)
}

func newKillable(tb testing.TB, settings ...string) *Killable {
	tb.Helper()
	k := &Killable{tb: tb, settings: settings}
	var err error
	if k.bin, err = programs(); err == nil {
		k.who, err = serverUser()
	}
	if err == nil {
		k.dir, err = os.MkdirTemp("", "voiceassist-killable-")
	}
	if err == nil {
		tb.Cleanup(func() {
			k.Kill()
			os.RemoveAll(k.dir)
		})
		k.url, err = k.who.initialize(k.bin, k.dir, porttest.Address(tb))
	}
	if err != nil {
		tb.Fatalf("PostgreSQL to kill: %v", err)
	}
	k.Start()
	if err := migrate(tb.Context(), k.URL()); err != nil {
		tb.Fatalf("migrate the database: %v", err)
	}
	return k
}

// URL returns the URL of the database, which is the same after every start.
func (k *Killable) URL() string { return k.url.String() }

// Start starts the server again and returns when it accepts connections.
func (k *Killable) Start() {
	k.tb.Helper()
	run, err := os.MkdirTemp(k.dir, "run-") // removed after the run; the cluster stays
	if err == nil {
		err = k.who.own(run)
	}
	if err == nil {
		k.stop, err = k.who.startPostgres(k.bin, k.dir, run, k.url.Port(), k.settings...)
	}
	if err != nil {
		k.tb.Fatalf("start PostgreSQL again: %v", err)
	}
}

// Kill ends the server with SIGKILL, and with it all its sessions: without notice and
// without writing anything. It returns when their processes have ended.
func (k *Killable) Kill() {
	if k.stop == nil {
		return
	}
	if process, err := k.process(); err == nil { // else it has ended
		_ = syscall.Kill(process, syscall.SIGKILL)
	}
	k.stop()
	k.stop = nil
}

// process returns the id of the server's first process, which is the first line of its
// lock file. The others end when it does.
func (k *Killable) process() (int, error) {
	text, err := os.ReadFile(filepath.Join(dataOf(k.dir), "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strconv.Atoi(line)
}

// KillSession kills the process of one session, as the system does when memory
// runs out. PostgreSQL then ends all others, recovers and continues.
func (k *Killable) KillSession() {
	k.tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(k.tb.Context()), opTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, k.URL())
	if err != nil {
		k.tb.Fatalf("connect to kill a session: %v", err)
	}
	defer conn.Close(ctx)
	var process int
	err = conn.QueryRow(ctx, `
		SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
		ORDER BY state_change DESC LIMIT 1`).Scan(&process)
	if err == nil {
		err = syscall.Kill(process, syscall.SIGKILL)
	}
	if err == nil {
		// This session ends, too; else the next one might come before the others end.
		_, err = conn.WaitForNotification(ctx)
		if err != nil && ctx.Err() == nil {
			err = nil
		}
	}
	if err = errors.Join(err, ctx.Err()); err != nil {
		k.tb.Fatalf("kill a session: %v", err)
	}
}
