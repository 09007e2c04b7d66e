package server_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/voiceassist/gateway/cmd/gateway/internal/server"
	"github.com/voiceassist/gateway/shared/endpoint"
)

// A recorder is a connection that records what is sent, until it fails.
type recorder struct {
	net.Conn

	mu     sync.Mutex
	pieces [][]byte
	broken error
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken != nil {
		return 0, r.broken
	}
	r.pieces = append(r.pieces, slices.Clone(p))
	return len(p), nil
}

// sizes returns the length of each piece that was sent.
func (r *recorder) sizes() (sizes []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.pieces {
		sizes = append(sizes, len(p))
	}
	return sizes
}

func TestCorkConn_SendsWritesTogether(t *testing.T) {
	t.Parallel()
	out := &recorder{}
	c := server.CorkConn(out)
	put(t, c, 10) // before
	c.Cork()
	for range 16 {
		put(t, c, 16<<10)
	}
	put(t, c, 1)
	if err := c.Uncork(); err != nil {
		t.Fatal(err)
	}
	put(t, c, 20) // behind
	want := []int{10, 128 << 10, 128 << 10, 1, 20}
	if got := out.sizes(); !slices.Equal(got, want) {
		t.Errorf("sent pieces of %v, want %v", got, want)
	}
}

func TestCorkConn_SendsNothingAfterAnError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken pipe")
	out := &recorder{broken: broken}
	c := server.CorkConn(out)
	c.Cork()
	put(t, c, 5)
	if err := c.Uncork(); !errors.Is(err, broken) {
		t.Errorf("Uncork = %v", err)
	}
	out.broken = nil
	c.Cork()
	if _, err := c.Write([]byte("more")); !errors.Is(err, broken) {
		t.Errorf("Write = %v", err)
	}
	if err := c.Uncork(); !errors.Is(err, broken) || len(out.sizes()) > 0 {
		t.Errorf("Uncork = %v, and %v was sent", err, out.sizes())
	}
}

func put(t *testing.T, c net.Conn, n int) {
	t.Helper()
	if got, err := c.Write(make([]byte, n)); got != n || err != nil {
		t.Fatalf("Write = %d, %v", got, err)
	}
}

// A long response arrives complete and in order. What was released before a pause
// arrives during the pause.
func TestRun_SendsCoalescedResponses(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789abcdef-"), 100_000)
	proceed := make(chan struct{}, 2)
	s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		release := endpoint.Cork(r)
		io.WriteString(w, "first")
		w.(http.Flusher).Flush()
		if err := release(); err != nil {
			t.Error(err)
		}
		<-proceed
		release = endpoint.Cork(r)
		io.Copy(w, struct{ io.Reader }{bytes.NewReader(content)})
		if err := release(); err != nil {
			t.Error(err)
		}
	}))
	for _, http2 := range []bool{true, false} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+s.addrs.HTTPS.String()+"/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.client(http2).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		first := make([]byte, 5)
		if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "first" {
			t.Errorf("%q, %v", first, err)
		}
		proceed <- struct{}{}
		if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes, %v; want %d", len(got), err, len(content))
		}
	}
}
