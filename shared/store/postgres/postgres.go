// Package postgres opens a store on PostgreSQL with pgx.
package postgres

import (
	"cmp"
	"context"
	"crypto/x509"
	"database/sql"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/pemtext"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
)

// Sizes of the connection pool.
const (
	ServerConns   = 16 // for a process that serves many requests at once
	FunctionConns = 2  // for a Lambda instance, which serves one at a time
)

// How long a connection is kept. connIdle is below the idle timeout of poolers and NAT
// gateways on the way (AWS: 350 s). The jitter keeps processes that started together from
// reconnecting together. connTimeout bounds one attempt to connect, and leaves the request
// time to respond.
const (
	connLifetime = 15 * time.Minute
	connJitter   = 5 * time.Minute
	connIdle     = 2 * time.Minute
	connTimeout  = 3 * time.Second
)

// Settings name a PostgreSQL database.
type Settings struct {
	// Conns is the size of the pool. A value set before Load is the default; otherwise the
	// default is [FunctionConns].
	Conns int

	connector *connector
	logins    signin.Lifetimes
}

// Load loads DATABASE_URL, DATABASE_PASSWORD, DATABASE_MAX_CONNECTIONS, DATABASE_CA,
// DATABASE_POOLER and how long logins last.
// DATABASE_PASSWORD is the password of a URL that has none, so that no program has to
// escape it for one.
// DATABASE_CA holds PEM certificates of the authorities that may issue the server's; the
// default is those of the system, or sslrootcert in the URL.
func (s *Settings) Load(r setting.Reader) {
	s.Conns = r.Int("DATABASE_MAX_CONNECTIONS", cmp.Or(s.Conns, FunctionConns), 1, 1000)
	s.load(r, "DATABASE_URL")
}

// DirectSettings are [Settings] for programs that need their own session on the server,
// and so cannot go through a pooler.
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
	p := pooler(r.OneOf("DATABASE_POOLER", string(findOut), string(pooled), string(direct)))
	address := r.SecretURL(variable)
	if address == "" {
		if r.Secret(variable) == "" {
			r.RefuseSecret(variable, "is not set", takes)
		}
		return
	}
	const own = "DATABASE_PASSWORD"
	password := r.Secret(own)
	s.connector = &connector{
		renew: func(ctx context.Context) secret.String {
			return withPassword(cmp.Or(r.Renew(ctx, variable), address), cmp.Or(r.Renew(ctx, own), password))
		},
		roots:  roots,
		pooler: p,
	}
	if err := s.connector.parse(withPassword(address, password)); err != nil {
		r.RefuseSecret(variable, err.Error(), takes)
	}
}

// withPassword returns the URL with the password, unless there is none or the URL has one.
func withPassword(address, password secret.String) secret.String {
	u, err := url.Parse(address.Reveal())
	if err != nil || password == "" || u.Query().Has("password") {
		return address
	}
	if _, has := u.User.Password(); has {
		return address
	}
	if u.User == nil { // the user is a parameter, too, or that of the system
		// A plus sign is no space in PostgreSQL's URLs.
		u.RawQuery = strings.TrimPrefix(u.RawQuery+"&password="+strings.ReplaceAll(url.QueryEscape(password.Reveal()), "+", "%20"), "&")
	} else {
		u.User = url.UserPassword(u.User.Username(), password.Reveal())
	}
	return secret.String(u.String())
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

// Open returns the store in the database that the settings name. It does not connect; see
// the function [Open].
func (s *Settings) Open() *store.DB {
	db := open(s.connector, s.Conns)
	db.SetLoginLifetime(s.logins.Absolute)
	return db
}

// Open returns a store in the database that address, a URL, names. It does not connect before the
// first statement, so a start costs no round trip. A connection that died while the
// process was frozen is replaced before use.
func Open(address secret.String, conns int) (*store.DB, error) {
	c := &connector{renew: func(context.Context) secret.String { return "" }, pooler: findOut}
	if err := c.parse(address); err != nil {
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
	return store.New(db, db, &store.Dialect{
		Engine:     store.PostgreSQL,
		SkipLocked: " FOR UPDATE SKIP LOCKED",
		// Lock the account first: a transaction that waits for it holds no login that others
		// wait for.
		ForUpdate:   " FOR NO KEY UPDATE OF users, logins",
		ForShare:    " FOR SHARE OF users, logins",
		Retryable:   coded("40001", "40P01"),
		Duplicate:   coded("23505"),
		NoParent:    coded("23503"),
		NoTable:     coded("42P01"),
		Locked:      coded("55P03", "40P01"), // or two sessions waited for each other
		Unavailable: unavailable,
		NotApplied:  notApplied,
		LookUp:      lookUp,
	})
}
