package endpoint

import (
	"iter"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/correlation"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/signin"
)

func origin(r *http.Request, client netip.Addr) audit.Origin {
	id := correlation.ID(r.Header)
	if id == "" {
		id = uid.New()
	}
	return audit.Origin{
		Address:       client.String(),
		Device:        signin.CleanDevice(r.UserAgent()),
		CorrelationID: id,
	}
}

// Proxies are the networks whose X-Forwarded-For header the gateway trusts.
type Proxies []netip.Prefix

// Load loads TRUSTED_PROXIES, addresses and networks in CIDR form. A network that
// contains arbitrary clients, such as 0.0.0.0/0, is refused.
func (p *Proxies) Load(r setting.Reader) {
	const variable, takes = "TRUSTED_PROXIES", "IP addresses or networks such as 10.0.0.0/8, separated by commas"
	*p = nil
	for _, item := range r.List(variable) {
		prefix, err := netip.ParsePrefix(item)
		if addr, bare := netip.ParseAddr(item); bare == nil {
			prefix, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			r.Refuse(variable, item, takes)
			continue
		}
		prefix = unmap(prefix)
		if prefix.Bits() < minPrefixBits(prefix.Addr()) {
			r.Refuse(variable, item, takes+". A network must not contain clients, which could then forge their address")
			continue
		}
		*p = append(*p, prefix.Masked())
	}
}

// minPrefixBits returns the shortest prefix that a network of proxies may have:
// that of 10.0.0.0/8 or fc00::/7. A wider network contains clients, and a
// client that counts as a proxy can choose its address.
func minPrefixBits(a netip.Addr) int {
	const v4, v6 = 8, 7
	switch {
	case a.Is4():
		return v4
	case a.Is4In6():
		return mappedBits + v4
	}
	return v6
}

const mappedBits = 96 // bits in the prefix of IPv4-mapped addresses, ::ffff:0:0/96

// unmap returns a network of IPv4-mapped addresses as an IPv4 network, since
// clients are compared by their IPv4 addresses.
func unmap(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= mappedBits {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mappedBits)
	}
	return p
}

// maxHops limits how far back the gateway follows a chain of proxies.
const maxHops = 32

// client returns the address of the client: the address of the connection or,
// behind trusted proxies, the rightmost untrusted hop of X-Forwarded-For, or
// the leftmost hop if all are trusted. A client can forge everything left of
// that hop. A hop that is not an address ends the search at the proxy that
// wrote it. So does an empty hop: the proxy did not know its client, and the
// hop before it is not that client.
//
// Behind API Gateway, the address of the connection is that of the
// requestContext, so the result is the same on Lambda.
func (p Proxies) client(r *http.Request) netip.Addr {
	addr, n := parseAddr(r.RemoteAddr), 0
	for text := range hops(r.Header.Values("X-Forwarded-For")) {
		hop := parseAddr(text)
		if n++; !hop.IsValid() || defense.TrustedProxies && (n > maxHops || !p.Trusts(addr)) {
			break
		}
		addr = hop
	}
	return addr
}

// hops yields the elements of a list header with several lines, last element
// first.
func hops(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range slices.Backward(lines) {
			for comma := len(line); comma >= 0; {
				line = line[:comma]
				comma = strings.LastIndexByte(line, ',')
				if !yield(strings.Trim(line[comma+1:], " \t")) {
					return
				}
			}
		}
	}
}

// Trusts reports whether addr belongs to a trusted proxy.
func (p Proxies) Trusts(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(p, func(prefix netip.Prefix) bool { return prefix.Contains(addr) })
}

// parseAddr parses an address with or without a port. An IPv6 address may be in
// brackets, and must be if it has a port. It returns an IPv4-mapped address as
// IPv4, and drops the zone, which has a meaning on one machine only.
func parseAddr(s string) netip.Addr {
	if with, err := netip.ParseAddrPort(s); err == nil {
		return with.Addr().Unmap().WithZone("")
	}
	inner, bracketed := strings.CutPrefix(s, "[")
	if bracketed {
		if inner, bracketed = strings.CutSuffix(inner, "]"); !bracketed {
			return netip.Addr{}
		}
	}
	addr, err := netip.ParseAddr(inner)
	if err != nil || bracketed && addr.Is4() {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}
