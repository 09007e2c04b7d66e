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

// tell is how often the log says that connections are turned away, at most.
const tell = time.Minute

// A crowd counts the connections that are open to clients, in all and of each
// client, as [ratelimit.Network] knows them. It is safe for concurrent use.
type crowd struct {
	most, mostOfOne int              // connections
	proxies         endpoint.Proxies // which stand for many clients, and count in all only
	now             func() time.Time
	log             *slog.Logger

	mu     sync.Mutex
	open   int
	of     map[string]int
	told   time.Time
	turned int // away, since then
}

// enter counts a connection from addr, or reports that there is no place for it.
// Whoever entered leaves once, from the same addr.
func (c *crowd) enter(addr net.Addr) bool {
	client := c.client(addr)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open >= c.most || client != "" && c.of[client] >= c.mostOfOne {
		c.turn(client)
		return false
	}
	c.open++
	c.of[client]++
	return true
}

func (c *crowd) leave(addr net.Addr) {
	client := c.client(addr)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	if c.of[client]--; c.of[client] == 0 {
		delete(c.of, client)
	}
}

// client returns what counts as one, "" for what is none.
func (c *crowd) client(addr net.Addr) string {
	from, err := netip.ParseAddrPort(addr.String())
	if err != nil || c.proxies.Trusts(from.Addr()) {
		return ""
	}
	return ratelimit.Network(from.Addr())
}

// turn notes that a connection was turned away. The caller has the lock.
func (c *crowd) turn(client string) {
	c.turned++
	now := c.now()
	if now.Sub(c.told) < tell {
		return
	}
	c.log.Warn("connections are turned away", slog.Int("count", c.turned), slog.Int("open", c.open),
		slog.String("address", client), slog.Int("open_of_address", c.of[client]))
	c.told, c.turned = now, 0
}

// guarded turns connections away that there is no place for, before anything of
// them is read: at once, as whoever waited would hold a place in the system's
// queue for all.
type guarded struct {
	net.Listener

	crowd *crowd
}

// Accept waits for the next connection that there is a place for.
func (l guarded) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.crowd.enter(conn.RemoteAddr()) {
			return &entered{Conn: conn, crowd: l.crowd}, nil
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		conn.Close()
	}
}

// An entered connection leaves the crowd when it is closed.
type entered struct {
	net.Conn

	crowd *crowd
	once  sync.Once
}

// Close closes the connection, which may be done more than once.
func (e *entered) Close() error {
	e.once.Do(func() { e.crowd.leave(e.RemoteAddr()) })
	return e.Conn.Close()
}
