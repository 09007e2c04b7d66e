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

// lookUp resolves the host name.
func (x *examination) lookUp(ctx context.Context) []Finding {
	host := x.base.Hostname()
	if _, err := netip.ParseAddr(host); err == nil {
		return passed("%s is an IP address", host)
	}
	if x.viaProxy {
		return passed("%s: "+byProxy, host)
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
	return passed("%s is %s", host, addresses[0].Unmap())
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

// connect opens a TCP connection and records its local address.
func (x *examination) connect(ctx context.Context) []Finding {
	if x.viaProxy {
		return passed(byProxy)
	}
	conn, err := x.dial(ctx)
	if err != nil {
		t := diagnoseConn(err)
		return failed(t.fix, "port %s: %s", x.port(), t.text)
	}
	defer conn.Close()
	if local, ok := conn.LocalAddr().(*net.TCPAddr); ok {
		x.localAddr = local.AddrPort().Addr().Unmap()
	}
	return passed("port %s accepts connections", x.port())
}

// handshake checks the certificate. It sends no request on the connection.
func (x *examination) handshake(ctx context.Context) []Finding {
	switch {
	case x.base.Scheme != "https":
		return passed("plain HTTP, no certificate")
	case x.viaProxy:
		return passed(byProxy)
	}
	conn, err := x.dial(ctx)
	if err != nil {
		t := diagnoseConn(err)
		return failed(t.fix, "port %s: %s", x.port(), t.text)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	secured := tls.Client(conn, &tls.Config{
		ServerName: x.base.Hostname(), RootCAs: x.Settings.Roots, MinVersion: tls.VersionTLS12, Time: x.Now,
	})
	if err := secured.HandshakeContext(ctx); err != nil {
		return x.diagnoseTLS(err)
	}
	return x.checkExpiry(secured.ConnectionState().PeerCertificates[0].NotAfter)
}

// diagnoseTLS describes why the TLS handshake failed.
func (x *examination) diagnoseTLS(err error) []Finding {
	if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok && len(bad.UnverifiedCertificates) > 0 {
		return x.diagnoseChain(bad.UnverifiedCertificates, err)
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
	t := diagnoseConn(err)
	return failed(t.fix, "TLS handshake: %s", t.text)
}

// expiryWarning is the remaining lifetime of a certificate below which the doctor
// warns. Let's Encrypt clients renew at 30 days, so by then a renewal has failed.
const expiryWarning = 14 * 24 * time.Hour

func (x *examination) checkExpiry(until time.Time) []Finding {
	left := until.Sub(x.Now())
	if left < expiryWarning {
		return []Finding{warning("Renew the certificate, and check why the automatic renewal failed.",
			"the certificate is valid, but expires on %s", until.UTC().Format(time.DateOnly))}
	}
	return passed("the certificate is valid until %s", until.UTC().Format(time.DateOnly))
}
