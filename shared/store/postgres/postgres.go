// Package postgres opens a store on PostgreSQL with pgx.
package postgres

import (
	"context"
	"crypto/x509"
	"database/sql"
	"math/rand/v2"
	"time"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/pemtext"
	"github.com/voiceassist/gateway/shared/foundation/secret"
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

// Read returns the store that DATABASE_URL names, with a pool of
// DATABASE_MAX_CONNECTIONS (conns where unset), or nil where it is refused.
// DATABASE_CA holds certificates in PEM, of whom the server's must be; unset,
// those of the system, or of sslrootcert in the URL. A function has no files.
// Logins last as LOGIN_LIFETIME_DAYS says.
func Read(env *config.Env, conns int) *store.DB {
	return read(env, "DATABASE_URL", env.Int("DATABASE_MAX_CONNECTIONS", conns, 1, 1000))
}

// ReadDirect is [Read] for what needs a session of the server's own, and so must
// not go through a pooler: MIGRATE_DATABASE_URL where it is set, with two
// connections.
func ReadDirect(env *config.Env) *store.DB {
	const variable = "MIGRATE_DATABASE_URL"
	if env.Secret(variable) == "" {
		return read(env, "DATABASE_URL", directConns)
	}
	return read(env, variable, directConns)
}

const directConns = 2 // a migration holds its lock on one and works on the other

func read(env *config.Env, variable string, conns int) *store.DB {
	const takes = "postgres://user:password@host:5432/name?sslmode=verify-full"
	url := env.SecretURL(variable)
	if url == "" {
		if env.Secret(variable) == "" {
			env.RefuseSecret(variable, "is not set", takes)
		}
		return nil
	}
	roots, ok := readRoots(env)
	if !ok {
		return nil
	}
	db, err := open(url, conns, roots, func(ctx context.Context) secret.String { return env.Renew(ctx, variable) })
	if err != nil {
		env.RefuseSecret(variable, err.Error(), takes)
		return nil
	}
	db.SetLoginLifetime(signin.ReadLifetimes(env).Absolute)
	return db
}

// readRoots returns the certificates of DATABASE_CA, or nil where it is unset; ok
// is false after a mistake, which is in env.
func readRoots(env *config.Env) (roots *x509.CertPool, ok bool) {
	const variable = "DATABASE_CA"
	text := env.String(variable, "")
	if text == "" {
		return nil, true
	}
	roots, err := pemtext.Authorities(pemtext.Unescape(text))
	if err != nil {
		env.RefuseSecret(variable, "cannot be read ("+err.Error()+")", "the certificates of the database's certificate authority, in PEM")
	}
	return roots, err == nil
}

// Open returns a store on the database that url names. Nothing is dialled
// until the first statement, so a start costs no round trip, and a connection
// that died while the process was frozen is replaced before use.
func Open(url secret.String, conns int) (*store.DB, error) {
	return open(url, conns, nil, func(context.Context) secret.String { return "" })
}

func open(
	url secret.String, conns int, roots *x509.CertPool, renew func(context.Context) secret.String,
) (*store.DB, error) {
	c, err := newConnector(url, roots, renew)
	if err != nil {
		return nil, err
	}
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
	}), nil
}
