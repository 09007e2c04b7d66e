// Package probe asks the services that the gateway stands on whether they can
// do their work: Qdrant and Nextcloud here, Redis in redisprobe, so that a
// program that does not use Redis does not carry its client.
//
// A failed probe says in a few words what is wrong. Its text holds no address,
// credential or upstream body, so it may be logged and shown; errors.Is and
// errors.As reach what lies behind.
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

// Timeout bounds every probe. A service that needs longer for so small a
// question is not ready for larger ones.
const Timeout = 2 * time.Second

// A Probe returns nil when the service can do its work. It gives up when ctx
// ends, and after [Timeout]. Safe for concurrent use.
type Probe func(ctx context.Context) error

// A Failure is a probe that failed: a short text for people over the cause.
type Failure struct {
	Text  string // a few words, without addresses, credentials and foreign text
	cause error
}

// Error returns the text only.
func (f *Failure) Error() string { return f.Text }

// Unwrap returns the cause, or nil.
func (f *Failure) Unwrap() error { return f.cause }

// Failed returns the [Failure] that tells what err, of a network call, means.
func Failed(err error) *Failure {
	return &Failure{Text: meaning(err), cause: err}
}

// meaning names the errors that operators meet, from the most to the least
// specific, since one error is often several of them.
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
