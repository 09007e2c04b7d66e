package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/voiceassist/gateway/cmd/gateway/internal/server"
)

func TestRun_FinishesRequestsInFlight(t *testing.T) {
	t.Parallel()
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entered, leave := make(chan struct{}), make(chan struct{})
			s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				close(entered)
				<-leave
				if err := r.Context().Err(); err != nil {
					t.Errorf("the context of the request ended with the stop: %v", err)
				}
				io.WriteString(w, "done")
			}))
			got := s.send(t, http2)
			<-entered
			s.stop()
			for _, addr := range []net.Addr{s.addrs.HTTPS, s.addrs.HTTP, s.addrs.Metrics} {
				refused(t, addr)
			}
			select {
			case err := <-s.done:
				t.Fatalf("Run = %v while a request was in flight", err)
			default:
			}
			close(leave)
			if a := <-got; a.err != nil || a.body != "done" {
				t.Errorf("the request in flight got %q, %v", a.body, a.err)
			}
			if err := <-s.done; err != nil {
				t.Errorf("Run = %v, want nil", err)
			}
		})
	}
}

func TestRun_AbortsRequestsAfterTheDrainTimeout(t *testing.T) {
	t.Parallel()
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const drain = 50 * time.Millisecond
			entered, ended := make(chan struct{}), make(chan error, 1)
			s := start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				close(entered)
				<-r.Context().Done()
				ended <- r.Context().Err()
			}), func(s *server.Server) { s.Drain = drain })
			got := s.send(t, http2)
			<-entered
			begin := time.Now()
			s.stop()
			if err := <-s.done; !errors.Is(err, server.ErrAborted) {
				t.Errorf("Run = %v, want ErrAborted", err)
			}
			if took := time.Since(begin); took < drain {
				t.Errorf("it was cut after %v, want no sooner than %v", took, drain)
			}
			if a := <-got; a.err == nil {
				t.Errorf("the request got %q, want its connection cut", a.body)
			}
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("the context of the request ended with %v", err)
			}
		})
	}
}

// An answer is the result of a request.
type answer struct {
	body string
	err  error
}

// send sends a request over HTTPS and returns a channel for the answer.
func (r *running) send(t *testing.T, http2 bool) <-chan answer {
	t.Helper()
	client := r.client(http2)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+r.addrs.HTTPS.String(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan answer, 1)
	go func() {
		resp, err := client.Do(req)
		if err != nil {
			got <- answer{err: err}
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		got <- answer{string(body), err}
	}()
	return got
}

// refused waits until addr accepts no more connections.
func refused(t *testing.T, addr net.Addr) {
	t.Helper()
	var d net.Dialer
	for {
		conn, err := d.DialContext(t.Context(), "tcp", addr.String())
		if err != nil {
			return
		}
		conn.Close()
	}
}
