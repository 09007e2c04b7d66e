package doctor

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxNames limits how many names of a certificate are shown.
const maxNames = 5

// diagnoseChain returns everything that is wrong with a rejected chain. cause is
// the error of the handshake, which names only the first problem.
func (x *examination) diagnoseChain(chain []*x509.Certificate, cause error) []Finding {
	leaf, now := chain[0], x.Now()
	var found []Finding
	switch {
	case now.After(leaf.NotAfter):
		found = append(found, failed("Renew the certificate. If the date is wrong, correct the clock of this machine.",
			"the certificate expired on %s", leaf.NotAfter.UTC().Format(time.DateOnly))...)
	case now.Before(leaf.NotBefore):
		found = append(found, failed("Correct the clock of this machine, or of the machine that issued the certificate.",
			"the certificate is not valid before %s", leaf.NotBefore.UTC().Format(time.DateTime))...)
	}
	if leaf.VerifyHostname(x.base.Hostname()) != nil {
		found = append(found, failed("Use a name of the certificate in NEXTCLOUD_URL, or get a certificate for "+x.base.Hostname()+".",
			"the certificate is for %s, not for %s", namesOf(leaf), x.base.Hostname())...)
	}
	if !x.trusts(chain) {
		found = append(found, failed(x.authorityFix(),
			"the certificate is from an authority that is not trusted: %s", displayText(leaf.Issuer.String()))...)
	}
	if len(found) == 0 { // such as a name constraint, or another key usage
		reason := "the certificate chain is invalid"
		if e, ok := errors.AsType[x509.CertificateInvalidError](cause); ok {
			reason = e.Error()
		}
		return failed("Get a certificate for TLS servers.", "the certificate was rejected: %s", reason)
	}
	return found
}

// trusts reports whether a trusted authority signed the chain. It ignores names
// and dates.
func (x *examination) trusts(chain []*x509.Certificate) bool {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	at := x.Now()
	if leaf := chain[0]; at.After(leaf.NotAfter) || at.Before(leaf.NotBefore) {
		at = leaf.NotAfter // the dates are checked separately
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: x.Settings.Roots, Intermediates: between, CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, system := errors.AsType[x509.SystemRootsError](err)
	return !unknown && !system
}

func (x *examination) authorityFix() string {
	if x.Settings.Roots != nil {
		return "Add the certificate of that authority, in PEM, to the file that NEXTCLOUD_CA_FILE names; " +
			"the system's authorities are not used while it is set. The server must also send its intermediate certificates."
	}
	return "Set NEXTCLOUD_CA_FILE to a file with the certificate of that authority, in PEM. " +
		"If the authority is public, configure the server to send its intermediate certificates."
}

// namesOf returns the host names and addresses of a certificate.
func namesOf(c *x509.Certificate) string {
	all := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "no name"
	}
	if len(all) > maxNames {
		all = append(all[:maxNames], fmt.Sprintf("%d more", len(all)-maxNames))
	}
	return displayText(strings.Join(all, ", "))
}

// displayText returns s, which comes from a certificate, as at most maxDisplay
// printable ASCII characters.
func displayText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	if len(s) > maxDisplay {
		return s[:maxDisplay] + "…"
	}
	return s
}
