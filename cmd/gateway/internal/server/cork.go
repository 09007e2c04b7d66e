package server

import (
	"context"
	"crypto/tls"
	"net"
	"sync"

	"github.com/voiceassist/gateway/shared/endpoint"
)

const corkSize = 128 << 10 // bytes of buffered writes that are sent at once

// A corkListener accepts connections that implement [endpoint.Corker].
type corkListener struct{ net.Listener }

// Accept returns the next connection.
func (l corkListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &corkConn{Conn: c}, nil
}

// withCorker gives the requests of a TLS connection access to the
// [corkConn] below it.
func withCorker(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		if g, ok := t.NetConn().(*corkConn); ok {
			return endpoint.WithCorker(ctx, g)
		}
	}
	return ctx
}

// A corkConn buffers what is written between Cork and Uncork and sends it
// in large pieces. It is safe for concurrent use: TLS also writes for its reader.
// After a failed write every later write fails too, since data after a gap is
// useless.
type corkConn struct {
	net.Conn

	mu        sync.Mutex
	buffering bool
	buffer    *[]byte // nil when empty
	err       error   // of the first failed write
}

// bufferPool holds the write buffers. A connection has one only while there is
// data in it.
var bufferPool = sync.Pool{New: func() any {
	b := make([]byte, 0, corkSize+corkSize/4)
	return &b
}}

// Cork starts buffering.
func (c *corkConn) Cork() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buffering = true
}

// Uncork sends the buffer and stops buffering.
func (c *corkConn) Uncork() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buffering = false
	c.flush()
	return c.err
}

// Write sends p, or buffers it between Cork and Uncork.
func (c *corkConn) Write(p []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return 0, c.err
	case !c.buffering:
		n, c.err = c.Conn.Write(p)
		return n, c.err
	}
	if c.buffer == nil {
		c.buffer = bufferPool.Get().(*[]byte)
	}
	*c.buffer = append(*c.buffer, p...)
	if len(*c.buffer) >= corkSize {
		c.flush()
	}
	return len(p), c.err
}

// flush sends the buffer. The caller holds c.mu.
func (c *corkConn) flush() {
	if c.buffer == nil {
		return
	}
	if c.err == nil {
		_, c.err = c.Conn.Write(*c.buffer)
	}
	*c.buffer = (*c.buffer)[:0]
	bufferPool.Put(c.buffer)
	c.buffer = nil
}
