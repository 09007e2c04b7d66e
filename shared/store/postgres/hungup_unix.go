//go:build unix

package postgres

import (
	"net"
	"syscall"
)

// hungUp reports whether the server has closed the connection or sent an unsolicited
// message, which usually announces that. It may also report a changed setting,
// but a new connection costs less than finding out. hungUp looks only at data that has
// arrived, so it takes microseconds.
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
		return true // the connection is closed
	}
	hungUp := false
	// Read would wait for pgx, which after a delayed write reads in the background until the
	// server sends something.
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		hungUp = err != syscall.EAGAIN && err != syscall.EINTR
	})
	return hungUp || err != nil
}
