package transport

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

const (
	busyAfter = 4 << 20              // bytes without a pause that make a connection busy
	highWater = 1 << 20              // bytes that wake the reader of a busy connection
	maxPause  = 5 * time.Millisecond // after which fewer bytes wake it
)

// withLowWater raises SO_RCVLOWAT (socket(7)) so that busy connections read larger
// chunks. Nextcloud sends a file in writes of 8 to 16 KiB, each of which would wake the
// gateway; if both share a processor, that is most of the cost of a transfer. The
// socket buffers what arrives meanwhile, and a reader waits at most [maxPause] longer.
// Only one goroutine may read at a time, as in HTTP and TLS.
func withLowWater(c net.Conn) net.Conn {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return c
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return c
	}
	w := &lowWaterConn{TCPConn: t, raw: raw}
	w.step = w.attempt
	w.timer = time.AfterFunc(maxPause, func() { _ = raw.Control(func(fd uintptr) { setLowWater(fd, 1) }) })
	return w
}

// setLowWater sets how many bytes wake a reader. Errors are ignored, since it only
// affects speed.
func setLowWater(fd uintptr, n int) {
	_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, n)
}

// A lowWaterConn has a low-water mark of 1, or of [highWater] while it is busy. While a
// reader waits for highWater bytes, the timer runs. It resets the mark to 1, which wakes
// the reader.
type lowWaterConn struct {
	*net.TCPConn

	raw   syscall.RawConn
	timer *time.Timer
	run   int  // bytes since the last pause
	high  bool // the mark is highWater, unless the timer has fired

	step   func(fd uintptr) bool // attempt, as a value that is allocated once
	into   []byte
	n      int
	err    error
	waited bool
}

// Read reads at least one byte, or waits for [highWater] bytes on a busy connection.
func (c *lowWaterConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.into, c.waited = p, false
	err := c.raw.Read(c.step)
	c.into = nil
	if c.waited && !c.timer.Stop() {
		c.high, c.run = false, 0
	}
	switch {
	case err != nil:
		return 0, err
	case c.err != nil:
		return 0, &net.OpError{
			Op: "read", Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(),
			Err: os.NewSyscallError("read", c.err),
		}
	case c.n == 0:
		return 0, io.EOF
	}
	c.run += c.n
	return c.n, nil
}

// attempt reads what has arrived. If there is nothing, it prepares to wait and returns
// false.
func (c *lowWaterConn) attempt(fd uintptr) bool {
	for {
		c.n, c.err = syscall.Read(int(fd), c.into)
		if !errors.Is(c.err, syscall.EINTR) {
			break
		}
	}
	if !errors.Is(c.err, syscall.EAGAIN) {
		return true
	}
	if !c.high && c.run >= busyAfter {
		setLowWater(fd, highWater)
		c.high = true
	}
	if c.high && !c.waited {
		c.waited = true
		c.timer.Reset(maxPause)
	}
	return false
}
