// Package ocs is a client of Nextcloud's provisioning API (OCS v2): accounts, their
// quotas, groups and app passwords. Package webdav accesses their files.
//
// Begin with [New]. Every failure is an [*Error] that matches one of the Err… values,
// chosen so that the reconciler can decide what to do next. They depend on status codes,
// never on messages. No error contains a password or the body of a response. Nextcloud
// quirks are documented where they are handled.
//
// It may import the foundation and quota packages and internal/transport.
package ocs

import (
	"cmp"
	"crypto/x509"
	"net/http"
	"net/url"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/internal/transport"
)

// DefaultTimeout limits one call if [Config] has no timeout.
const DefaultTimeout = 10 * time.Second

const (
	// maxResponse limits the body of a response, in bytes. The longest is the list of
	// users: up to 64 characters each, tens of thousands of them.
	maxResponse = 4 << 20
	// pageAttempts is how often a page of users is requested while users are deleted.
	pageAttempts = 5
	// storageAttempts is how often a user is requested whose storage is missing in the
	// response, at intervals of storagePause.
	storageAttempts = 4
	storagePause    = 250 * time.Millisecond
)

// A Config holds the server and the administrator of a [Client].
type Config struct {
	URL           *url.URL       // base address, with the folder of the installation: https://host/nextcloud
	AdminUser     string         // ID of an account in the group "admin"
	AdminPassword secret.String  // its real password; current servers reject app passwords
	Timeout       time.Duration  // for a whole call; 0 for [DefaultTimeout]
	WriteTimeout  time.Duration  // for a call that has an effect; 0 for Timeout
	Roots         *x509.CertPool // certificate authorities of the server; nil for the system's
	IdleConns     int            // idle connections that are kept; 0 for [transport.DefaultIdleConns]

	Wrap func(http.RoundTripper) http.RoundTripper // observes requests, see [transport.Config]; nil for nothing
}

// A Client calls one Nextcloud server. It is safe for concurrent use, reuses
// connections, follows no redirects, keeps no cookies, and never repeats a call that
// has an effect.
type Client struct {
	server       *transport.Server
	admin        credentials
	timeout      time.Duration
	writeTimeout time.Duration
}

// credentials are for HTTP Basic authentication (RFC 7617).
type credentials struct {
	user     string
	password secret.String
}

// New returns a client. It does not call the server.
func New(c Config) *Client {
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	return &Client{
		server:       transport.New(transport.Config{URL: c.URL, Roots: c.Roots, Connect: c.Timeout, IdleConns: c.IdleConns, Wrap: c.Wrap}),
		admin:        credentials{c.AdminUser, c.AdminPassword},
		timeout:      c.Timeout,
		writeTimeout: cmp.Or(c.WriteTimeout, c.Timeout),
	}
}

// Close closes the idle connections. The client stays usable.
func (c *Client) Close() { c.server.Close() }

// WebDAVURL returns the address of a user's files, with a trailing slash.
func (c *Client) WebDAVURL(userID string) string {
	return c.server.URL("remote.php", "dav", "files", userID).String() + "/"
}
