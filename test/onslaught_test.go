package test_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	patience = 30 * time.Second // for a response to another client, while all tests run
	growth   = 3                // factor over a gateway that is not under attack, at most
	frames   = 2_000_000        // the most that an attack sends if the server does not stop it
)

// handshakeTimeout is how long the server waits for a TLS handshake.
const handshakeTimeout = 5 * time.Second

// TestOnslaught runs attacks on the binary that cost the attacker little and a careless
// server much. Meanwhile other clients get responses, memory stays bounded, and the
// server disconnects the attacker if it must.
func TestOnslaught(t *testing.T) {
	t.Parallel()
	atRest := start(t, t.TempDir(), nil)
	get(t, atRest.client, atRest.https+"/health")
	little := atRest.peakMemory(t)
	atRest.stop(t)
	for _, attack := range []struct {
		name string
		env  string
		run  func(t *testing.T, p *process)
	}{
		// CVE-2023-44487: requests that are reset at once do not count as open, but still
		// cause work.
		{"HTTP/2, requests reset at once", "", func(t *testing.T, p *process) {
			t.Helper()
			c := p.rawHTTP2(t)
			go io.Copy(io.Discard, c.conn)
			for id := uint32(1); id < 8_000; id += 2 {
				if c.f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.request(), EndHeaders: true, EndStream: true}) != nil ||
					c.f.WriteRSTStream(id, http2.ErrCodeCancel) != nil || c.out.Flush() != nil {
					return // the server ended the connection, which is as good as serving it
				}
			}
		}},
		// CVE-2023-45288: a header that never ends.
		{"HTTP/2, a header without end", "", func(t *testing.T, p *process) {
			t.Helper()
			c := p.rawHTTP2(t)
			go io.Copy(io.Discard, c.conn)
			piece := bytes.Repeat([]byte{0x00, 0x01, 'a', 0x01, 'b'}, 1000)
			c.f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.request()})
			c.cutOff(t, func() error { return c.f.WriteContinuation(1, false, piece) })
		}},
		// CVE-2019-9512: each ping asks for an answer, which the client never reads.
		{"HTTP/2, pings", "", func(t *testing.T, p *process) {
			t.Helper()
			c := p.rawHTTP2(t)
			c.cutOff(t, func() error { return c.f.WritePing(false, [8]byte{}) })
		}},
		// CVE-2019-9515: SETTINGS frames do the same, but net/http owes only one answer at a
		// time, so they may continue. They cost the sender as much as the receiver.
		{"HTTP/2, settings", "", func(t *testing.T, p *process) {
			t.Helper()
			c := p.rawHTTP2(t)
			for range 200_000 {
				if c.f.WriteSettings() != nil {
					return
				}
			}
		}},
		// Slowloris: 200 headers that arrive byte by byte.
		{"headers byte by byte", "", func(t *testing.T, p *process) {
			t.Helper()
			var wg sync.WaitGroup
			for range 200 {
				conn := p.dial(t, "http/1.1")
				wg.Go(func() {
					ticker := time.NewTicker(time.Second / 2)
					defer ticker.Stop()
					for n := 0; ; n++ {
						if _, err := fmt.Fprintf(conn, "%c", "GET / HTTP/1.1\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"[n%50]); err != nil {
							return
						}
						if n > 60 {
							t.Error("after half a minute the server still waits for the header")
							return
						}
						<-ticker.C
					}
				})
			}
			wg.Wait()
		}},
		{"connections that do nothing", "MAX_CONNECTIONS_PER_CLIENT=50", func(t *testing.T, p *process) {
			t.Helper()
			var open atomic.Int64
			var all sync.WaitGroup
			for range 200 {
				conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.https, "https://"))
				if err != nil {
					continue
				}
				// A refused connection ends at once, the others no sooner than the handshake
				// timeout.
				conn.SetReadDeadline(time.Now().Add(handshakeTimeout - time.Second/10))
				all.Go(func() {
					defer conn.Close()
					if _, err := conn.Read(make([]byte, 1)); isTimeout(err) {
						open.Add(1)
					}
				})
			}
			all.Wait()
			if n := open.Load(); n > 50 {
				t.Errorf("one client has %d open connections, want at most 50", n)
			}
		}},
	} {
		t.Run(attack.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, t.TempDir(), nil, attack.env)
			ctx, stop := context.WithCancel(t.Context())
			var other sync.WaitGroup
			here := make(chan struct{})
			other.Go(func() { p.sendRequests(t, ctx, here) })
			<-here
			attack.run(t, p)
			stop()
			other.Wait()
			if took := p.peakMemory(t); took > growth*little {
				t.Errorf("the gateway used %d bytes of memory, and %d without an attack", took, little)
			}
		})
	}
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// sendRequests sends requests all the time, over its own connection, until ctx ends. It closes
// here after the first response.
func (p *process) sendRequests(t *testing.T, ctx context.Context, here chan struct{}) {
	t.Helper()
	for n := 0; ctx.Err() == nil; n++ {
		begin := time.Now()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.https+"/api/users/me", http.NoBody)
		if err != nil {
			t.Error(err)
			return
		}
		resp, err := p.client.Do(r)
		if err != nil {
			t.Errorf("another client got the error %v", err)
		} else {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("another client got %s, want 401", resp.Status)
			}
		}
		if took := time.Since(begin); took > patience {
			t.Errorf("another client waited %v, want at most %v", took, patience)
		}
		if n == 0 {
			close(here)
		}
		wait(ctx, 10*time.Millisecond)
	}
}

// dial opens a connection that speaks the protocol, for at most a minute.
func (p *process) dial(t *testing.T, protocol string) *tls.Conn {
	t.Helper()
	roots := p.client.Transport.(*http.Transport).TLSClientConfig.RootCAs
	d := tls.Dialer{Config: &tls.Config{RootCAs: roots, NextProtos: []string{protocol}}}
	conn, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(p.https, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		t.Fatal(err)
	}
	return conn.(*tls.Conn)
}

// A rawHTTP2 is a client that sends arbitrary frames.
type rawHTTP2 struct {
	conn *tls.Conn
	out  *bufio.Writer
	f    *http2.Framer
	enc  *hpack.Encoder
	buf  bytes.Buffer
}

func (p *process) rawHTTP2(t *testing.T) *rawHTTP2 {
	t.Helper()
	c := &rawHTTP2{conn: p.dial(t, "h2")}
	c.out = bufio.NewWriterSize(c.conn, 16<<10)
	c.f = http2.NewFramer(c.out, c.conn)
	c.enc = hpack.NewEncoder(&c.buf)
	io.WriteString(c.out, http2.ClientPreface)
	if err := errors.Join(c.f.WriteSettings(), c.out.Flush()); err != nil {
		t.Fatal(err)
	}
	return c
}

// request returns the header of a GET request.
func (c *rawHTTP2) request() []byte {
	c.buf.Reset()
	for _, field := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "localhost"}, {":path", "/api/users/me"}} {
		c.enc.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	return c.buf.Bytes()
}

// cutOff sends until a write fails, which must be because the server has closed the
// connection.
func (c *rawHTTP2) cutOff(t *testing.T, send func() error) {
	t.Helper()
	for n := range frames {
		if err := send(); err != nil {
			if isTimeout(err) {
				t.Errorf("after %d frames the server neither reads nor closes", n)
			}
			return
		}
	}
	t.Errorf("the server accepted %d frames, want it to close the connection", frames)
}
