// Package webdav reaches the files of Nextcloud users over WebDAV (RFC 4918),
// streaming in both directions.
//
// Start at [New] and [Client.Folder]. A [Path] cannot leave the folder; every
// failure is an [*Error] that matches one of the Err… values of this package or
// of [nextcloud]. No error holds a path, a password or the body of an answer.
// What is particular to Nextcloud, and was seen at a real one, is said where it
// is minded: a file is never replaced in place, an upload is checked against
// the hash that the server took, an answer is judged by its class.
package webdav

import (
	"crypto/x509"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/internal/transport"
)

// What a [Config] means where it does not say otherwise.
const (
	DefaultAnswer   = 20 * time.Second
	DefaultIdle     = 30 * time.Second
	DefaultAssembly = 5 * time.Minute
	DefaultWhole    = 1 << 30 // above it, Apache refuses a body unless told otherwise
	DefaultChunk    = 100 << 20
	DefaultBuffer   = 8 << 20
)

const (
	connectTimeout = 5 * time.Second
	// continueTimeout is how long a large body waits for the server's word that
	// it wants it, which spares sending what would be refused.
	continueTimeout = 2 * time.Second
)

// A Config says where the files are, and how patient to be.
type Config struct {
	URL   *url.URL       // the base, as for [ocs.Config]
	Roots *x509.CertPool // who may sign the server's certificate; nil is the system's

	Answer   time.Duration // until an answer begins; 0 is [DefaultAnswer]
	Idle     time.Duration // between two parts of a transfer; 0 is [DefaultIdle]
	Assembly time.Duration // for joining the chunks of an upload; 0 is [DefaultAssembly]
	Whole    int64         // bytes of a new file that may go in one request; 0 is [DefaultWhole]
	Chunk    int64         // bytes of one chunk of a file of known size, which is passed on as it arrives; 0 is [DefaultChunk]
	Buffer   int64         // bytes of an upload in chunks that are kept to send them again, less where uploads share it; 0 is [DefaultBuffer]
}

// A Client reaches one server. It is safe for concurrent use.
type Client struct {
	Config

	server  *transport.Server
	uploads atomic.Int64 // in chunks, under way
}

// New returns a client; it does not call the server.
func New(c Config) *Client {
	c.Answer = orDefault(c.Answer, DefaultAnswer)
	c.Idle = orDefault(c.Idle, DefaultIdle)
	c.Assembly = orDefault(c.Assembly, DefaultAssembly)
	c.Whole = orDefault(c.Whole, DefaultWhole)
	c.Chunk = orDefault(c.Chunk, DefaultChunk)
	c.Buffer = orDefault(c.Buffer, DefaultBuffer)
	return &Client{Config: c, server: transport.New(transport.Config{
		URL: c.URL, Roots: c.Roots, Connect: connectTimeout, Buffer: transferBuffer, Continue: continueTimeout,
	})}
}

// transferBuffer is of a connection, in bytes: large transfers in 4 KiB steps
// cost a third of their speed.
const transferBuffer = 64 << 10

func orDefault[T time.Duration | int64](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}

// Close closes the idle connections. The client stays usable.
func (c *Client) Close() { c.server.Close() }

// A Folder is everything that one user stores. It is safe for concurrent use.
type Folder struct {
	client   *Client
	user     string
	password secret.String
}

// Folder returns the folder of the user with that id, reached with a password
// of theirs. An app password takes the id in exactly its letter case.
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

// upload returns the address of a part of an upload.
func (f *Folder) upload(id string, part ...string) *url.URL {
	return f.client.at(append([]string{"uploads", f.user, id}, part...)...)
}

// URL returns the address of a path, for other WebDAV clients.
func (f *Folder) URL(p Path) string { return f.of(p).String() }
