package server

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/voiceassist/gateway/shared/endpoint"
)

// Limits of one connection and of the shutdown.
const (
	maxHeaderBytes       = 32 << 10
	maxConcurrentStreams = 100 // concurrent requests of one HTTP/2 connection

	// drainTimeout is how long requests in flight may continue after the shutdown
	// began.
	drainTimeout = 10 * time.Second
)

// Timeouts limit how long a connection may take.
type Timeouts struct {
	Header time.Duration // for the TLS handshake and for the header of a request
	Read   time.Duration // for a whole request: a body of 1 MiB over a slow line
	Write  time.Duration // from the header of the request to the end of the response; streams set their own
	Idle   time.Duration // between requests
	Stall  time.Duration // until an HTTP/2 client reads any byte that is sent to it
}

// defaultTimeouts returns the timeouts of a server whose Timeouts are zero.
func defaultTimeouts() Timeouts {
	return Timeouts{
		Header: 5 * time.Second, Read: 30 * time.Second, Write: time.Minute, Idle: 2 * time.Minute, Stall: time.Minute,
	}
}

// ErrAborted is the error of [Server.Run] when requests did not end within the
// drain timeout and their connections were closed.
var ErrAborted = errors.New("some requests did not end in time and were aborted")

// A Server serves the gateway on the network. Do not change its fields after Run
// was called, nor copy it.
type Server struct {
	Settings

	Endpoint endpoint.Settings // log, clock, and settings of the redirect
	Handler  http.Handler      // over HTTPS, and /health over plain HTTP
	Metrics  http.Handler      // on METRICS_ADDR; may be nil
	Ready    func(Addresses)   // called once, when all addresses are open; may be nil
	Drain    time.Duration     // 0 is 10 seconds
	Timeouts Timeouts          // the zero value stands for the defaults

	running atomic.Pointer[func() Status] // nil before Run
}

// A Status describes a server that runs. The zero value is that of one that does not.
type Status struct {
	Connections        int       // open ones, over HTTPS and plain HTTP
	Refused            int       // connections, since the start
	CertificateExpires time.Time // of the certificate for HTTPS
}

// Status returns the status of the server. It may be called at any time, and concurrently.
func (s *Server) Status() Status {
	if status := s.running.Load(); status != nil {
		return (*status)()
	}
	return Status{}
}

// Addresses are where a server listens. A port that was given as 0 is the one
// that the system chose.
type Addresses struct {
	HTTP    net.Addr
	HTTPS   net.Addr
	Metrics net.Addr // nil if metrics are off
}

// Run listens on all addresses, then serves until ctx ends or a listener fails. It
// then accepts no more connections and lets requests in flight end. If some do not
// end within the drain timeout, it closes their connections and returns
// [ErrAborted]. The contexts of requests end with their connections, not with ctx.
// A clean shutdown returns nil.
func (s *Server) Run(ctx context.Context) error {
	servers, addrs, err := s.open(ctx)
	if err != nil {
		return err
	}
	if s.Ready != nil {
		s.Ready(addrs)
	}
	g, serving := errgroup.WithContext(ctx)
	for _, d := range servers {
		g.Go(d.serve)
	}
	<-serving.Done() // ctx ended, or a listener failed
	s.Endpoint.Log.LogAttrs(context.WithoutCancel(ctx), slog.LevelInfo, "stopping",
		slog.Int("connections", s.Status().Connections), slog.Float64("drain_s", s.drain().Seconds()))
	stopped := s.stop(ctx, servers)
	return errors.Join(g.Wait(), stopped)
}

// open listens on all addresses or, if it fails, on none.
func (s *Server) open(ctx context.Context) ([]*httpServer, Addresses, error) {
	plain := s.newServer(ctx, variableHTTP, s.HTTPAddr)
	secure := s.newServer(ctx, variableHTTPS, s.HTTPSAddr)
	plain.limiter = &connLimiter{
		max: s.Connections, maxPerClient: s.ConnectionsPerClient, proxies: s.Endpoint.Proxies,
		now: s.Endpoint.Now, log: s.Endpoint.Log, perClient: map[string]int{},
	}
	secure.limiter = plain.limiter
	servers := []*httpServer{plain, secure}
	if s.MetricsAddr != "" && s.Metrics != nil {
		servers = append(servers, s.newServer(ctx, variableMetrics, s.MetricsAddr))
	}
	for i, d := range servers {
		if err := d.listen(ctx); err != nil {
			closeAll(servers[:i])
			return nil, Addresses{}, err
		}
	}
	config, expires, err := TLS(s.Settings, s.Endpoint.Now, s.Endpoint.Log)
	if err != nil {
		closeAll(servers)
		return nil, Addresses{}, err
	}
	s.running.Store(new(func() Status {
		open, refused := plain.limiter.counts()
		return Status{Connections: open, Refused: refused, CertificateExpires: expires()}
	}))
	addrs := Addresses{HTTP: plain.listener.Addr(), HTTPS: secure.listener.Addr()}
	plain.server.Handler = unambiguous(s.plain(portOf(addrs.HTTPS)))
	secure.server.Handler, secure.server.TLSConfig = unambiguous(new(pacer).pace(s.Handler)), config
	for _, d := range servers[2:] {
		addrs.Metrics, d.server.Handler = d.listener.Addr(), s.Metrics
	}
	return servers, addrs, nil
}

// drain returns how long requests in flight may continue.
func (s *Server) drain() time.Duration { return cmp.Or(s.Drain, drainTimeout) }

// stop shuts all servers down at once. ctx has ended; only its values are used.
func (s *Server) stop(ctx context.Context, servers []*httpServer) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.drain())
	defer cancel()
	var g errgroup.Group
	for _, d := range servers {
		g.Go(func() error {
			if err := d.server.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
				d.server.Close()
				return ErrAborted
			}
			return nil
		})
	}
	return g.Wait()
}
