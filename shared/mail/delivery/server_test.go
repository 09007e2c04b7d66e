package delivery

import (
	"crypto/tls"
	"net/url"

	"github.com/voiceassist/gateway/shared/mail/mailtest"
)

// transportTo returns the transport to the mail server.
func transportTo(o *mailtest.Office, scheme, query string) *server {
	u := &url.URL{Scheme: scheme, Host: o.Address, RawQuery: query, User: url.UserPassword(mailtest.User, mailtest.Password)}
	return &server{url: u, tls: &tls.Config{RootCAs: o.Pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}}
}
