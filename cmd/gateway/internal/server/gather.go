package server

import (
	"context"
	"crypto/tls"
	"net"
	"sync"

	"github.com/voiceassist/gateway/shared/endpoint"
)

const gatherSize = 128 << 10 // bytes at which what is held goes out

// gathering makes connections that are an [endpoint.Corker].
type gathering struct{ net.Listener }

// Accept waits for the next connection.
func (l gathering) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &gathered{Conn: c}, nil
}

// withGatherer lets the requests of a connection under TLS use what is below it.
func withGatherer(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		if g, ok := t.NetConn().(*gathered); ok {
			return endpoint.WithCorker(ctx, g)
		}
	}
	return ctx
}

// A gathered connection sends what is written between Cork and Uncork in
// large pieces. It is safe for concurrent use: TLS also writes on behalf of its
// reader. A failure to send is that of every later write, as what follows a gap
// is garbage.
type gathered struct {
	net.Conn

	mu   sync.Mutex
	on   bool
	held *[]byte // nil for nothing
	err  error
}

// pieces are what writes are held in; a connection has one only while it holds
// something.
var pieces = sync.Pool{New: func() any {
	b := make([]byte, 0, gatherSize+gatherSize/4)
	return &b
}}

// Cork lets writes be held.
func (g *gathered) Cork() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.on = true
}

// Uncork sends what is held, and lets nothing be held any more.
func (g *gathered) Uncork() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.on = false
	g.send()
	return g.err
}

// Write sends p, or holds it.
func (g *gathered) Write(p []byte) (n int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.err != nil:
		return 0, g.err
	case !g.on:
		n, g.err = g.Conn.Write(p)
		return n, g.err
	}
	if g.held == nil {
		g.held = pieces.Get().(*[]byte)
	}
	*g.held = append(*g.held, p...)
	if len(*g.held) >= gatherSize {
		g.send()
	}
	return len(p), g.err
}

// send sends what is held. The caller has the lock.
func (g *gathered) send() {
	if g.held == nil {
		return
	}
	if g.err == nil {
		_, g.err = g.Conn.Write(*g.held)
	}
	*g.held = (*g.held)[:0]
	pieces.Put(g.held)
	g.held = nil
}
