//go:build !unix

package storetest

import (
	"errors"
	"testing"
)

func startServer() (*server, error) {
	return nil, errors.New("a throw-away cluster needs a Unix; set TEST_DATABASE_URL to a server's URL")
}

// PoolerConns is how many connections to the server a [Pooler] has.
const PoolerConns = 3

// Pooler runs PgBouncer where there is one; see pooler_unix.go.
func Pooler(tb testing.TB, _ string) string {
	tb.Helper()
	tb.Fatal("PgBouncer does not run here")
	return ""
}
