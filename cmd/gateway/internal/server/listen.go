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

// A door is one listener and its server.
type door struct {
	variable string
	addr     string
	listener net.Listener
	crowd    *crowd // nil for who may come as often as they like
	server   *http.Server
}

// door returns a door that does not listen yet and leads nowhere.
func (s *Server) door(ctx context.Context, variable, addr string) *door {
	base := context.WithoutCancel(ctx) // the stop must not end what is in flight
	times := cmp.Or(s.Times, DefaultTimes())
	return &door{variable: variable, addr: addr, server: &http.Server{
		ReadHeaderTimeout: times.Header,
		ReadTimeout:       times.Read,
		WriteTimeout:      times.Write,
		IdleTimeout:       times.Idle,
		MaxHeaderBytes:    defense.Limit(defense.HeaderLimit, maxHeaderBytes),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams, WriteByteTimeout: times.Stall},
		ErrorLog:          log.New(errorLog{s.Endpoint.Log}, "", 0),
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext:       withGatherer,
	}}
}

// unambiguous is h with an end of the connection after each request that others
// may take for a longer or a shorter one: in chunks, beside which net/http
// silently drops a Content-Length, and with a body under HTTP/1.0, where it drops
// the chunks instead. Whoever stands in front and counted otherwise would take
// the answer to what follows for that to somebody else (RFC 9112 section 6.1).
func unambiguous(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if defense.ConnectionClose && (len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1) && r.ContentLength != 0) {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
}

// listen opens the door. Its error is one line that names the variable.
func (d *door) listen(ctx context.Context) (err error) {
	var lc net.ListenConfig
	d.listener, err = lc.Listen(ctx, "tcp", d.addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s: %w: stop the process that listens there, perhaps another gateway, or set %s to another address",
			d.variable, err, d.variable)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", d.variable, err)
	}
	if d.crowd != nil {
		d.listener = guarded{d.listener, d.crowd}
	}
	return nil
}

// serve returns nil once the server is shut down.
func (d *door) serve() error {
	var err error
	if d.server.TLSConfig != nil {
		err = d.server.ServeTLS(gathering{d.listener}, "", "")
	} else {
		err = d.server.Serve(d.listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve on %s: %w", d.variable, err)
}

func closeAll(doors []*door) {
	for _, d := range doors {
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

// errorLog takes what net/http says about connections. A handshake that fails
// is the internet knocking and tells an operator nothing.
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
