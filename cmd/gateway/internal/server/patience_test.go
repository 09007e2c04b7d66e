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
	brief = time.Second           // the time under test
	tick  = 20 * time.Millisecond // between two of whatever a slow client does
	ages  = 2 * time.Minute       // what is not under test; a test that takes half of it failed
)

// leisurely is a server that waits long for everything; each test shortens what
// it is about.
func leisurely(change func(*server.Times)) func(*server.Server) {
	return func(s *server.Server) {
		s.Times = server.Times{Header: ages, Read: ages, Write: ages, Idle: ages, Stall: ages}
		change(&s.Times)
	}
}

// dial opens a connection under TLS that speaks the protocol. On a busy machine a
// handshake may take longer than the time under test, and is tried again.
func (r *running) dial(t *testing.T, protocol string) *tls.Conn {
	t.Helper()
	d := tls.Dialer{Config: &tls.Config{RootCAs: r.roots, NextProtos: []string{protocol}}}
	var conn net.Conn
	until(t, func() (err error) {
		conn, err = d.DialContext(t.Context(), "tcp", r.addrs.HTTPS.String())
		return err
	})
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(ages / 2)); err != nil {
		t.Fatal(err)
	}
	return conn.(*tls.Conn)
}

// until tries again until it works.
func until(t *testing.T, try func() error) {
	t.Helper()
	for begin := time.Now(); ; {
		err := try()
		if err == nil {
			return
		}
		if time.Since(begin) > ages/2 {
			t.Fatal(err)
		}
	}
}

