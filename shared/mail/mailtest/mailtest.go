// Package mailtest runs a mail server in the process of a test. Like a real one, it
// offers STARTTLS and AUTH, and it fails on demand. Begin with [New].
package mailtest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/voiceassist/gateway/shared/foundation/porttest"
)

// The credentials that an [Office] with TLS requires.
const (
	User     = "gateway"
	Password = "p@ss:word"
)

// An Office is a mail server. It is safe for concurrent use, except for Start and Stop.
type Office struct {
	Address string         // host and port
	Pool    *x509.CertPool // trusts its certificate; nil without TLS

	tb      testing.TB
	server  *smtp.Server
	listens net.Listener
	served  chan struct{} // closed when the server no longer accepts connections

	mu       sync.Mutex
	rcpt     func(to string) error // what RCPT answers; nil accepts
	data     func() error          // what the end of DATA answers; nil accepts
	received []*mail.Message
	users    []string // that logged in
	secure   []bool   // whether each session was encrypted
}

// New starts a mail server that ends with the test. With TLS, it offers STARTTLS and
// accepts mails only from clients that log in.
func New(tb testing.TB, withTLS bool) *Office {
	tb.Helper()
	p := &Office{tb: tb}
	p.server = smtp.NewServer(p)
	p.server.Domain, p.server.ErrorLog = "mail.example", log.New(io.Discard, "", 0)
	if withTLS {
		https := httptest.NewTLSServer(nil) // for its certificate
		https.Close()
		p.server.TLSConfig = &tls.Config{Certificates: https.TLS.Certificates, MinVersion: tls.VersionTLS12}
		p.Pool = x509.NewCertPool()
		p.Pool.AddCert(https.Certificate())
	}
	p.Address = porttest.Address(tb)
	p.Start()
	tb.Cleanup(func() { _ = p.server.Close() })
	return p
}

// Start listens after [Office.Stop], at the same address as before.
func (p *Office) Start() {
	p.tb.Helper()
	var config net.ListenConfig
	l, err := config.Listen(p.tb.Context(), "tcp", p.Address)
	if err != nil {
		p.tb.Fatal(err)
	}
	p.listens, p.served = l, make(chan struct{})
	go func(server *smtp.Server, served chan struct{}) {
		defer close(served)
		_ = server.Serve(l)
	}(p.server, p.served)
}

// Stop closes the listener and all connections.
func (p *Office) Stop() {
	p.tb.Helper()
	old := p.server
	_ = old.Close() // which knows the listener only once it has begun to serve
	_ = p.listens.Close()
	<-p.served
	p.server = smtp.NewServer(p)
	p.server.Domain, p.server.ErrorLog, p.server.TLSConfig = old.Domain, old.ErrorLog, old.TLSConfig
}

// Mails returns what was accepted, in order.
func (p *Office) Mails() []*mail.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*mail.Message(nil), p.received...)
}

// Answer sets what RCPT and the end of DATA answer; nil accepts. It is called while the
// client waits.
func (p *Office) Answer(rcpt func(to string) error, data func() error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rcpt, p.data = rcpt, data
}

// Users returns who logged in, in order.
func (p *Office) Users() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.users...)
}

// Encrypted returns of each mail whether its connection was encrypted.
func (p *Office) Encrypted() []bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]bool(nil), p.secure...)
}

// NewSession implements [smtp.Backend].
func (p *Office) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &session{office: p, conn: c}, nil
}

type session struct {
	office   *Office
	conn     *smtp.Conn
	loggedIn bool
}

func (*session) Reset()        {}
func (*session) Logout() error { return nil }

func (*session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != User || password != Password {
			return errors.New("wrong password")
		}
		s.loggedIn = true
		s.office.mu.Lock()
		defer s.office.mu.Unlock()
		s.office.users = append(s.office.users, user)
		return nil
	}), nil
}

func (s *session) Mail(string, *smtp.MailOptions) error {
	if s.office.server.TLSConfig != nil && !s.loggedIn {
		return smtp.ErrAuthRequired
	}
	_, encrypted := s.conn.TLSConnectionState()
	s.office.mu.Lock()
	defer s.office.mu.Unlock()
	s.office.secure = append(s.office.secure, encrypted)
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.office.mu.Lock()
	defer s.office.mu.Unlock()
	if s.office.rcpt == nil {
		return nil
	}
	return s.office.rcpt(to)
}

// ErrCut makes the server accept a mail and close the connection before it says so.
var ErrCut = errors.New("cut")

func (s *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := mail.ReadMessage(strings.NewReader(string(b)))
	if err != nil {
		return err
	}
	s.office.mu.Lock()
	answer := s.office.data
	s.office.mu.Unlock()
	if answer != nil {
		err = answer()
	}
	s.office.mu.Lock()
	defer s.office.mu.Unlock()
	if err == nil || errors.Is(err, ErrCut) {
		s.office.received = append(s.office.received, m)
	}
	if errors.Is(err, ErrCut) {
		_ = s.conn.Conn().Close()
	}
	return err
}
