//go:build !unix

package postgres

import "net"

// hungUp cannot find out on this system without a round trip; see hungup_unix.go.
func hungUp(net.Conn) bool { return false }
