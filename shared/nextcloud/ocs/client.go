// Package nextcloud is a client of the provisioning side of a Nextcloud server:
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
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
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
	base    url.URL
	admin   credentials
	timeout time.Duration
	writing time.Duration
	http    *http.Client
}

// credentials are one name and password for HTTP Basic (RFC 7617).
type credentials struct {
	user     string
	password secret.String
}

// New returns a client; it does not call the server.
func New(c Config) *Client {
	base := *c.URL
	base.User, base.RawQuery, base.Fragment = nil, "", "" // a password there would end in errors
	base.Path, base.RawPath = strings.TrimRight(base.Path, "/"), ""
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	return &Client{
		base:    base,
		admin:   credentials{c.AdminUser, c.AdminPassword},
		timeout: c.Timeout,
		writing: cmp.Or(c.WriteTimeout, c.Timeout),
		http: &http.Client{
			Transport:     Transport(c.Roots, c.Timeout),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Transport returns what carries calls to a Nextcloud, over HTTP or TLS. It
// bounds connecting; how long an answer may take is the caller's to bound.
func Transport(roots *x509.CertPool, connect time.Duration) *http.Transport {
	dialer := net.Dialer{Timeout: connect}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return inBulk(c), nil
		},
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    connect,
		MaxIdleConnsPerHost:    idleConns,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: maxHeader,
		ForceAttemptHTTP2:      true,
	}
}

// Close closes the idle connections. The client stays usable.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// WebDAVURL returns the root of a user's files, with a slash at its end.
func (c *Client) WebDAVURL(userID string) string {
	return c.at("remote.php", "dav", "files", userID).String() + "/"
}

// at returns the address of a path below the base, each segment escaped on its
// own: [url.URL.JoinPath] would resolve "..".
func (c *Client) at(segments ...string) *url.URL {
	u := c.base
	for _, s := range segments {
		u.RawPath += "/" + escape(s)
		u.Path += "/" + s
	}
	u.RawPath = c.base.EscapedPath() + u.RawPath
	return &u
}

// escape is [url.PathEscape] that escapes the plus sign, too: WebDAV reads a
// bare one as a blank in the user's id.
func escape(segment string) string {
	return strings.ReplaceAll(url.PathEscape(segment), "+", "%2B")
}
