package postgres

import (
	"context"
	"crypto/x509"
	"database/sql/driver"
	"errors"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// A connector opens connections with the credentials of a URL that may rotate:
// when the server refuses them, it asks for the URL of now and, if that is
// another one, connects with it at once. So whoever waits for the connection
// does not feel the rotation, and connections that are open live on.
type connector struct {
	renew func(context.Context) secret.String // returns "" where nothing rotates
	roots *x509.CertPool                      // nil: those of the system, or of the URL

	mu      sync.Mutex
	url     secret.String
	connect driver.Connector
}

func newConnector(url secret.String, roots *x509.CertPool, renew func(context.Context) secret.String) (*connector, error) {
	c, err := parse(url, roots)
	if err != nil {
		return nil, err
	}
	return &connector{renew: renew, roots: roots, url: url, connect: c}, nil
}

// Connect opens one connection.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	url, connect := c.current()
	conn, err := connect.Connect(ctx)
	if err == nil || !refused(err) {
		return conn, err
	}
	fresh := c.renew(ctx)
	if fresh == "" || fresh == url {
		return nil, err
	}
	connect, parseErr := parse(fresh, c.roots)
	if parseErr != nil {
		return nil, errors.Join(err, parseErr)
	}
	conn, err = connect.Connect(ctx)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.url, c.connect = fresh, connect
	}
	return conn, err
}

// Driver returns that of pgx.
func (c *connector) Driver() driver.Driver {
	_, connect := c.current()
	return connect.Driver()
}

func (c *connector) current() (secret.String, driver.Connector) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.url, c.connect
}

// parse returns what connects to url. Nothing is dialled.
func parse(url secret.String, roots *x509.CertPool) (driver.Connector, error) {
	c, err := pgx.ParseConfig(url.Reveal())
	if err != nil {
		return nil, errors.New("cannot be parsed as a PostgreSQL URL") // its error may quote the password
	}
	if c.DefaultQueryExecMode == pgx.QueryExecModeSimpleProtocol {
		// In that mode pgx does not tell a connection that was lost after a statement
		// was sent from one that was before, and database/sql would send it again.
		return nil, errors.New("asks for default_query_exec_mode=simple_protocol, under which a write might run twice")
	}
	if !strings.Contains(url.Reveal(), "default_query_exec_mode=") {
		// Named prepared statements break behind a transaction pooler; caching
		// only their descriptions works behind one and costs no round trip.
		c.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "voiceassist-gateway" // in pg_stat_activity, and where another migration waits for this one
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connTimeout
	}
	if roots != nil {
		trust(c, roots)
	}
	return stdlib.GetConnector(*c, alive()...), nil
}

// trust has c believe servers with a certificate of roots, and no others.
func trust(c *pgx.ConnConfig, roots *x509.CertPool) {
	if c.TLSConfig != nil {
		c.TLSConfig.RootCAs = roots
	}
	for _, f := range c.Fallbacks {
		if f.TLSConfig != nil {
			f.TLSConfig.RootCAs = roots
		}
	}
}

// refused reports that the server did not take the credentials: SQLSTATE class
// 28, invalid authorization (PostgreSQL appendix A).
func refused(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && strings.HasPrefix(e.Code, "28")
}
