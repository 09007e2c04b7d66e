package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"

	"github.com/voiceassist/gateway/shared/foundation/defense"
)

// An httpServer is one listener with its server.
type httpServer struct {
	variable string
	addr     string
	listener net.Listener
	limiter  *connLimiter // nil: unlimited
	server   *http.Server
}

// newServer returns a server that does not listen yet and has no handler.
func (s *Server) newServer(ctx context.Context, variable, addr string) *httpServer {
	base := context.WithoutCancel(ctx) // a shutdown must not end requests in flight
	times := cmp.Or(s.Timeouts, defaultTimeouts())
	return &httpServer{variable: variable, addr: addr, server: &http.Server{
		ReadHeaderTimeout: times.Header,
		ReadTimeout:       times.Read,
		WriteTimeout:      times.Write,
		IdleTimeout:       times.Idle,
		MaxHeaderBytes:    defense.Limit(defense.HeaderLimit, maxHeaderBytes),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxConcurrentStreams, WriteByteTimeout: times.Stall},
		ErrorLog:          log.New(errorLog{s.Endpoint.Log}, "", 0),
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext:       withCorker,
	}}
}

// unambiguous wraps h so that the connection ends after each request whose length
// a proxy may read differently. Those are requests in chunks, where net/http
// silently drops a Content-Length, and requests with a body in HTTP/1.0, where it
// drops the chunks instead. A proxy that disagrees about the length would assign
// later responses to the wrong requests (RFC 9112 section 6.1).
func unambiguous(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if defense.ConnectionClose && (len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1) && r.ContentLength != 0) {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
}

// listen opens the listener. Its error is one line that names the variable.
func (d *httpServer) listen(ctx context.Context) (err error) {
	var lc net.ListenConfig
	d.listener, err = lc.Listen(ctx, "tcp", d.addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s: %w: stop the process that listens there, perhaps another gateway, or set %s to another address",
			d.variable, err, d.variable)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", d.variable, err)
	}
	if d.limiter != nil {
		d.listener = limitedListener{d.listener, d.limiter}
	}
	return nil
}

// serve accepts connections. It returns nil after a shutdown.
func (d *httpServer) serve() error {
	var err error
	if d.server.TLSConfig != nil {
		err = d.server.ServeTLS(corkListener{d.listener}, "", "")
	} else {
		err = d.server.Serve(d.listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve on %s: %w", d.variable, err)
}

func closeAll(servers []*httpServer) {
	for _, d := range servers {
		d.listener.Close()
	}
}

// portOf returns the port of a TCP listener.
func portOf(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return strconv.Itoa(tcp.Port)
	}
	return ""
}

// errorLog writes the messages of net/http about connections to a slog.Logger.
// Failed handshakes are only logged for debugging: scanners cause them all the
// time.
type errorLog struct{ log *slog.Logger }

func (e errorLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	level := slog.LevelInfo
	if strings.HasPrefix(text, "http: TLS handshake error") {
		level = slog.LevelDebug
	}
	e.log.LogAttrs(context.Background(), level, "http server", slog.String("text", text))
	return len(line), nil
}
