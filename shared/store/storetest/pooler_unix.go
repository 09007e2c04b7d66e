//go:build unix

package storetest

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/voiceassist/gateway/shared/foundation/porttest"
)

// PoolerConns is how many connections to the server a [Pooler] has for all its
// clients.
const PoolerConns = 3

// Pooler runs PgBouncer for tb in transaction mode, as used between many small
// processes and one server, and returns the URL of the database of dsn through it.
// Each transaction of a client may run on another connection, which breaks
// everything that relies on a session. Without PgBouncer, tb fails with the package
// to install.
func Pooler(tb testing.TB, dsn string) string {
	tb.Helper()
	return NewKillablePooler(tb, dsn).URL()
}

// A KillablePooler is a [Pooler] that can be killed and started again.
type KillablePooler struct {
	tb      testing.TB
	who     identity
	program string
	server  *url.URL
	address string
	stop    func() // nil while it does not run
}

// NewKillablePooler starts PgBouncer; it ends with tb.
func NewKillablePooler(tb testing.TB, dsn string) *KillablePooler {
	tb.Helper()
	p := &KillablePooler{tb: tb, address: porttest.Address(tb)}
	var err error
	if p.server, err = url.Parse(dsn); err != nil {
		tb.Fatal("a DSN of this package is no URL")
	}
	if p.who, err = serverUser(); err != nil {
		tb.Fatalf("PgBouncer for tests: %v", err)
	}
	if p.program, err = exec.LookPath("pgbouncer"); err != nil { // Debian installs it outside the PATH of other users
		if p.program, err = exec.LookPath("/usr/sbin/pgbouncer"); err != nil {
			tb.Fatal("found no pgbouncer; install it (Debian: apt-get install pgbouncer)")
		}
	}
	p.Start()
	tb.Cleanup(p.Kill)
	return p
}

// URL returns the URL of the database through the pooler, which is the same after every
// start.
func (p *KillablePooler) URL() string {
	u := *p.server
	u.Host = p.address
	return u.String()
}

// Kill ends the pooler and all connections of its clients.
func (p *KillablePooler) Kill() {
	if p.stop != nil {
		p.stop()
		p.stop = nil
	}
}

// Start starts the pooler again and returns when it accepts connections.
func (p *KillablePooler) Start() {
	p.tb.Helper()
	dir, err := os.MkdirTemp("", "voiceassist-pgbouncer-")
	if err == nil {
		p.stop, err = p.start(dir)
	}
	if err != nil {
		os.RemoveAll(dir)
		p.tb.Fatalf("PgBouncer for tests: %v", err)
	}
}

// start serves with its files in dir, which is removed afterwards.
func (p *KillablePooler) start(dir string) (stop func(), err error) {
	host, port, err := net.SplitHostPort(p.address)
	if err != nil {
		return nil, err
	}
	settings, users := filepath.Join(dir, "pgbouncer.ini"), filepath.Join(dir, "users.txt")
	password, _ := p.server.User.Password()
	err = errors.Join(
		os.WriteFile(users, fmt.Appendf(nil, "%q %q\n", p.server.User.Username(), password), 0o600),
		os.WriteFile(settings, fmt.Appendf(nil, `[databases]
* = host=%s port=%s
[pgbouncer]
listen_addr = %s
listen_port = %s
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
pool_mode = transaction
default_pool_size = %d
max_client_conn = 200
`, p.server.Hostname(), p.server.Port(), host, port, users, PoolerConns), 0o600),
	)
	if err == nil {
		err = p.who.own(dir, settings, users)
	}
	if err != nil {
		return nil, err
	}
	return p.who.start(dir, "process up", p.program, settings)
}
