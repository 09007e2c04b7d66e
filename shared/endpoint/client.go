package endpoint

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/signin"
	"github.com/voiceassist/gateway/shared/uid"
)

const correlationHeader = "X-Correlation-ID"

func origin(r *http.Request, client netip.Addr) audit.Origin {
	id := r.Header.Get(correlationHeader)
	if !saneID(id) {
		id = uid.New()
	}
	return audit.Origin{
		Address:       client.String(),
		Device:        signin.CleanDevice(r.UserAgent()),
		CorrelationID: id,
	}
}

// saneID reports whether a caller's correlation id may stand in our logs: 1 to
// 128 of A-Z a-z 0-9 . _ -
func saneID(id string) bool {
	return len(id) >= 1 && len(id) <= 128 && strings.IndexFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') &&
			r != '.' && r != '_' && r != '-'
	}) < 0
}

// Proxies are the networks whose X-Forwarded-For is believed.
type Proxies []netip.Prefix

// ReadProxies reads TRUSTED_PROXIES, addresses and networks in CIDR form.
func ReadProxies(env *config.Env) Proxies {
	var trusted Proxies
	for _, item := range env.List("TRUSTED_PROXIES") {
		prefix, err := netip.ParsePrefix(item)
		if addr, bare := netip.ParseAddr(item); bare == nil {
			prefix, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			env.Refuse("TRUSTED_PROXIES", item, "addresses or networks such as 10.0.0.0/8, separated by commas")
			continue
		}
		trusted = append(trusted, prefix.Masked())
	}
	return trusted
}

// client returns the address a request came from: that of the connection, or,
// behind trusted proxies, the rightmost hop of X-Forwarded-For that is not one
// of them. Whatever stands left of that hop, the client may have invented.
func (p Proxies) client(r *http.Request) netip.Addr {
	addr := parseAddr(r.RemoteAddr)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && p.trust(addr); i-- {
		hop := parseAddr(strings.TrimSpace(hops[i]))
		if !hop.IsValid() {
			break // a proxy of ours writes addresses; what it passed on is not one
		}
		addr = hop
	}
	return addr
}

func (p Proxies) trust(addr netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// parseAddr reads an address with or without a port or brackets; an
// IPv4-mapped IPv6 address is the IPv4 address.
func parseAddr(s string) netip.Addr {
	if host, _, err := net.SplitHostPort(s); err == nil {
		s = host
	}
	addr, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}
