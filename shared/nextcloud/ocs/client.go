// Package ocs is a client of the provisioning side of a Nextcloud server:
// accounts, their quota and their app passwords, over OCS v2. Their files are the
// business of package webdav; [Client.WebDAVURL] says where they are.
//
// Start at [New]. Every failure is an [*Error] that matches one of the Err…
// values, chosen so that a reconciler can decide what to do next: the status
// code inside the answer decides, never its message. No error and no log line
// holds a password or the body of an answer.
package ocs

import (
	"cmp"
	"crypto/x509"
	"net/url"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/internal/transport"
)

// DefaultTimeout bounds one call where [Config] does not say otherwise.
const DefaultTimeout = 10 * time.Second

const (
	// maxAnswer bounds what is read of an answer, in bytes. The longest is the
	// list of users: 64 characters each, tens of thousands of them.
	maxAnswer = 4 << 20
	// maxHeader bounds the header of an answer, in bytes; Nextcloud sends about
	// 3 KiB, half of it cookies.
	maxHeader = 64 << 10
	// idleConns is how many connections wait for the next call: one for each
	// worker of a busy reconciler.
	idleConns = 8
	// pageTries is how often a page of users is asked for that somebody leaves.
	pageTries = 5
	// storageTries is how often a user is asked for whose storage is not told,
	// storagePause after each other.
	storageTries = 4
	storagePause = 250 * time.Millisecond
	// userAgent names the app passwords that this client fetches.
	userAgent = "VoiceAssist gateway"
)

// A Config says which server to call, and as whom.
type Config struct {
	URL           *url.URL       // the base, with the folder where there is one: https://host/nextcloud
	AdminUser     string         // id of an account in the group "admin"
	AdminPassword secret.String  // its real password; app passwords are refused by current servers
	Timeout       time.Duration  // for a whole call; 0 is [DefaultTimeout]
	WriteTimeout  time.Duration  // for one that has an effect, and should not be made twice; 0 is Timeout
	Roots         *x509.CertPool // who may sign the server's certificate; nil is the system's
}

// A Client calls one Nextcloud server. It is safe for concurrent use, reuses
// connections, follows no redirects, keeps no cookies and never repeats a call
// that has an effect.
type Client struct {
	server       *transport.Server
	admin        credentials
	timeout      time.Duration
	writeTimeout time.Duration
}

// credentials are one name and password for HTTP Basic (RFC 7617).
type credentials struct {
	user     string
	password secret.String
}

// New returns a client; it does not call the server.
func New(c Config) *Client {
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	return &Client{
		server:       transport.New(transport.Config{URL: c.URL, Roots: c.Roots, Connect: c.Timeout}),
		admin:        credentials{c.AdminUser, c.AdminPassword},
		timeout:      c.Timeout,
		writeTimeout: cmp.Or(c.WriteTimeout, c.Timeout),
	}
}

// Close closes the idle connections. The client stays usable.
func (c *Client) Close() { c.server.Close() }

// WebDAVURL returns the root of a user's files, with a slash at its end.
func (c *Client) WebDAVURL(userID string) string {
	return c.server.URL("remote.php", "dav", "files", userID).String() + "/"
}
