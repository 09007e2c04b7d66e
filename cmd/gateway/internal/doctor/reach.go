package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"time"
)

const byProxy = "handled by the proxy from the environment"

// lookUp asks for the addresses of the host.
func (x *examination) lookUp(ctx context.Context) []Finding {
	host := x.base.Hostname()
	if _, err := netip.ParseAddr(host); err == nil {
		return fine("%s is an IP address", host)
	}
	if x.proxied {
		return fine("%s: "+byProxy, host)
	}
	addresses, err := x.resolver().LookupNetIP(ctx, "ip", host)
	unknown, isDNS := errors.AsType[*net.DNSError](err)
	switch {
	case errors.Is(err, context.Canceled):
		return failed("", "the doctor was interrupted")
	case isDNS && unknown.IsNotFound, err == nil && len(addresses) == 0:
		return failed("Correct the name in NEXTCLOUD_URL, or add it to the DNS or to /etc/hosts. "+
			"Containers must share a network.", "the name %s does not exist", host)
	case err != nil:
		return failed("Check the name servers of this machine (/etc/resolv.conf).",
			"no name server responded for %s", host)
	}
	return fine("%s is %s", host, addresses[0].Unmap())
}

func (x *examination) resolver() *net.Resolver {
	if x.Resolver == nil {
		return net.DefaultResolver
	}
	return x.Resolver
}

func (x *examination) port() string {
	switch port := x.base.Port(); {
	case port != "":
		return port
	case x.base.Scheme == "https":
		return "443"
	}
	return "80"
}

// dial opens a connection to the server.
func (x *examination) dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: connectLimit, Resolver: x.Resolver}
	return d.DialContext(ctx, "tcp", net.JoinHostPort(x.base.Hostname(), x.port()))
}

// connect opens a TCP connection, and learns our own address on the way.
func (x *examination) connect(ctx context.Context) []Finding {
	if x.proxied {
		return fine(byProxy)
	}
	conn, err := x.dial(ctx)
	if err != nil {
		t := broken(err)
		return failed(t.cure, "port %s: %s", x.port(), t.text)
	}
	defer conn.Close()
	if local, ok := conn.LocalAddr().(*net.TCPAddr); ok {
		x.self = local.AddrPort().Addr().Unmap()
	}
	return fine("port %s accepts connections", x.port())
}

// handshake checks the certificate. No request is made on that connection.
func (x *examination) handshake(ctx context.Context) []Finding {
	switch {
	case x.base.Scheme != "https":
		return fine("plain HTTP, no certificate")
	case x.proxied:
		return fine(byProxy)
	}
	conn, err := x.dial(ctx)
	if err != nil {
		t := broken(err)
		return failed(t.cure, "port %s: %s", x.port(), t.text)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	secured := tls.Client(conn, &tls.Config{
		ServerName: x.base.Hostname(), RootCAs: x.Settings.Roots, MinVersion: tls.VersionTLS12, Time: x.Now,
	})
	if err := secured.HandshakeContext(ctx); err != nil {
		return x.refusedTLS(err)
	}
	return x.lasting(secured.ConnectionState().PeerCertificates[0].NotAfter)
}

// refusedTLS says why there is no TLS.
func (x *examination) refusedTLS(err error) []Finding {
	if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok && len(bad.UnverifiedCertificates) > 0 {
		return x.certificate(bad.UnverifiedCertificates, err)
	}
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	alert, isOp := errors.AsType[*net.OpError](err)
	switch {
	case plain:
		return failed("Use http in NEXTCLOUD_URL, or the server's TLS port.", "port %s does not speak TLS", x.port())
	case isOp && alert.Op == "remote error":
		return failed("Configure the server for TLS 1.2 or 1.3 and a certificate for "+x.base.Hostname()+".",
			"the server rejected the TLS handshake")
	}
	t := broken(err)
	return failed(t.cure, "TLS handshake: %s", t.text)
}

// soon is how long before its end a certificate is worth a warning: Let's
// Encrypt renews at 30 days, so that by then something went wrong.
const soon = 14 * 24 * time.Hour

func (x *examination) lasting(until time.Time) []Finding {
	left := until.Sub(x.Now())
	if left < soon {
		return []Finding{warning("Renew the certificate, and check why the automatic renewal failed.",
			"the certificate is valid, but expires on %s", until.UTC().Format(time.DateOnly))}
	}
	return fine("the certificate is valid until %s", until.UTC().Format(time.DateOnly))
}
