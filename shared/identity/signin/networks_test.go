package signin_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/identity/signin"
)

func TestNetworkOf(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.77":            "192.0.2.0/24",
		"::ffff:192.0.2.77":     "192.0.2.0/24",
		"2001:db8:1:2::3":       "2001:db8:1::/48",
		"fe80::1%eth0":          "fe80::/48",
		"":                      "",
		"example.org":           "",
		"192.0.2.7, 192.0.2.8":  "",
		"192.0.2.7\r\nBcc: a@b": "",
	} {
		if got := signin.NetworkOf(address); got != want {
			t.Errorf("NetworkOf(%q) = %q, want %q", address, got, want)
		}
	}
}

func TestNetworks_Add(t *testing.T) {
	t.Parallel()
	const hour = time.Hour
	const days = 24 * hour
	type login struct {
		after   time.Duration // the previous one
		address string
		unknown bool
	}
	for name, logins := range map[string][]login{
		"the first is known":             {{0, "192.0.2.1", false}},
		"a neighbor is known":            {{0, "192.0.2.1", false}, {hour, "192.0.2.254", false}},
		"another network is told once":   {{0, "192.0.2.1", false}, {hour, "198.51.100.1", true}, {hour, "198.51.100.2", false}},
		"the networks stay known":        {{0, "192.0.2.1", false}, {hour, "2001:db8::1", true}, {hour, "192.0.2.1", false}, {hour, "2001:db8:0:9::1", false}},
		"a regular visitor stays known":  {{0, "192.0.2.1", false}, {100 * days, "192.0.2.1", false}, {100 * days, "192.0.2.1", false}},
		"an old network is forgotten":    {{0, "192.0.2.1", false}, {signin.NetworkMemory, "192.0.2.1", true}},
		"an idle account is no new one":  {{0, "192.0.2.1", false}, {2 * signin.NetworkMemory, "198.51.100.1", true}},
		"a clock that goes back is fine": {{0, "192.0.2.1", false}, {-hour, "192.0.2.1", false}},
		"no address is no network":       {{0, "", false}, {hour, "192.0.2.1", false}, {hour, "", false}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n signin.Networks
			now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
			for i, l := range logins {
				now = now.Add(l.after)
				after, unknown := n.Add(l.address, now)
				if unknown != l.unknown {
					t.Errorf("login %d from %q after %q: unknown = %v, want %v", i, l.address, n, unknown, l.unknown)
				}
				n = after
			}
		})
	}
}

// TestNetworks_AddWritesRarely holds that most logins leave the account as it is.
func TestNetworks_AddWritesRarely(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	first, _ := signin.Networks("").Add("192.0.2.1", now)
	if again, _ := first.Add("192.0.2.9", now.Add(6*24*time.Hour)); again != first {
		t.Errorf("after six days: %q, want %q", again, first)
	}
	if again, _ := first.Add("192.0.2.9", now.Add(7*24*time.Hour)); again == first {
		t.Errorf("after a week: still %q", again)
	}
}

func TestNetworks_AreBounded(t *testing.T) {
	t.Parallel()
	var n signin.Networks
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range 3 * signin.MaxNetworks {
		now = now.Add(time.Minute)
		n, _ = n.Add(fmt.Sprintf("2001:db8:%x:ffff::1", 0x1000+i), now)
	}
	if got := strings.Count(string(n), "@"); got != signin.MaxNetworks || len(n) > 1200 {
		t.Errorf("%d networks in %d bytes, want %d: %s", got, len(n), signin.MaxNetworks, n)
	}
	if _, unknown := n.Add(fmt.Sprintf("2001:db8:%x::1", 0x1000+2*signin.MaxNetworks), now); unknown {
		t.Error("the oldest of those that are kept is unknown")
	}
	if _, unknown := n.Add("2001:db8:1000::1", now); !unknown {
		t.Error("the first is still known")
	}
}

func TestForgottenNetworks(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	if _, unknown := signin.ForgottenNetworks.Add("192.0.2.1", now); !unknown {
		t.Error("the network of the next login is known")
	}
}

// FuzzNetworks reads what the store may contain: whatever that is, a login makes its
// network known.
func FuzzNetworks(f *testing.F) {
	f.Add("", "192.0.2.1")
	f.Add("-", "2001:db8::1")
	f.Add("192.0.2.0/24@1772366400,,@,x@y", "192.0.2.1")
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, stored, address string) {
		after, _ := signin.Networks(stored).Add(address, now)
		if again, unknown := after.Add(address, now); unknown || again != after {
			t.Errorf("%q after a login from %q is %q, then %q, unknown = %v", stored, address, after, again, unknown)
		}
	})
}
