// Package porttest reserves TCP ports for tests of servers that listen later, or again after
// they were stopped.
//
// A port that the system chose is no good for this: once it is released, the system gives it
// to any other program that asks for one, such as a test that runs at the same time.
package porttest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// Linux, macOS and Windows choose ports from above these only.
const (
	lowest  = 20_000
	highest = 32_767
)

const attempts = 100 // most are free

// Address returns an address of this machine on which nothing listens, with a port that no
// other call returns until tb ends, in this or another process. Only the program under test
// should listen there.
func Address(tb testing.TB) string {
	tb.Helper()
	var err error
	for range attempts {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(lowest+rand.IntN(highest-lowest+1)))
		var held net.PacketConn
		if held, err = reserve(address); err == nil {
			tb.Cleanup(func() { held.Close() })
			return address
		}
	}
	tb.Fatalf("found no free port: %v", err)
	return ""
}

// reserve holds the UDP port of the address, which keeps other calls from the TCP port of the
// same number, and ends with the process.
func reserve(address string) (net.PacketConn, error) {
	held, err := net.ListenPacket("udp", address)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		held.Close()
		return nil, err
	}
	return held, l.Close()
}
