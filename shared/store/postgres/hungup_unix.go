//go:build unix

package postgres

import (
	"net"
	"syscall"
)

// hungUp reports whether the server has closed the connection, or said something
// that nobody asked for, which is why it is about to (it may also be news of a
// changed setting; a new connection costs less than to find out). It looks at
// what has arrived and asks nobody, so it takes microseconds.
func hungUp(conn net.Conn) bool {
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secured.NetConn()
	}
	c, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return true // it is closed
	}
	hungUp := false
	// Not Read, which would wait for pgx: after a write that did not go out at once
	// it reads in the background, until the server says something.
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		hungUp = err != syscall.EAGAIN && err != syscall.EINTR
	})
	return hungUp || err != nil
}
