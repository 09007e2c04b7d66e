package transport

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// connect returns both ends of a connection, the first with a low-water mark. A read from it
// fails if it hangs.
func connect(t *testing.T) (client net.Conn, server *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := l.Accept()
		accepted <- c
	}()
	plain, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client = withLowWater(plain)
	server, _ = (<-accepted).(*net.TCPConn)
	t.Cleanup(func() {
		client.Close()
		server.Close()
	})
	if err := client.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return client, server
}

// send writes content in pieces of 8 KiB, as Nextcloud does.
func send(w io.Writer, content []byte) error {
	for len(content) > 0 {
		n, err := w.Write(content[:min(8<<10, len(content))])
		if err != nil {
			return err
		}
		content = content[n:]
	}
	return nil
}

// lowWater returns the number of bytes that wakes the reader of a connection.
func lowWater(t *testing.T, c net.Conn) (n int) {
	t.Helper()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(err, raw.Control(func(fd uintptr) {
		n, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT)
	}))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n)}).Read(b) // never fails
	return b
}

// Each piece wakes the reader, until the connection is busy.
func TestLowWater_RisesOnABusyConnection(t *testing.T) {
	t.Parallel()
	client, server := connect(t)
	piece := noise(8 << 10)
	var read atomic.Int64
	go func() {
		for {
			n, err := client.Read(make([]byte, 16<<10))
			if err != nil {
				return
			}
			read.Add(int64(n))
		}
	}()
	for sent, end := int64(0), time.Now().Add(time.Minute); ; {
		if time.Now().After(end) {
			t.Fatalf("each piece still wakes the reader after %d bytes", sent)
		}
		if _, err := server.Write(piece); err != nil {
			t.Fatal(err)
		}
		sent += int64(len(piece))
		for read.Load() < sent { // the reader is about to block
			switch busy := lowWater(t, client) > len(piece); {
			case busy && sent < busyAfter:
				t.Fatalf("the connection counts as busy after %d bytes", sent)
			case busy:
				return
			case time.Now().After(end):
				t.Fatalf("sent %d bytes, received %d", sent, read.Load())
			}
		}
	}
}

// A short message after a long one arrives at once. Messages of all sizes alternate, and
// each waits for the reply to the previous one.
func TestLowWater_ShortMessagesArrive(t *testing.T) {
	t.Parallel()
	client, server := connect(t)
	sizes := []int{5 << 20, 1, 5<<20 + 1, 100, 1 << 20, 8 << 20, 1<<20 - 1, 64, 9<<20 + 77, 1}
	served := make(chan error, 1)
	go func() {
		for _, n := range sizes {
			if err := send(server, noise(n)); err != nil {
				served <- err
				return
			}
			if _, err := io.ReadFull(server, make([]byte, 1)); err != nil {
				served <- err
				return
			}
		}
		served <- nil
	}()
	for i, n := range sizes {
		got := make([]byte, n)
		if _, err := io.ReadFull(client, got); err != nil {
			t.Fatalf("part %d of %d bytes: %v", i, n, err)
		}
		if !bytes.Equal(got, noise(n)) {
			t.Fatalf("part %d of %d bytes was altered", i, n)
		}
		if _, err := client.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	go client.Read(make([]byte, 1)) // nothing arrives
	for deadline := time.Now().Add(time.Minute); lowWater(t, client) != 1; {
		if time.Now().After(deadline) {
			t.Fatalf("idle connection: got a low-water mark of %d bytes", lowWater(t, client))
		}
	}
}

func TestLowWater_BusyConnectionsReportTheirEnd(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		end  func(client net.Conn, server *net.TCPConn) error
		want error
	}{
		"end of stream":        {func(_ net.Conn, s *net.TCPConn) error { return s.Close() }, io.EOF},
		"reset":                {func(_ net.Conn, s *net.TCPConn) error { return errors.Join(s.SetLinger(0), s.Close()) }, syscall.ECONNRESET},
		"closed by the reader": {func(c net.Conn, _ *net.TCPConn) error { return c.Close() }, net.ErrClosed},
		"deadline":             {func(c net.Conn, _ *net.TCPConn) error { return c.SetReadDeadline(time.Now()) }, os.ErrDeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, server := connect(t)
			content := noise(6 << 20)
			go send(server, content) // the reader detects missing data
			got := make([]byte, len(content))
			if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, content) {
				t.Fatalf("read: %v", err)
			}
			ended := make(chan error, 1)
			go func() {
				_, err := client.Read(got)
				ended <- err
			}()
			if err := tt.end(client, server); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; !errors.Is(err, tt.want) {
				t.Errorf("reader: got %v, want %v", err, tt.want)
			}
		})
	}
}
