package page

import (
	_ "embed"
	"net/http"
	"net/mail"
	"net/url"
	"time"

	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

// Settings are the settings of the function.
type Settings struct {
	Contact string // where to report vulnerabilities, as a URI; "" for nowhere
}

// Load loads SECURITY_CONTACT.
func (s *Settings) Load(r setting.Reader) {
	got := r.String("SECURITY_CONTACT", "")
	if got == "" {
		return
	}
	if a, err := mail.ParseAddress(got); err == nil && a.Address == got {
		s.Contact = (&url.URL{Scheme: "mailto", Opaque: url.PathEscape(got)}).String()
		return
	}
	u, err := url.Parse(got)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		r.Refuse("SECURITY_CONTACT", got, "an e-mail address, or a URL that begins with https://")
		return
	}
	s.Contact = u.String()
}

// icon is web/src/icon.svg in 16 and 32 pixels, for whoever asks without reading the page.
//
//go:embed favicon.ico
var icon []byte

// robots keeps all search engines away: nothing here is for the public, and addresses of
// links in mails must not be found.
const robots = "User-agent: *\nDisallow: /\n"

// changePassword is where the page has the form, relative to the well-known address.
const changePassword = "../#/security"

const day = 24 * time.Hour

// expiry is how long security.txt is valid. RFC 9116 section 2.5.5 recommends less than a
// year, so that a copy of it gets old.
const expiry = 180 * day

// wellKnown returns the routes that browsers and programs expect at fixed addresses.
func (f *Function) wellKnown() endpoint.Routes {
	return endpoint.Routes{
		{Pattern: "GET /favicon.ico", Handler: endpoint.File("image/vnd.microsoft.icon", icon, day)},
		{Pattern: "GET /robots.txt", Handler: endpoint.File("text/plain; charset=utf-8", []byte(robots), day)},
		{Pattern: "GET /.well-known/change-password", Handler: endpoint.Raw(redirect)},
		{Pattern: "GET /.well-known/security.txt", Handler: endpoint.Raw(f.security)},
	}
}

// redirect leads password managers to the form (W3C, A Well-Known URL for Changing
// Passwords). Another version of the page may have it elsewhere, so it is not permanent.
func redirect(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Location", changePassword)
	w.WriteHeader(http.StatusFound)
	return nil
}

// security says where to report vulnerabilities (RFC 9116). Without a contact there is
// nothing to say, and no file.
func (f *Function) security(w http.ResponseWriter, r *http.Request) error {
	if f.Contact == "" {
		return errNotFound
	}
	// The day, so that the file is the same for a day.
	expires := f.Now().UTC().Add(expiry).Truncate(24 * time.Hour).Format(time.RFC3339)
	text := []byte("Contact: " + f.Contact + "\nExpires: " + expires + "\nPreferred-Languages: en, de\n")
	w.Header().Set("Cache-Control", "public, max-age=86400")
	if !endpoint.NotModified(w, r, endpoint.ETag(text)) {
		endpoint.WriteBytes(w, r, http.StatusOK, "text/plain; charset=utf-8", text)
	}
	return nil
}
