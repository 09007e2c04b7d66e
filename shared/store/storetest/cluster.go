// Package storetest gives every test a real, empty store of its own. PostgreSQL is
// a throw-away cluster that needs no configuration, or the server at
// TEST_DATABASE_URL. Its functions take a [testing.TB], fail it rather than
// return errors, and clean up after themselves.
package storetest

import (
	"errors"
	"net/url"
	"os"
	"sync"
	"testing"
)

// own is the cluster of this test process. It is the one mutable variable here:
// a cluster per test would cost a second each, and testing knows no value that
// all tests of a process share.
var own cluster

// Cluster returns the postgres:// URL of a running PostgreSQL server on which
// the caller may create and drop databases: TEST_DATABASE_URL where it is set,
// else a throw-away cluster on a port of 127.0.0.1, started by the first call
// and shared by all tests of the process. Where there is neither, tb fails and
// says what to install; it never skips.
//
// The cluster trades durability for speed (fsync is off). It ends with the test
// process however that ends; [Run] makes it end before. Safe for concurrent use.
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

// Run runs the tests of a package and then drops what [FromTemplate] keeps and
// stops the cluster, for packages that want nothing left when they report:
//
//	func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }
//
// Packages without it lose nothing but that order: the cluster notices the end
// of the process and removes itself.
func Run(m *testing.M) int {
	defer own.stop()
	defer templates.close()
	return m.Run()
}

// A cluster is a server that starts when it is first asked for.
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
