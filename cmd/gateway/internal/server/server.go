package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/voiceassist/gateway/shared/endpoint"
)

// The limits of one connection and of the stop.
const (
	maxHeaderBytes = 32 << 10
	maxStreams     = 100 // concurrent requests of one HTTP/2 connection

	// DrainTimeout is how long requests in flight may go on after the stop began.
	DrainTimeout = 10 * time.Second
)

// Times are how long a connection may take for what.
type Times struct {
	Header time.Duration // to send a header, and for the TLS handshake
	Read   time.Duration // to send a request: a body of 1 MiB over a bad line
	Write  time.Duration // from the header on to take the answer; streams set their own
	Idle   time.Duration // between two requests
	Stall  time.Duration // to take anything at all, of whatever an HTTP/2 connection sends
}

// DefaultTimes returns those of a server that is given none.
func DefaultTimes() Times {
	return Times{
		Header: 5 * time.Second, Read: 30 * time.Second, Write: time.Minute, Idle: 2 * time.Minute, Stall: time.Minute,
	}
}

// ErrCut is what [Server.Run] returns when requests did not end within the
// drain timeout and their connections were cut.
var ErrCut = errors.New("some requests did not end in time and were aborted")

// A Server is the gateway on the network. Its fields are not changed after Run
// was called.
type Server struct {
	Settings

	Endpoint endpoint.Settings // the log, the clock, and how the redirect answers
	Handler  http.Handler      // over HTTPS, and /health over plain HTTP
	Metrics  http.Handler      // on METRICS_ADDR; may be nil
	Ready    func(Addresses)   // called once, when all listen; may be nil
	Drain    time.Duration     // 0 is [DrainTimeout]
	Times    Times             // the zero value is [DefaultTimes]
}

// Addresses are where a server listens, with the ports that the system chose
// for those given as 0.
type Addresses struct {
	HTTP    net.Addr
	HTTPS   net.Addr
	Metrics net.Addr // nil for no metrics
}

// Run listens on all addresses, then serves until ctx ends or a listener fails.
// It then takes no more connections, lets requests in flight end, and cuts what
// goes on after the drain timeout, which is [ErrCut]. The contexts of requests
// do not end with ctx, but when they are cut. A clean stop returns nil.
func (s *Server) Run(ctx context.Context) error {
	doors, addrs, err := s.open(ctx)
	if err != nil {
		return err
	}
	if s.Ready != nil {
		s.Ready(addrs)
	}
	g, serving := errgroup.WithContext(ctx)
	for _, d := range doors {
		g.Go(d.serve)
	}
	<-serving.Done() // ctx ended, or a listener failed
	stopped := s.stop(ctx, doors)
	return errors.Join(g.Wait(), stopped)
}

// open listens on all addresses, or on none.
func (s *Server) open(ctx context.Context) ([]*door, Addresses, error) {
	plain := s.door(ctx, VariableHTTP, s.HTTPAddr)
	secure := s.door(ctx, VariableHTTPS, s.HTTPSAddr)
	plain.crowd = &crowd{
		most: s.Connections, mostOfOne: s.ConnectionsPerClient, proxies: s.Endpoint.Proxies,
		now: s.Endpoint.Now, log: s.Endpoint.Log, of: map[string]int{},
	}
	secure.crowd = plain.crowd
	doors := []*door{plain, secure}
	if s.MetricsAddr != "" && s.Metrics != nil {
		doors = append(doors, s.door(ctx, VariableMetrics, s.MetricsAddr))
	}
	for i, d := range doors {
		if err := d.listen(ctx); err != nil {
			closeAll(doors[:i])
			return nil, Addresses{}, err
		}
	}
	config, err := TLS(s.Settings, s.Endpoint.Now, s.Endpoint.Log)
	if err != nil {
		closeAll(doors)
		return nil, Addresses{}, err
	}
	addrs := Addresses{HTTP: plain.listener.Addr(), HTTPS: secure.listener.Addr()}
	plain.server.Handler = unambiguous(s.plain(portOf(addrs.HTTPS)))
	secure.server.Handler, secure.server.TLSConfig = unambiguous(s.Handler), config
	for _, d := range doors[2:] {
		addrs.Metrics, d.server.Handler = d.listener.Addr(), s.Metrics
	}
	return doors, addrs, nil
}

// stop ends all servers at once. ctx has ended; what it carries is still good.
func (s *Server) stop(ctx context.Context, doors []*door) error {
	drain := s.Drain
	if drain == 0 {
		drain = DrainTimeout
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	var g errgroup.Group
	for _, d := range doors {
		g.Go(func() error {
			if err := d.server.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
				d.server.Close()
				return ErrCut
			}
			return nil
		})
	}
	return g.Wait()
}
