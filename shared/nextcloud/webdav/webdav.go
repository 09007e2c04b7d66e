// Package webdav accesses the files of Nextcloud users over WebDAV (RFC 4918). It streams
// in both directions.
//
// Begin with [New] and [Client.Folder]. A [Path] cannot leave the folder. Every failure is
// an [*Error] that matches one of the Err… values of this package or of [ocs]. No error
// contains a path, a password or the body of a response. Nextcloud quirks, as observed with
// real servers, are documented where they are handled: a file is never replaced in place,
// an upload is compared with the server's hash, and errors are recognized by the class of
// the exception.
//
// It may import the foundation packages, ocs for its errors, and internal/transport.
package webdav

import (
	"crypto/x509"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/internal/transport"
)

// Defaults of [Config].
const (
	DefaultResponseTimeout = 20 * time.Second
	DefaultIdleTimeout     = 30 * time.Second
	DefaultAssemblyTimeout = 5 * time.Minute
	DefaultMaxWhole        = 1 << 30 // the default limit of a body in Apache
	DefaultChunkSize       = 100 << 20
	DefaultBufferSize      = 8 << 20
)

const (
	connectTimeout = 5 * time.Second
	// continueTimeout is how long a large upload waits for 100 Continue, which avoids
	// sending a body that the server rejects.
	continueTimeout = 2 * time.Second
)

// A Config holds the address of the server, and limits.
type Config struct {
	URL   *url.URL       // base address, as in [ocs.Config]
	Roots *x509.CertPool // certificate authorities of the server; nil for the system's

	IdleConns int // idle connections that are kept; 0 for [transport.DefaultIdleConns]

	Wrap func(http.RoundTripper) http.RoundTripper // observes requests, see [transport.Config]; nil for nothing

	// Limits of time; 0 for the defaults.
	ResponseTimeout time.Duration // until a response begins
	IdleTimeout     time.Duration // without progress of a transfer
	AssemblyTimeout time.Duration // for assembling the chunks of an upload

	// Sizes in bytes; 0 for the defaults.
	MaxWhole   int64 // of a new file that is uploaded in one request
	ChunkSize  int64 // of a chunk of known size, which is passed on as it arrives
	BufferSize int64 // of chunks kept in memory to send them again; concurrent uploads share it
}

// A Client accesses one server. It is safe for concurrent use.
type Client struct {
	Config

	server   *transport.Server
	uploads  atomic.Int64 // uploads in chunks in progress
	replaced *pathSet     // small files
}

// New returns a client. It does not call the server.
func New(c Config) *Client {
	c.ResponseTimeout = orDefault(c.ResponseTimeout, DefaultResponseTimeout)
	c.IdleTimeout = orDefault(c.IdleTimeout, DefaultIdleTimeout)
	c.AssemblyTimeout = orDefault(c.AssemblyTimeout, DefaultAssemblyTimeout)
	c.MaxWhole = orDefault(c.MaxWhole, DefaultMaxWhole)
	c.ChunkSize = orDefault(c.ChunkSize, DefaultChunkSize)
	c.BufferSize = orDefault(c.BufferSize, DefaultBufferSize)
	return &Client{Config: c, replaced: newPathSet(), server: transport.New(transport.Config{
		URL: c.URL, Roots: c.Roots, Connect: connectTimeout, Buffer: transferBuffer, Continue: continueTimeout, IdleConns: c.IdleConns, Wrap: c.Wrap,
	})}
}

// transferBuffer is the buffer size of a connection, in bytes. With net/http's 4 KiB, large
// transfers are a third slower.
const transferBuffer = 64 << 10

func orDefault[T time.Duration | int64](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}

// Close closes the idle connections. The client stays usable.
func (c *Client) Close() { c.server.Close() }

// A Folder holds the files of one user. It is safe for concurrent use.
type Folder struct {
	client   *Client
	user     string
	password secret.String
}

// Folder returns the folder of the user with the ID, who authenticates with the password.
// With an app password, the letter case of the ID matters.
func (c *Client) Folder(user string, password secret.String) *Folder {
	return &Folder{client: c, user: user, password: password}
}

// at returns the address of a path below /remote.php/dav/.
func (c *Client) at(segments ...string) *url.URL {
	return c.server.URL(append([]string{"remote.php", "dav"}, segments...)...)
}

// of returns the address of a path.
func (f *Folder) of(p Path) *url.URL {
	return f.client.at(append([]string{"files", f.user}, p.segments()...)...)
}

// ofUpload returns the address of a chunk of an upload.
func (f *Folder) ofUpload(id string, part ...string) *url.URL {
	return f.client.at(append([]string{"uploads", f.user, id}, part...)...)
}

// URL returns the address of a path, for other WebDAV clients.
func (f *Folder) URL(p Path) string { return f.of(p).String() }