// dribble writes a byte of text at every tick, then pads, until the connection
// does not take it. It runs beside the one who reads.
func dribble(conn net.Conn, text string, pad byte) {
	ticker := time.NewTicker(tick)
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

// ended returns when the server has closed the connection, and what it said.
func ended(t *testing.T, conn net.Conn) string {
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

func TestTimes_WhoIsSlowIsCutOff(t *testing.T) {
	t.Parallel()
	reads := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	for _, test := range []struct {
		name   string
		change func(*server.Times)
		client func(t *testing.T, r *running)
	}{
		{"no handshake", func(s *server.Times) { s.Header = brief }, func(t *testing.T, r *running) {
			t.Helper()
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", r.addrs.HTTPS.String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(ages / 2)); err != nil {
				t.Fatal(err)
			}
			ended(t, conn)
		}},
		{"a header, byte by byte", func(s *server.Times) { s.Header = brief }, func(t *testing.T, r *running) {
			t.Helper()
			conn := r.dial(t, "http/1.1")
			go dribble(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", 'a')
			ended(t, conn)
		}},
		{"a header over plain HTTP", func(s *server.Times) { s.Header = brief }, func(t *testing.T, r *running) {
			t.Helper()
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", r.addrs.HTTP.String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(ages / 2)); err != nil {
				t.Fatal(err)
			}
			go dribble(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", 'a')
			ended(t, conn)
		}},
		{"a body, byte by byte", func(s *server.Times) { s.Read = brief }, func(t *testing.T, r *running) {
			t.Helper()
			conn := r.dial(t, "http/1.1")
			go dribble(conn, "", 'a')
			io.WriteString(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
			ended(t, conn)
		}},
		{"a second request that never comes", func(s *server.Times) { s.Idle = brief }, func(t *testing.T, r *running) {
			t.Helper()
			conn := r.dial(t, "http/1.1")
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
			if said := ended(t, conn); !strings.HasPrefix(said, "HTTP/1.1 200 ") {
				t.Errorf("the first got %q", said)
			}
		}},
		{"HTTP/2 without a request", func(s *server.Times) { s.Idle = brief }, func(t *testing.T, r *running) {
			t.Helper()
			conn, _ := r.framer(t)
			ended(t, conn)
		}},
		{"HTTP/2, a header in pieces", func(s *server.Times) { s.Idle = brief }, func(t *testing.T, r *running) {
			t.Helper()
			conn, f := r.framer(t)
			go func() {
				err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers("GET", "/")})
				for ticker := time.NewTicker(tick); err == nil; <-ticker.C {
					err = f.WriteContinuation(1, false, []byte{0x00, 0x01, 'a', 0x01, 'b'})
				}
			}()
			ended(t, conn)
		}},
		{"HTTP/2, a body byte by byte", func(s *server.Times) { s.Read = brief }, func(t *testing.T, r *running) {
			t.Helper()
			conn, f := r.framer(t)
			go func() {
				err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers("POST", "/"), EndHeaders: true})
				for ticker := time.NewTicker(tick); err == nil; <-ticker.C {
					err = f.WriteData(1, false, []byte("a"))
				}
			}()
			for { // others on the connection go on: only this request ends
				frame, err := f.ReadFrame()
				if isTimeout(err) {
					t.Fatal(err)
				}
				if err != nil {
					break // nothing had come yet when the time was over
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
			s := start(t, reads, leisurely(test.change))
			test.client(t, s)
			client := s.client(true)
			until(t, func() error {
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

// Who asks for much and reads nothing ends the answer and loses the connection.
// Under HTTP/2 both could wait for ever: the time of a request does not bound
// what its connection sends.
func TestTimes_WhoTakesNothingIsCutOff(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*server.Times)
		ask    func(t *testing.T, r *running) (conn net.Conn, poke func() error)
	}{
		{"HTTP/1.1", func(s *server.Times) { s.Write = brief }, func(t *testing.T, r *running) (net.Conn, func() error) {
			t.Helper()
			conn := r.dial(t, "http/1.1")
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
			return conn, func() error { _, err := conn.Write([]byte("a")); return err }
		}},
		{"HTTP/2", func(s *server.Times) { s.Stall = brief }, func(t *testing.T, r *running) (net.Conn, func() error) {
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
			s := start(t, much, leisurely(test.change))
			_, poke := test.ask(t, s)
			deadline := time.After(ages / 2)
			select {
			case <-answered:
			case <-deadline:
				t.Fatal("the handler writes on")
			}
			for ticker := time.NewTicker(tick); poke() == nil; {
				select {
				case <-ticker.C:
				case <-deadline:
					t.Fatal("the connection takes more")
				}
			}
		})
	}
}

// framer opens a connection of HTTP/2 and greets. Where that takes longer than the
// time under test, the connection has ended, as it must.
func (r *running) framer(t *testing.T) (*tls.Conn, *http2.Framer) {
	t.Helper()
	conn := r.dial(t, "h2")
	io.WriteString(conn, http2.ClientPreface)
	f := http2.NewFramer(conn, conn)
	f.WriteSettings()
	return conn, f
}

// headers returns those of a request, encoded.
func headers(method, path string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for _, field := range [][2]string{{":method", method}, {":scheme", "https"}, {":authority", "localhost"}, {":path", path}} {
		e.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	return b.Bytes()
}

// TestConnections fills a server, from one client and in all: who comes then is
// turned away, and who leaves makes room.
func TestConnections(t *testing.T) {
	t.Parallel()
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "served") })
	for name, limit := range map[string]func(*server.Server){
		"of a client":  func(s *server.Server) { s.ConnectionsPerClient = 3 },
		"in all":       func(s *server.Server) { s.Connections = 3 },
		"behind proxy": func(s *server.Server) { s.ConnectionsPerClient, s.Connections = 1, 3; s.Endpoint.Proxies = loopback() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Now() // stands still, as the log tells it once a minute
			s := start(t, ok, limit, func(s *server.Server) { s.Endpoint.Now = func() time.Time { return now } })
			open := []*tls.Conn{s.dial(t, "http/1.1"), s.dial(t, "http/1.1")}
			plain, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.addrs.HTTP.String()) // counts, too
			if err != nil {
				t.Fatal(err)
			}
			defer plain.Close()
			// Each listener has its own queue: an answer tells that a connection was
			// taken from it.
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
			until(t, func() error { // the server sees it
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
