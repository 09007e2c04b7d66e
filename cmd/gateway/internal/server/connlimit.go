package server

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/ratelimit"
)

// rejectionLogInterval is the shortest time between two log lines about rejected
// connections.
const rejectionLogInterval = time.Minute

// A connLimiter limits the connections that are open, in total and for each
// client, as [ratelimit.Network] identifies clients. It is safe for concurrent
// use.
type connLimiter struct {
	max, maxPerClient int              // connections
	proxies           endpoint.Proxies // these stand for many clients and count only toward max
	now               func() time.Time
	log               *slog.Logger

	mu        sync.Mutex
	open      int
	perClient map[string]int
	logged    time.Time // when rejections were last logged
	rejected  int       // since then
	refused   int       // since the start
}

// acquire counts a connection from addr, or reports that the limit is reached.
// Each acquired connection must be released once, with the same addr.
func (l *connLimiter) acquire(addr net.Addr) bool {
	client := l.client(addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.max || client != "" && l.perClient[client] >= l.maxPerClient {
		l.logRejection(client)
		return false
	}
	l.open++
	l.perClient[client]++
	return true
}

func (l *connLimiter) release(addr net.Addr) {
	client := l.client(addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.perClient[client]--; l.perClient[client] == 0 {
		delete(l.perClient, client)
	}
}

// counts returns how many connections are open, and how many were refused.
func (l *connLimiter) counts() (open, refused int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open, l.refused
}

// client returns the key of the client at addr, or "" for a proxy.
func (l *connLimiter) client(addr net.Addr) string {
	from, err := netip.ParseAddrPort(addr.String())
	if err != nil || l.proxies.Trusts(from.Addr()) {
		return ""
	}
	return ratelimit.Network(from.Addr())
}

// logRejection counts a rejected connection and logs now and then. The caller
// holds l.mu.
func (l *connLimiter) logRejection(client string) {
	l.rejected++
	l.refused++
	now := l.now()
	if now.Sub(l.logged) < rejectionLogInterval {
		return
	}
	l.log.Warn("connections are turned away", slog.Int("count", l.rejected), slog.Int("open", l.open),
		slog.String("address", client), slog.Int("open_of_address", l.perClient[client]))
	l.logged, l.rejected = now, 0
}

// A limitedListener closes connections beyond the limit before it reads anything
// from them. It does so at once: a connection that waited would occupy the accept
// queue of the system, which all clients share.
type limitedListener struct {
	net.Listener

	limiter *connLimiter
}

// Accept returns the next connection within the limit.
func (l limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.limiter.acquire(conn.RemoteAddr()) {
			return &limitedConn{Conn: conn, limiter: l.limiter}, nil
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetLinger(0) // avoids TIME_WAIT; best effort
		}
		conn.Close() // nothing was sent
	}
}

// A limitedConn leaves the limiter when it is closed.
type limitedConn struct {
	net.Conn

	limiter *connLimiter
	once    sync.Once
}

// Close closes the connection. It may be called more than once.
func (c *limitedConn) Close() error {
	c.once.Do(func() { c.limiter.release(c.RemoteAddr()) })
	return c.Conn.Close()
}
