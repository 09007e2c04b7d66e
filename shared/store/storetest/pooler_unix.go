//go:build unix

package storetest

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
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
	u, err := url.Parse(dsn)
	if err != nil {
		tb.Fatal("a DSN of this package is no URL")
	}
	for try := 1; ; try++ {
		port, stop, err := startPooler(u)
		if err == nil {
			tb.Cleanup(stop)
			u.Host = "127.0.0.1:" + port
			return u.String()
		}
		if try == startTries || !errors.Is(err, errPortTaken) {
			tb.Fatalf("PgBouncer for tests: %v", err)
		}
	}
}

func startPooler(server *url.URL) (port string, stop func(), err error) {
	program, err := exec.LookPath("pgbouncer")
	if err != nil { // Debian installs it outside the PATH of other users
		if program, err = exec.LookPath("/usr/sbin/pgbouncer"); err != nil {
			return "", nil, errors.New("found no pgbouncer; install it (Debian: apt-get install pgbouncer)")
		}
	}
	who, err := serverUser()
	if err != nil {
		return "", nil, err
	}
	if port, err = freePort(); err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "voiceassist-pgbouncer-")
	if err != nil {
		return "", nil, err
	}
	settings, users := filepath.Join(dir, "pgbouncer.ini"), filepath.Join(dir, "users.txt")
	password, _ := server.User.Password()
	err = errors.Join(
		os.WriteFile(users, fmt.Appendf(nil, "%q %q\n", server.User.Username(), password), 0o600),
		os.WriteFile(settings, fmt.Appendf(nil, `[databases]
* = host=%s port=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
pool_mode = transaction
default_pool_size = %d
max_client_conn = 200
`, server.Hostname(), server.Port(), port, users, PoolerConns), 0o600),
	)
	if err == nil {
		err = who.own(dir, settings, users)
	}
	if err == nil {
		stop, err = who.start(dir, "process up", program, settings)
	}
	if err != nil {
		os.RemoveAll(dir)
		return "", nil, err
	}
	return port, stop, nil
}
