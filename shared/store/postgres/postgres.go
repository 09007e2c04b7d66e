// Package postgres opens a store on PostgreSQL with pgx.
package postgres

import (
	"cmp"
	"context"
	"crypto/x509"
	"database/sql"
	"math/rand/v2"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/pemtext"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
)

// The sizes of the pool.
const (
	ServerConns   = 16 // of one process that serves many requests at once
	FunctionConns = 2  // of one Lambda instance, which serves one at a time
)

// How long a connection is kept. connIdle stays under what pools and NAT gateways
// in between allow an idle connection (AWS: 350 s); the jitter keeps processes
// that began together from connecting anew together. connTimeout is one try to
// connect, which must leave the request time for an answer.
const (
	connLifetime = 15 * time.Minute
	connJitter   = 5 * time.Minute
	connIdle     = 2 * time.Minute
	connTimeout  = 3 * time.Second
)

// Settings name a PostgreSQL database.
type Settings struct {
	// Conns is the size of the pool. Set before Load, it is the default; else that is
	// [FunctionConns].
	Conns int

	connector *connector
	logins    signin.Lifetimes
}

// Load loads DATABASE_URL, DATABASE_MAX_CONNECTIONS, DATABASE_CA (certificates in
// PEM, one of which must have issued the server's; by default those of the system, or
// of sslrootcert in the URL) and how long logins last.
func (s *Settings) Load(r setting.Reader) {
	s.Conns = r.Int("DATABASE_MAX_CONNECTIONS", cmp.Or(s.Conns, FunctionConns), 1, 1000)
	s.load(r, "DATABASE_URL")
}

// DirectSettings are [Settings] for what needs a session of its own on the server, and
// so must not go through a pooler.
type DirectSettings struct{ Settings }

// Load loads MIGRATE_DATABASE_URL, or DATABASE_URL if that is unset. The pool has two
// connections: a migration holds its lock on one and works on the other.
func (s *DirectSettings) Load(r setting.Reader) {
	s.Conns = 2
	variable := "MIGRATE_DATABASE_URL"
	if r.Secret(variable) == "" {
		variable = "DATABASE_URL"
	}
	s.load(r, variable)
}

func (s *Settings) load(r setting.Reader, variable string) {
	const takes = "postgres://user:password@host:5432/name?sslmode=verify-full"
	s.logins.Load(r)
	roots := loadRoots(r)
	url := r.SecretURL(variable)
	if url == "" {
		if r.Secret(variable) == "" {
			r.RefuseSecret(variable, "is not set", takes)
		}
		return
	}
	var err error
	s.connector, err = newConnector(url, roots, func(ctx context.Context) secret.String { return r.Renew(ctx, variable) })
	if err != nil {
		r.RefuseSecret(variable, err.Error(), takes)
	}
}

// loadRoots returns the certificates in DATABASE_CA, or nil if it is unset.
func loadRoots(r setting.Reader) *x509.CertPool {
	const variable = "DATABASE_CA"
	text := r.String(variable, "")
	if text == "" {
		return nil
	}
	roots, err := pemtext.Authorities(pemtext.Unescape(text))
	if err != nil {
		r.RefuseSecret(variable, "cannot be read ("+err.Error()+")", "the certificates of the database's certificate authority, in PEM")
	}
	return roots
}

// Open returns the store in the database that the settings name. It does not
// connect; see [Open].
func (s *Settings) Open() *store.DB {
	db := open(s.connector, s.Conns)
	db.SetLoginLifetime(s.logins.Absolute)
	return db
}

// Open returns a store on the database that url names. Nothing is dialled
// until the first statement, so a start costs no round trip, and a connection
// that died while the process was frozen is replaced before use.
func Open(url secret.String, conns int) (*store.DB, error) {
	c, err := newConnector(url, nil, func(context.Context) secret.String { return "" })
	if err != nil {
		return nil, err
	}
	return open(c, conns), nil
}

func open(c *connector, conns int) *store.DB {
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxLifetime(connLifetime - rand.N(connJitter))
	db.SetConnMaxIdleTime(connIdle)
	return store.New(db, &store.Dialect{
		Engine:     store.PostgreSQL,
		SkipLocked: " FOR UPDATE SKIP LOCKED",
		// The account first: who waits for it holds no login that others wait for.
		ForUpdate:   " FOR NO KEY UPDATE OF users, logins",
		ForShare:    " FOR SHARE OF users, logins",
		Retryable:   coded("40001", "40P01"),
		Duplicate:   coded("23505"),
		NoParent:    coded("23503"),
		NoTable:     coded("42P01"),
		Locked:      coded("55P03"),
		Unavailable: unavailable,
		NotApplied:  undone,
	})
}
