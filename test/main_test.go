// Package test_test tests the gateway as it is delivered: the built binary over real TLS,
// and the built functions under Lambda's Runtime API, on real databases.
package test_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite" // for sqlite3

	"github.com/voiceassist/gateway/shared/faas/faastest"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "sqlite3" {
		os.Exit(sqlite3(os.Args[1:]))
	}
	os.Exit(faastest.Run(withCluster{m}))
}

// sqlite3 stands in for the program of that name, which guides use and a test machine may
// lack. It runs a statement on a database. The test program acts as sqlite3 when called by
// that name.
func sqlite3(args []string) (status int) {
	if len(args) != 2 {
		fmt.Fprintf(os.Stderr, "sqlite3: %q are not a file and a statement\n", args)
		return 1
	}
	db, err := sql.Open("sqlite", args[0])
	if err == nil {
		defer db.Close()
		_, err = db.Exec(args[1])
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "sqlite3: %v\n", err)
		return 1
	}
	return 0
}

// withCluster runs the tests with a PostgreSQL, if one is available.
type withCluster struct{ m *testing.M }

func (w withCluster) Run() int { return storetest.Run(w.m) }
