package porttest_test

import (
	"net"
	"testing"

	"github.com/voiceassist/gateway/shared/foundation/porttest"
)

// TestAddress_IsLeftToTheTest takes so many addresses that some would coincide if they were
// not reserved, and listens on each a second time.
func TestAddress_IsLeftToTheTest(t *testing.T) {
	t.Parallel()
	taken := map[string]bool{}
	for range 300 {
		address := porttest.Address(t)
		if taken[address] {
			t.Errorf("%s was returned twice", address)
		}
		taken[address] = true
		for range 2 {
			l, err := net.Listen("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			l.Close()
		}
	}
}

// TestAddress_IsNotOneThatTheSystemChooses: the system must not give it to others.
func TestAddress_IsNotOneThatTheSystemChooses(t *testing.T) {
	t.Parallel()
	lowest := 1 << 16
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		lowest = min(lowest, l.Addr().(*net.TCPAddr).Port)
		l.Close()
	}
	for range 100 {
		address, err := net.ResolveTCPAddr("tcp", porttest.Address(t))
		if err != nil {
			t.Fatal(err)
		}
		if address.Port >= lowest {
			t.Errorf("port %d is one that the system may choose: it chose %d", address.Port, lowest)
		}
	}
}

// TestAddress_IsFreeAgainAfterTheTest: what a test has reserved ends with it.
func TestAddress_IsFreeAgainAfterTheTest(t *testing.T) {
	t.Parallel()
	var address string
	t.Run("a test", func(t *testing.T) { //nolint:paralleltest // it ends before the check
		address = porttest.Address(t)
		if held, err := net.ListenPacket("udp", address); err == nil {
			held.Close()
			t.Errorf("the port of %s is not held", address)
		}
	})
	held, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatalf("the port is still held: %v", err)
	}
	held.Close()
}
