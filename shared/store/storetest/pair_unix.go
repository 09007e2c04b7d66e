//go:build unix

package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/voiceassist/gateway/shared/foundation/porttest"
)

// A Pair is a PostgreSQL server with a standby, for one test, with one migrated database.
// The standby has everything that the primary has acknowledged (synchronous streaming
// replication). Either can be the primary.
type Pair struct {
	tb      testing.TB
	members [2]*Killable
	primary int // index into members
}

// NewPair starts both servers; they end with tb.
func NewPair(tb testing.TB) *Pair {
	tb.Helper()
	first := newKillable(tb, replicated()...)
	second := &Killable{tb: tb, who: first.who, bin: first.bin, settings: first.settings}
	second.url = new(url.URL)
	*second.url = *first.url
	second.url.Host = porttest.Address(tb)
	p := &Pair{tb: tb, members: [2]*Killable{first, second}}
	tb.Cleanup(func() {
		second.Kill()
		os.RemoveAll(second.dir)
	})
	p.Rejoin()
	return p
}

// replicated returns the settings of a server with a standby.
func replicated() []string {
	return append(fast(), "wal_level=replica", "max_wal_senders=4", "hot_standby=on")
}

// URL returns the URL of the database on whichever server is the primary.
func (p *Pair) URL() string {
	u := *p.members[0].url
	u.Host += "," + p.members[1].url.Host
	q := u.Query()
	q.Set("target_session_attrs", "read-write")
	u.RawQuery = q.Encode()
	return u.String()
}

// StandbyURL returns the URL of the database on the server that is the standby now.
func (p *Pair) StandbyURL() string { return p.members[1-p.primary].URL() }

// Kill ends the primary with SIGKILL.
func (p *Pair) Kill() { p.members[p.primary].Kill() }

// SetReadOnly makes the primary refuse changes, also in sessions that exist, as before a
// planned switch. It ends with the server's files, in Rejoin.
func (p *Pair) SetReadOnly() {
	p.tb.Helper()
	primary := p.members[p.primary]
	p.execute(primary, "ALTER SYSTEM SET default_transaction_read_only = on")
	p.execute(primary, "SELECT pg_reload_conf()")
}

// Promote makes the standby the primary, and returns when it accepts changes.
func (p *Pair) Promote() {
	p.tb.Helper()
	p.primary = 1 - p.primary
	p.execute(p.members[p.primary], "SELECT pg_promote(true, 60)")
	// It must not wait for a standby of its own before Rejoin.
	p.synchronize(p.members[p.primary], "")
}

// Rejoin makes the other server a new standby of the primary. It returns when the standby
// has everything that the primary acknowledges.
func (p *Pair) Rejoin() {
	p.tb.Helper()
	primary, standby := p.members[p.primary], p.members[1-p.primary]
	standby.Kill()
	if err := standby.copyOf(primary); err != nil {
		p.tb.Fatalf("copy the primary: %v", err)
	}
	standby.Start()
	p.synchronize(primary, "*")
	p.await(primary, "SELECT count(*) > 0 FROM pg_stat_replication WHERE sync_state = 'sync'")
}

// synchronize sets which standbys the server waits for.
func (p *Pair) synchronize(k *Killable, standbys string) {
	p.tb.Helper()
	p.execute(k, fmt.Sprintf("ALTER SYSTEM SET synchronous_standby_names = '%s'", standbys))
	p.execute(k, "SELECT pg_reload_conf()")
}

// execute runs a statement.
func (p *Pair) execute(k *Killable, statement string) {
	p.tb.Helper()
	p.with(k, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, statement)
		return err
	})
}

// await returns when the query, of one boolean, is true.
func (p *Pair) await(k *Killable, query string) {
	p.tb.Helper()
	p.with(k, func(ctx context.Context, conn *pgx.Conn) error {
		for {
			var is bool
			if err := conn.QueryRow(ctx, query).Scan(&is); is || err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return errors.New(query + " is never true")
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
}

func (p *Pair) with(k *Killable, do func(context.Context, *pgx.Conn) error) {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.tb.Context()), opTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, k.URL())
	if err == nil {
		err = do(ctx, conn)
		conn.Close(ctx)
	}
	if err != nil {
		p.tb.Fatalf("PostgreSQL with a standby: %v", err)
	}
}

// copyOf replaces the files of the server by a copy of another, whose standby it becomes.
func (k *Killable) copyOf(primary *Killable) error {
	if k.dir != "" {
		if err := os.RemoveAll(k.dir); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "voiceassist-standby-")
	if err != nil {
		return err
	}
	k.dir = dir
	if err := k.who.own(dir); err != nil {
		return err
	}
	out, err := k.who.command(dir, filepath.Join(k.bin, "pg_basebackup"), "--pgdata="+dataOf(dir),
		"--dbname="+primary.URL(), "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync").CombinedOutput()
	if err != nil {
		return fmt.Errorf("pg_basebackup: %w: %s", err, out)
	}
	return nil
}
