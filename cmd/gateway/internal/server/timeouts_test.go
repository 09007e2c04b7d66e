package server_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/voiceassist/gateway/cmd/gateway/internal/server"
	"github.com/voiceassist/gateway/shared/endpoint"
)

const (
	shortTimeout = time.Second           // the timeout under test
	slowInterval = 20 * time.Millisecond // between the bytes of a slow client
	longTimeout  = 2 * time.Minute       // all other timeouts; a test that takes half of it has failed
)

// withTimeouts gives a server long timeouts; each test shortens the one that it is
// about.
func withTimeouts(change func(*server.Timeouts)) func(*server.Server) {
	return func(s *server.Server) {
		s.Timeouts = server.Timeouts{Header: longTimeout, Read: longTimeout, Write: longTimeout, Idle: longTimeout, Stall: longTimeout}
		change(&s.Timeouts)
	}
}

// dial opens a TLS connection for the protocol. On a busy machine a handshake may
// take longer than the timeout under test; dial then tries again.
func (r *running) dial(t *testing.T, protocol string) *tls.Conn {
	t.Helper()
	d := tls.Dialer{Config: &tls.Config{RootCAs: r.roots, NextProtos: []string{protocol}}}
	var conn net.Conn
	retry(t, func() (err error) {
		conn, err = d.DialContext(t.Context(), "tcp", r.addrs.HTTPS.String())
		return err
	})
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(longTimeout / 2)); err != nil {
		t.Fatal(err)
	}
	return conn.(*tls.Conn)
}

// retry calls attempt until it succeeds.
func retry(t *testing.T, attempt func() error) {
	t.Helper()
	for begin := time.Now(); ; {
		err := attempt()
		if err == nil {
			return
		}
		if time.Since(begin) > longTimeout/2 {
			t.Fatal(err)
		}
	}
}

// writeSlowly writes text and then pad, byte by byte, until a write fails. It runs
// beside the reader of the connection.
func writeSlowly(conn net.Conn, text string, pad byte) {
	ticker := time.NewTicker(slowInterval)
	defer ticker.Stop()
	for n := 0; ; n++ {
		b := pad
		if n < len(text) {
			b = text[n]
		}
		if _, err := conn.Write([]byte{b}); err != nil {
			return
		}
		<-ticker.C
	}
}

// readUntilClosed waits until the server closes the connection, and returns what it
// sent.
func readUntilClosed(t *testing.T, conn net.Conn) string {
	t.Helper()
	begin := time.Now()
	said, err := io.ReadAll(conn)
	if isTimeout(err) {
		t.Errorf("the connection is open after %v", time.Since(begin))
	}
	return string(said)
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

func TestTimeouts_DisconnectSlowClients(t *testing.T) {
	t.Parallel()
	reads := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	for _, test := range []struct {
		name   string
		change func(*server.Timeouts)
		client func(t *testing.T, r *running)
	}{
		{"no handshake", func(s *server.Timeouts) { s.Header = shortTimeout }, func(t *testing.T, r *running) {
			t.Helper()
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", r.addrs.HTTPS.String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(longTimeout / 2)); err != nil {
				t.Fatal(err)
			}
			readUntilClosed(t, conn)
		}},
		{"a header, byte by byte", func(s *server.Timeouts) { s.Header = shortTimeout }, func(t *testing.T, r *running) {
			t.Helper()
			conn := r.dial(t, "http/1.1")
			go writeSlowly(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", 'a')
			readUntilClosed(t, conn)
		}},
		{"a header over plain HTTP", func(s *server.Timeouts) { s.Header = shortTimeout }, func(t *testing.T, r *running) {
			t.Helper()
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", r.addrs.HTTP.String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(longTimeout / 2)); err != nil {
				t.Fatal(err)
			}
			go writeSlowly(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", 'a')
			readUntilClosed(t, conn)
		}},
		{"a body, byte by byte", func(s *server.Timeouts) { s.Read = shortTimeout }, func(t *testing.T, r *running) {
			t.Helper()
			conn := r.dial(t, "http/1.1")
			go writeSlowly(conn, "", 'a')
			io.WriteString(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
			readUntilClosed(t, conn)
		}},
		{"a second request that never comes", func(s *server.Timeouts) { s.Idle = shortTimeout }, func(t *testing.T, r *running) {
			t.Helper()
			conn := r.dial(t, "http/1.1")
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
			if said := readUntilClosed(t, conn); !strings.HasPrefix(said, "HTTP/1.1 200 ") {
				t.Errorf("the first got %q", said)
			}
		}},
		{"HTTP/2 without a request", func(s *server.Timeouts) { s.Idle = shortTimeout }, func(t *testing.T, r *running) {
			t.Helper()
			conn, _ := r.framer(t)
			readUntilClosed(t, conn)
		}},
		{"HTTP/2, a header in pieces", func(s *server.Timeouts) { s.Idle = shortTimeout }, func(t *testing.T, r *running) {
			t.Helper()
			conn, f := r.framer(t)
			go func() {
				err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers("GET", "/")})
				for ticker := time.NewTicker(slowInterval); err == nil; <-ticker.C {
					err = f.WriteContinuation(1, false, []byte{0x00, 0x01, 'a', 0x01, 'b'})
				}
			}()
			readUntilClosed(t, conn)
		}},
		{"HTTP/2, a body byte by byte", func(s *server.Timeouts) { s.Read = shortTimeout }, func(t *testing.T, r *running) {
			t.Helper()
			conn, f := r.framer(t)
			go func() {
				err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers("POST", "/"), EndHeaders: true})
				for ticker := time.NewTicker(slowInterval); err == nil; <-ticker.C {
					err = f.WriteData(1, false, []byte("a"))
				}
			}()
			for { // only this request ends, not the connection
				frame, err := f.ReadFrame()
				if isTimeout(err) {
					t.Fatal(err)
				}
				if err != nil {
					break // the timeout came before the headers
				}
				if end, ok := frame.(*http2.HeadersFrame); ok && end.StreamID == 1 && end.StreamEnded() {
					break
				}
				if reset, ok := frame.(*http2.RSTStreamFrame); ok && reset.StreamID == 1 {
					break
				}
			}
			conn.Close()
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, reads, withTimeouts(test.change))
			test.client(t, s)
			client := s.client(true)
			retry(t, func() error {
				resp, err := client.Get("https://" + s.addrs.HTTPS.String())
				if err != nil {
					return err
				}
				if resp.StatusCode != http.StatusOK {
					t.Errorf("another client got %s", resp.Status)
				}
				return resp.Body.Close()
			})
		})
	}
}

