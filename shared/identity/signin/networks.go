package signin

import (
	"iter"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

const (
	// NetworkMemory is how long the network of a login stays known.
	NetworkMemory = 180 * day
	// MaxNetworks is how many networks of an account are known, the latest. It bounds what
	// the owner of an account can make the gateway store.
	MaxNetworks = 20

	// networkPrecision is how old the recorded time of a network becomes before a login
	// updates it: most logins write nothing.
	networkPrecision = 7 * day
)

// Networks are the networks from which somebody has logged in to an account, in the form
// in which the store keeps them. They are empty before the first login.
type Networks string

// ForgottenNetworks are those of an account whose earlier logins do not count, because
// somebody else may have made them.
const ForgottenNetworks Networks = "-"

// NetworkOf returns the network of an address as people see it, the /24 of IPv4 or the
// /48 of IPv6, or "". Providers change the address of a client within it.
func NetworkOf(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	a = a.Unmap().WithZone("")
	bits := 48
	if a.Is4() {
		bits = 24
	}
	return netip.PrefixFrom(a, bits).Masked().String()
}

// Add returns n after a login from the address, and whether the network was unknown. That
// of the first login is not: there is nothing with which to compare it.
func (n Networks) Add(address string, now time.Time) (after Networks, unknown bool) {
	network := NetworkOf(address)
	if network == "" {
		return n, false
	}
	last, known := n.last(network)
	age := now.Sub(last)
	if known && age < networkPrecision {
		return n, false
	}
	unknown = n != "" && (!known || age >= NetworkMemory)
	list := []sighting{{network, now}}
	for s := range n.all() {
		if s.network != network && len(list) < MaxNetworks {
			list = append(list, s)
		}
	}
	return format(list), unknown
}

// last returns when somebody last logged in from the network.
func (n Networks) last(network string) (time.Time, bool) {
	for s := range n.all() {
		if s.network == network {
			return s.last, true
		}
	}
	return time.Time{}, false
}

// A sighting is the last login from a network, to the precision of [networkPrecision].
type sighting struct {
	network string
	last    time.Time
}

// all returns the networks, the latest first. What is no network is none.
func (n Networks) all() iter.Seq[sighting] {
	return func(yield func(sighting) bool) {
		for entry := range strings.SplitSeq(string(n), ",") {
			network, last, _ := strings.Cut(entry, "@")
			if seconds, err := strconv.ParseInt(last, 10, 64); err == nil && !yield(sighting{network, time.Unix(seconds, 0)}) {
				return
			}
		}
	}
}

func format(list []sighting) Networks {
	entries := make([]string, len(list))
	for i, s := range list {
		entries[i] = s.network + "@" + strconv.FormatInt(s.last.Unix(), 10)
	}
	return Networks(strings.Join(entries, ","))
}
