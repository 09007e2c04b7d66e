package delivery

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// A postOffice is a mail server in this process. Like a real one, it offers STARTTLS
// and AUTH, and it fails on demand.
type postOffice struct {
	testing.TB

	address string
	pool    *x509.CertPool
	server  *smtp.Server
	listens net.Listener

	mu       sync.Mutex
	rcpt     func(to string) error // what RCPT answers; nil accepts
	data     func() error          // what the end of DATA answers; nil accepts
	received []*mail.Message
	users    []string // that logged in
	secure   []bool   // whether each session was encrypted
}

func newPostOffice(tb testing.TB, withTLS bool) *postOffice {
	tb.Helper()
	p := &postOffice{TB: tb}
	p.server = smtp.NewServer(p)
	p.server.Domain, p.server.ErrorLog = "mail.example", log.New(io.Discard, "", 0)
	if withTLS {
		https := httptest.NewTLSServer(nil) // for its certificate
		https.Close()
		p.server.TLSConfig = &tls.Config{Certificates: https.TLS.Certificates, MinVersion: tls.VersionTLS12}
		p.pool = x509.NewCertPool()
		p.pool.AddCert(https.Certificate())
	}
	p.address = "127.0.0.1:0"
	p.start()
	tb.Cleanup(func() { _ = p.server.Close() })
	return p
}

// start listens, at the same address as before.
func (p *postOffice) start() {
	p.Helper()
	var config net.ListenConfig
	l, err := config.Listen(p.Context(), "tcp", p.address)
	if err != nil {
		p.Fatal(err)
	}
	p.address, p.listens = l.Addr().String(), l
	go func() { _ = p.server.Serve(l) }()
}

// stop closes the listener and all connections. start works again with a new server.
func (p *postOffice) stop() {
	p.Helper()
	old := p.server
	_ = old.Close() // which knows the listener only once it has begun to serve
	_ = p.listens.Close()
	p.server = smtp.NewServer(p)
	p.server.Domain, p.server.ErrorLog, p.server.TLSConfig = old.Domain, old.ErrorLog, old.TLSConfig
}

// transport returns the transport to this server.
func (p *postOffice) transport(scheme, query string) *server {
	u := &url.URL{Scheme: scheme, Host: p.address, RawQuery: query, User: url.UserPassword("gateway", "p@ss:word")}
	return &server{url: u, tls: &tls.Config{RootCAs: p.pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}}
}

// mails returns what was accepted, in order.
func (p *postOffice) mails() []*mail.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*mail.Message(nil), p.received...)
}

// answer sets what RCPT and the end of DATA answer.
func (p *postOffice) answer(rcpt func(to string) error, data func() error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rcpt, p.data = rcpt, data
}

func (p *postOffice) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &postSession{office: p, conn: c}, nil
}

type postSession struct {
	office   *postOffice
	conn     *smtp.Conn
	loggedIn bool
}

func (*postSession) Reset()        {}
func (*postSession) Logout() error { return nil }

func (*postSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *postSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "gateway" || password != "p@ss:word" {
			return errors.New("wrong password")
		}
		s.loggedIn = true
		s.office.mu.Lock()
		defer s.office.mu.Unlock()
		s.office.users = append(s.office.users, user)
		return nil
	}), nil
}

func (s *postSession) Mail(string, *smtp.MailOptions) error {
	if s.office.server.TLSConfig != nil && !s.loggedIn {
		return smtp.ErrAuthRequired
	}
	_, encrypted := s.conn.TLSConnectionState()
	s.office.mu.Lock()
	defer s.office.mu.Unlock()
	s.office.secure = append(s.office.secure, encrypted)
	return nil
}

func (s *postSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.office.mu.Lock()
	defer s.office.mu.Unlock()
	if s.office.rcpt == nil {
		return nil
	}
	return s.office.rcpt(to)
}

// errCut makes the server accept a mail and close the connection before it says so.
var errCut = errors.New("cut")

func (s *postSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := mail.ReadMessage(strings.NewReader(string(b)))
	if err != nil {
		return err
	}
	s.office.mu.Lock()
	defer s.office.mu.Unlock()
	if s.office.data != nil {
		err = s.office.data()
	}
	if err == nil || errors.Is(err, errCut) {
		s.office.received = append(s.office.received, m)
	}
	if errors.Is(err, errCut) {
		_ = s.conn.Conn().Close()
	}
	return err
}