// A client that requests much and reads nothing loses its response and connection.
// In HTTP/2 both could last forever: the timeout of a request does not limit what
// its connection sends.
func TestTimeouts_DisconnectClientsThatDoNotRead(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*server.Timeouts)
		ask    func(t *testing.T, r *running) (conn net.Conn, poke func() error)
	}{
		{"HTTP/1.1", func(s *server.Timeouts) { s.Write = shortTimeout }, func(t *testing.T, r *running) (net.Conn, func() error) {
			t.Helper()
			conn := r.dial(t, "http/1.1")
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
			return conn, func() error { _, err := conn.Write([]byte("a")); return err }
		}},
		{"HTTP/2", func(s *server.Timeouts) { s.Stall = shortTimeout }, func(t *testing.T, r *running) (net.Conn, func() error) {
			t.Helper()
			conn, f := r.framer(t)
			f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
			f.WriteWindowUpdate(0, 1<<30)
			if err := f.WriteHeaders(http2.HeadersFrameParam{
				StreamID: 1, BlockFragment: headers("GET", "/"), EndHeaders: true, EndStream: true,
			}); err != nil {
				t.Fatal(err)
			}
			return conn, func() error { return f.WritePing(false, [8]byte{}) }
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			answered := make(chan struct{})
			much := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				defer close(answered)
				for piece := make([]byte, 1<<20); ; {
					if _, err := w.Write(piece); err != nil {
						return
					}
				}
			})
			s := start(t, much, withTimeouts(test.change))
			_, poke := test.ask(t, s)
			deadline := time.After(longTimeout / 2)
			select {
			case <-answered:
			case <-deadline:
				t.Fatal("the handler writes on")
			}
			for ticker := time.NewTicker(slowInterval); poke() == nil; {
				select {
				case <-ticker.C:
				case <-deadline:
					t.Fatal("the connection takes more")
				}
			}
		})
	}
}

// framer opens an HTTP/2 connection and sends the preface. If that takes longer
// than the timeout under test, the connection has ended, as it should.
func (r *running) framer(t *testing.T) (*tls.Conn, *http2.Framer) {
	t.Helper()
	conn := r.dial(t, "h2")
	io.WriteString(conn, http2.ClientPreface)
	f := http2.NewFramer(conn, conn)
	f.WriteSettings()
	return conn, f
}

// headers returns the encoded headers of a request.
func headers(method, path string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for _, field := range [][2]string{{":method", method}, {":scheme", "https"}, {":authority", "localhost"}, {":path", path}} {
		e.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	return b.Bytes()
}

// TestConnectionLimits opens as many connections as allowed, for one client and in
// total. The server rejects further ones until one of them is closed.
func TestConnectionLimits(t *testing.T) {
	t.Parallel()
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "served") })
	for name, limit := range map[string]func(*server.Server){
		"of a client":  func(s *server.Server) { s.ConnectionsPerClient = 3 },
		"in all":       func(s *server.Server) { s.Connections = 3 },
		"behind proxy": func(s *server.Server) { s.ConnectionsPerClient, s.Connections = 1, 3; s.Endpoint.Proxies = loopback() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Now() // constant, since a rejection is logged once a minute
			s := start(t, ok, limit, func(s *server.Server) { s.Endpoint.Now = func() time.Time { return now } })
			open := []*tls.Conn{s.dial(t, "http/1.1"), s.dial(t, "http/1.1")}
			plain, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.addrs.HTTP.String()) // counts, too
			if err != nil {
				t.Fatal(err)
			}
			defer plain.Close()
			// Each listener has its own accept queue: a response shows that a
			// connection has left it.
			for _, conn := range []net.Conn{plain, open[0]} {
				io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
				if n, err := conn.Read(make([]byte, 100)); n == 0 {
					t.Errorf("one that is there gets nothing: %v", err)
				}
			}
			client := s.client(false)
			url := "https://" + s.addrs.HTTPS.String()
			for range 2 {
				if resp, err := client.Get(url); err == nil {
					resp.Body.Close()
					t.Error("one too many is served")
				}
			}
			open[1].Close()
			retry(t, func() error { // the server sees it
				resp, err := client.Get(url)
				if err != nil {
					return fmt.Errorf("nobody gets in when one left: %w", err)
				}
				return resp.Body.Close()
			})
			if n := strings.Count(s.log.String(), "connections are turned away"); n != 1 {
				t.Errorf("the log tells it %d times:\n%s", n, s.log)
			}
		})
	}
}

func loopback() endpoint.Proxies {
	return endpoint.Proxies{netip.MustParsePrefix("127.0.0.0/8")}
}
