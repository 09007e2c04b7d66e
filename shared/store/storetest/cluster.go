// Package storetest gives each test a real, empty store. PostgreSQL is a temporary
// cluster that needs no configuration, or the server at TEST_DATABASE_URL. Its functions take a [testing.TB], fail it rather than
// return errors, and clean up after themselves.
package storetest

import (
	"errors"
	"net/url"
	"os"
	"sync"
	"testing"
)

// own is the cluster of this test process. It is a variable because a cluster for
// each test would take a second each, and package testing has no value that all
// tests of a process share.
var own cluster

// Cluster returns the postgres:// URL of a running PostgreSQL server on which
// the caller may create and drop databases: TEST_DATABASE_URL if it is set,
// otherwise a temporary cluster on a port of 127.0.0.1, started by the first call
// and shared by all tests of the process. If it cannot start, tb fails with the
// packages to install; it is never skipped.
//
// The cluster trades durability for speed (fsync is off). It ends with the test
// process, even if that is killed; [Run] stops it earlier. Cluster is safe for
// concurrent use.
func Cluster(tb testing.TB) (dsn string) {
	tb.Helper()
	if dsn := os.Getenv("TEST_DATABASE_URL"); dsn != "" {
		if u, err := url.Parse(dsn); err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
			tb.Fatal("TEST_DATABASE_URL is no postgres:// URL")
		}
		return dsn
	}
	s, err := own.started()
	if err != nil {
		tb.Fatalf("PostgreSQL for tests: %v", err)
	}
	return s.dsn
}

// Run runs the tests of a package, drops the databases of [FromTemplate] and stops
// the cluster:
//
//	func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }
//
// Without it, the cluster notices the end of the process and removes itself.
func Run(m *testing.M) int {
	defer own.stop()
	defer templates.close()
	return m.Run()
}

// A cluster is a server that starts at its first use.
type cluster struct {
	once   sync.Once
	server *server
	err    error
}

// A server is a running PostgreSQL that belongs to this process.
type server struct {
	dsn  string
	stop func()
}

func (c *cluster) started() (*server, error) {
	c.once.Do(func() { c.server, c.err = startServer() })
	return c.server, c.err
}

// stop ends the server, if there is one, and waits until its files are gone.
func (c *cluster) stop() {
	c.once.Do(func() { c.err = errors.New("the cluster was stopped") })
	if c.server != nil {
		c.server.stop()
	}
}
