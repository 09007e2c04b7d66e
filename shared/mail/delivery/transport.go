package delivery

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// A transport opens connections over which mails are sent.
type transport interface {
	open(ctx context.Context) (connection, error)
}

// A connection sends mails, one at a time.
type connection interface {
	// send sends a mail. Its error is a *failure.
	send(ctx context.Context, id string, m *gomail.Msg) error
	close()
}

// A scope says what a failure concerns.
type scope int

const (
	ofServer  scope = iota // the mail server or the way to it: other mails fail, too
	temporary              // this mail, now (RFC 5321 section 4.2.1: 4yz)
	permanent              // this mail, always (5yz)
	uncertain              // the connection broke before the server confirmed the mail
)

// A failure is why a mail was not sent.
type failure struct {
	scope scope
	cause error
}

func (f *failure) Error() string { return f.cause.Error() }
func (f *failure) Unwrap() error { return f.cause }

// smtpTime limits the connection, and each command.
const smtpTime = 15 * time.Second

// A server is a mail server.
type server struct {
	url *url.URL
	tls *tls.Config // nil for the certificates that the system trusts
}

func (s *server) open(ctx context.Context) (connection, error) {
	options := []gomail.Option{gomail.WithTimeout(smtpTime)}
	port := 587
	switch starttls := s.url.Query().Get("starttls"); {
	case s.url.Scheme == "smtps":
		port, options = 465, append(options, gomail.WithSSL())
	case starttls == "off":
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	case starttls == "optional":
		options = append(options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if text := s.url.Port(); text != "" {
		port, _ = strconv.Atoi(text) // url.Parse accepts digits only
	}
	options = append(options, gomail.WithPort(port))
	if s.tls != nil {
		options = append(options, gomail.WithTLSConfig(s.tls))
	}
	if user := s.url.User; user != nil {
		password, _ := user.Password()
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover),
			gomail.WithUsername(user.Username()), gomail.WithPassword(password))
	}
	c, err := gomail.NewClient(s.url.Hostname(), options...)
	if err != nil {
		return nil, fmt.Errorf("mail server: %w", err)
	}
	if err := c.DialWithContext(ctx); err != nil {
		return nil, fmt.Errorf("mail server: %w", err)
	}
	return smtpConnection{c}, nil
}

type smtpConnection struct{ client *gomail.Client }

func (c smtpConnection) send(_ context.Context, _ string, m *gomail.Msg) error {
	err := c.client.Send(m)
	if err == nil || m.IsDelivered() {
		return nil
	}
	return &failure{scope: scopeOf(err), cause: err}
}

// scopeOf returns what an error of a client concerns.
func scopeOf(err error) scope {
	e, ok := errors.AsType[*gomail.SendError](err)
	if !ok {
		return ofServer
	}
	switch code := e.ErrorCode(); {
	case code == 421: // RFC 5321 section 3.8: the server closes the connection
		return ofServer
	case e.Reason == gomail.ErrSMTPMailFrom && code >= 500: // it refuses our sender, whatever the mail
		return ofServer
	case code >= 500:
		return permanent
	case code >= 400:
		return temporary
	case e.Reason == gomail.ErrSMTPDataClose:
		return uncertain
	case e.Reason == gomail.ErrNoUnencoded || e.Reason == gomail.ErrGetSender || e.Reason == gomail.ErrGetRcpts:
		return permanent
	}
	return ofServer
}

func (c smtpConnection) close() { _ = c.client.Close() }

// A folder is where mails become files, for a gateway without a mail server.
type folder struct{ dir string }

func (f *folder) open(context.Context) (connection, error) {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder of mails: %w", err)
	}
	return f, nil
}

// send writes the mail to a file, replacing one of an earlier attempt. The text is not
// encoded, so that people can copy the link from the file. Whoever watches the folder sees
// whole mails only.
func (f *folder) send(ctx context.Context, id string, m *gomail.Msg) error {
	name := filepath.Join(f.dir, id+".eml")
	for _, part := range m.GetParts() {
		part.SetEncoding(gomail.NoEncoding)
	}
	var b strings.Builder
	_, err := m.WriteTo(&b)
	if err == nil {
		err = os.WriteFile(name+".new", []byte(b.String()), 0o600)
	}
	if err == nil {
		err = os.Rename(name+".new", name)
	}
	if err != nil {
		return &failure{scope: ofServer, cause: err}
	}
	slog.LogAttrs(ctx, slog.LevelInfo, "wrote a mail to a file, because SMTP_URL is not set", slog.String("file", name))
	return nil
}

func (*folder) close() {}
