// Package redistest runs a real Redis server for a test: the installed redis-server, on a
// free port of 127.0.0.1, with its data in memory only.
package redistest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/porttest"
)

const startTimeout = time.Minute // far above the milliseconds it takes, for busy machines

// watchScript runs the server "$@" and stops it at the end of standard input, which comes when
// the test process ends for whatever reason.
const watchScript = `
"$@" &
server=$!
exec 3<&0
{ cat <&3; kill -KILL $server; } >/dev/null 2>&1 &
wait $server
`

// A Server is a Redis server for one test.
type Server struct {
	address string // host and port
	stop    func()
}

// Start starts a server that is stopped when tb ends. If redis-server is not installed, tb
// fails and says what to install; it is never skipped.
func Start(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{address: porttest.Address(tb)}
	if err := s.run(); err != nil {
		tb.Fatalf("Redis for tests: %v; install redis-server (Debian: apt-get install redis-server)", err)
	}
	tb.Cleanup(s.Stop)
	return s
}

// URL returns the server's address in the form of REDIS_URL.
func (s *Server) URL() *url.URL {
	return &url.URL{Scheme: "redis", Host: s.address, Path: "/0"}
}

// Stop ends the server at once, like a crash; its data is lost. Stopping a stopped server
// does nothing.
func (s *Server) Stop() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

// Restart starts a stopped server again on the same port.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	if err := s.run(); err != nil {
		tb.Fatalf("start Redis again: %v", err)
	}
}

func (s *Server) run() error {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(s.address)
	if err != nil {
		return err
	}
	cmd := exec.Command("/bin/sh", "-c", watchScript, "sh", program, "--bind", host, "--port", port,
		"--save", "", "--appendonly", "no", "--daemonize", "no", "--logfile", "")
	cmd.Dir = "/"
	detach(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	log, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := func() {
		in.Close()
		io.Copy(io.Discard, log)
		cmd.Wait()
	}
	late := time.AfterFunc(startTimeout, func() { in.Close() })
	defer late.Stop()
	if err := awaitReady(log); err != nil {
		stop()
		return err
	}
	drained := make(chan struct{})
	go func() { // so that writes of the server never block
		defer close(drained)
		io.Copy(io.Discard, log)
	}()
	s.stop = func() {
		in.Close()
		<-drained
		cmd.Wait()
	}
	return nil
}

// awaitReady reads the server's log until the server is ready.
func awaitReady(log io.Reader) error {
	var said []string
	for lines := bufio.NewScanner(log); lines.Scan(); {
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			return nil
		}
		said = append(said, lines.Text())
	}
	return fmt.Errorf("it did not start: %s", strings.Join(said, "\n"))
}
