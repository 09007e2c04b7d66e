// Package probe checks whether the services that the gateway depends on work: Qdrant and
// Nextcloud here, Redis in redisprobe, so that programs without Redis do not link its
// client.
//
// A failed probe describes the failure in a few words. The text contains no address,
// credential or upstream body, so it may be logged and shown. errors.Is and errors.As find
// the cause.
package probe

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// Timeout bounds every probe. A service that needs longer for such a small request is not
// ready for larger ones.
const Timeout = 2 * time.Second

// A Probe returns nil if the service works. It gives up when ctx ends, or after [Timeout].
// It is safe for concurrent use.
type Probe func(ctx context.Context) error

// A Failure is the error of a failed probe: a short text for people that wraps the cause.
type Failure struct {
	Text  string // a few words, without addresses, credentials and text of others
	cause error
}

// Error returns the text only.
func (f *Failure) Error() string { return f.Text }

// Unwrap returns the cause, or nil.
func (f *Failure) Unwrap() error { return f.cause }

// Failed returns a [Failure] that describes err, the error of a network call.
func Failed(err error) *Failure {
	return &Failure{Text: meaning(err), cause: err}
}

// meaning describes the errors that operators see, from the most to the least specific,
// because an error may match several cases.
func meaning(err error) string {
	var (
		name      *net.DNSError
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		timeout   interface{ Timeout() bool }
	)
	switch {
	case errors.As(err, &name):
		return "its host name is not known"
	case errors.As(err, &authority):
		return "its certificate is signed by an authority that is not trusted"
	case errors.As(err, &host):
		return "its certificate is for another host name"
	case errors.As(err, &invalid):
		return "its certificate is not valid"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	default:
		return "no answer"
	}
}
