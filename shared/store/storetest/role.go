package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// A Role is a user of one database, with a password that rotates.
type Role struct {
	tb   testing.TB
	dsn  string // of the administrator
	name string
}

// NewRole creates a user with all rights in the database of dsn, and returns the
// URL with the first password. The user is dropped when tb ends.
func NewRole(tb testing.TB, dsn string) (r *Role, first string) {
	tb.Helper()
	r = &Role{tb: tb, dsn: dsn, name: "voiceassist_test_" + strings.ToLower(rand.Text())}
	r.exec("CREATE ROLE " + r.name + " LOGIN IN ROLE postgres")
	tb.Cleanup(func() { r.exec("DROP ROLE " + r.name) })
	return r, r.Rotate()
}

// Rotate changes the password and returns the URL with the new one. As always in
// PostgreSQL, open sessions continue.
func (r *Role) Rotate() (dsn string) {
	r.tb.Helper()
	password := rand.Text()
	r.exec("ALTER ROLE " + r.name + " PASSWORD '" + password + "'")
	u, err := url.Parse(r.dsn)
	if err != nil {
		r.tb.Fatal("the URL cannot be parsed")
	}
	u.User = url.UserPassword(r.name, password)
	return u.String()
}

// Disconnect ends all sessions of the user.
func (r *Role) Disconnect() {
	r.tb.Helper()
	r.exec(fmt.Sprintf("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = '%s'", r.name))
}

func (r *Role) exec(sql string) {
	r.tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.tb.Context()), opTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, r.dsn)
	if err != nil {
		r.tb.Fatalf("connect to change a role: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		r.tb.Fatalf("change a role: %v", err)
	}
}
