package storetest

import (
	"bytes"
	"net"
	"net/url"
	"sync"
	"testing"
)

// A Line is a proxy between a program and a server of [Cluster] that can break
// connections as networks do. Connections that are made afterwards work. It is
// safe for concurrent use.
type Line struct {
	listener net.Listener
	server   string // host and port
	url      string

	ends sync.WaitGroup

	mu    sync.Mutex
	ended *sync.Cond // with mu; a connection ended
	made  int
	taken int                // how many the client closed with Terminate
	calls map[*lineCall]bool // that are open
}

// A lineCall is one connection and the one to the server.
type lineCall struct {
	client, server net.Conn

	mu    sync.Mutex
	cut   bool
	muted bool // nothing is passed on
	deaf  bool // responses are dropped
}

// NewLine returns a line to the database that dsn names; it ends with tb.
func NewLine(tb testing.TB, dsn string) *Line {
	tb.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		tb.Fatal("a DSN of this package is no URL")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("line to PostgreSQL: %v", err)
	}
	l := &Line{listener: listener, server: u.Host, calls: map[*lineCall]bool{}}
	l.ended = sync.NewCond(&l.mu)
	u.Host = listener.Addr().String()
	l.url = u.String()
	l.ends.Go(l.serve)
	tb.Cleanup(func() {
		listener.Close()
		l.Reset()
		l.ends.Wait()
	})
	return l
}

// URL returns the URL of the database through the line.
func (l *Line) URL() string { return l.url }

// Connections returns how many connections were made.
func (l *Line) Connections() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.made
}

// CleanCloses waits until no connection is open, and returns how many of them the
// client ended with a message (Terminate, PostgreSQL section 55.7).
func (l *Line) CleanCloses() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.calls) > 0 {
		l.ended.Wait()
	}
	return l.taken
}

// Reset ends every connection with a RST, as a killed server or a router without
// state does.
func (l *Line) Reset() {
	l.each(func(c *lineCall) { c.end() })
}

// Mute keeps every connection open and drops everything, as a router does that
// drops packets of unknown connections.
func (l *Line) Mute() {
	l.each(func(c *lineCall) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.muted = true
	})
}

// DropResponses keeps every connection open and passes on requests, but no
// responses.
func (l *Line) DropResponses() {
	l.each(func(c *lineCall) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.deaf = true
	})
}

func (l *Line) each(do func(*lineCall)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.calls {
		do(c)
	}
}

func (l *Line) serve() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", l.server)
		if err != nil {
			client.Close()
			continue
		}
		c := &lineCall{client: client, server: server}
		l.mu.Lock()
		l.made++
		l.calls[c] = true
		l.mu.Unlock()
		l.ends.Go(func() { l.pass(c) })
	}
}

// pass serves one connection.
func (l *Line) pass(c *lineCall) {
	var (
		both sync.WaitGroup
		last []byte
	)
	both.Go(func() { last = c.copy(c.server, c.client) })
	both.Go(func() { c.copy(c.client, c.server) })
	both.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if bytes.HasSuffix(last, []byte("X\x00\x00\x00\x04")) {
		l.taken++
	}
	delete(l.calls, c)
	l.ended.Broadcast()
}

// copy passes on the bytes of one side until it or the line ends, and returns the
// last ones.
func (c *lineCall) copy(to, from net.Conn) (last []byte) {
	defer c.end()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		c.mu.Lock()
		muted := c.muted || c.deaf && to == c.client
		c.mu.Unlock()
		if n > 0 {
			last = bytes.Clone(b[:n])
		}
		if n > 0 && !muted {
			if _, err := to.Write(b[:n]); err != nil {
				return last
			}
		}
		if err != nil {
			return last
		}
	}
}

// end closes both sides.
func (c *lineCall) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return
	}
	c.cut = true
	for _, conn := range []net.Conn{c.client, c.server} {
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		conn.Close()
	}
}
