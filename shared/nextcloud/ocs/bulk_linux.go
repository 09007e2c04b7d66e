package ocs

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

const (
	bulkAfter = 4 << 20              // bytes in a row that make a connection carry bulk
	bulkMark  = 1 << 20              // bytes that a reader of bulk is woken for
	bulkPause = 5 * time.Millisecond // or after which it is woken for less
)

// inBulk lets the reader of c sleep until much has come, where much comes. A
// Nextcloud sends a file in portions of 8 to 16 KiB, each of which would wake the
// gateway; where both share a processor that is the larger part of what a
// transfer costs. The socket holds what comes meanwhile (SO_RCVLOWAT,
// socket(7)), and nothing waits for more than [bulkPause]. One goroutine reads at
// a time, as HTTP and TLS do.
func inBulk(c net.Conn) net.Conn {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return c
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return c
	}
	b := &bulk{TCPConn: t, raw: raw}
	b.step = b.try
	b.timer = time.AfterFunc(bulkPause, func() { _ = raw.Control(func(fd uintptr) { mark(fd, 1) }) })
	return b
}

// mark sets how many bytes wake a reader, or leaves it where that cannot be: it
// is about speed only.
func mark(fd uintptr, n int) {
	_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, n)
}

// bulk is a connection with a mark that is 1, or [bulkMark] since much came
// without a pause. While a reader waits below that the timer runs, which sets it
// to 1 again and so wakes the reader.
type bulk struct {
	*net.TCPConn

	raw   syscall.RawConn
	timer *time.Timer
	run   int  // bytes since the last pause
	high  bool // the mark is bulkMark, unless the timer has fired

	step   func(fd uintptr) bool // try, made once
	into   []byte
	n      int
	err    error
	waited bool
}

// Read waits for something, or for much, to read.
func (b *bulk) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b.into, b.waited = p, false
	err := b.raw.Read(b.step)
	b.into = nil
	if b.waited && !b.timer.Stop() {
		b.high, b.run = false, 0
	}
	switch {
	case err != nil:
		return 0, err
	case b.err != nil:
		return 0, &net.OpError{
			Op: "read", Net: "tcp", Source: b.LocalAddr(), Addr: b.RemoteAddr(),
			Err: os.NewSyscallError("read", b.err),
		}
	case b.n == 0:
		return 0, io.EOF
	}
	b.run += b.n
	return b.n, nil
}

// try reads what is there, or prepares to wait.
func (b *bulk) try(fd uintptr) bool {
	for {
		b.n, b.err = syscall.Read(int(fd), b.into)
		if !errors.Is(b.err, syscall.EINTR) {
			break
		}
	}
	if !errors.Is(b.err, syscall.EAGAIN) {
		return true
	}
	if !b.high && b.run >= bulkAfter {
		mark(fd, bulkMark)
		b.high = true
	}
	if b.high && !b.waited {
		b.waited = true
		b.timer.Reset(bulkPause)
	}
	return false
}
