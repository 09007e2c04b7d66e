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

// A connector opens connections with the credentials of a URL that may rotate. If the
// server rejects them, it fetches the current URL and, if that differs, connects with it
// at once. So callers do not notice the rotation, and open connections stay open.
type connector struct {
	renew  func(context.Context) secret.String // returns "" if nothing rotates
	roots  *x509.CertPool                      // nil: those of the system or of the URL
	pooler pooler

	mu     sync.Mutex
	url    secret.String
	target driver.Connector
}

// parse sets the URL. It does not connect.
func (c *connector) parse(url secret.String) error {
	t, err := parse(url, c.roots, c.pooler)
	if err != nil {
		return err
	}
	c.url, c.target = url, t
	return nil
}

// Connect opens one connection. It implements [driver.Connector].
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	url, target := c.current()
	conn, err := target.Connect(ctx)
	if err == nil || !refused(err) {
		return conn, err
	}
	fresh := c.renew(ctx)
	if fresh == "" || fresh == url {
		return nil, err
	}
	target, parseErr := parse(fresh, c.roots, c.pooler)
	if parseErr != nil {
		return nil, errors.Join(err, parseErr)
	}
	conn, err = target.Connect(ctx)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.url, c.target = fresh, target
	}
	return conn, err
}

// Driver returns pgx's driver.
func (c *connector) Driver() driver.Driver {
	_, target := c.current()
	return target.Driver()
}

func (c *connector) current() (secret.String, driver.Connector) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.url, c.target
}

// parse returns a connector for url. It does not connect.
func parse(url secret.String, roots *x509.CertPool, p pooler) (driver.Connector, error) {
	c, err := pgx.ParseConfig(url.Reveal())
	if err != nil {
		return nil, errors.New("cannot be parsed as a PostgreSQL URL") // the error may quote the password
	}
	if c.DefaultQueryExecMode == pgx.QueryExecModeSimpleProtocol {
		// In that mode pgx cannot say whether a connection was lost before or after a
		// statement was sent, and database/sql would send the statement again.
		return nil, errors.New("asks for default_query_exec_mode=simple_protocol, under which a write might run twice")
	}
	if c.RuntimeParams["application_name"] == "" {
		// Shown in pg_stat_activity, and by a migration that waits for this session.
		c.RuntimeParams["application_name"] = "voiceassist-gateway"
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connTimeout
	}
	if roots != nil {
		trust(c, roots)
	}
	lost := watchPrimary(c)
	if strings.Contains(url.Reveal(), "default_query_exec_mode=") {
		return stdlib.GetConnector(*c, healthCheckOptions(lost)...), nil
	}
	return newTarget(c, p, lost), nil
}

// trust makes c accept only server certificates that roots issued.
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

// refused reports whether the server rejected the credentials: SQLSTATE class 28, invalid
// authorization (PostgreSQL appendix A).
func refused(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && strings.HasPrefix(e.Code, "28")
}
