//go:build !linux

package transport

import "net"

// withLowWater returns c: the option is set on Linux only.
func withLowWater(c net.Conn) net.Conn { return c }
