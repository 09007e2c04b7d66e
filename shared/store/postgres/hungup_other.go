//go:build !unix

package postgres

import "net"

// hungUp cannot be told here without asking; see hungup_unix.go.
func hungUp(net.Conn) bool { return false }
