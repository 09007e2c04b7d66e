package delivery

import (
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

// Settings say how mails are sent, and where their links lead.
type Settings struct {
	SMTP      secret.String // the URL of the mail server; "" for none
	From      string        // the sender of all mails
	Public    *url.URL      // where users reach the gateway
	Templates string        // a folder with templates that replace the built-in ones; "" for none
	Dir       string        // where mails become files while there is no mail server; "" for nowhere

	// DefaultDir is Dir if MAIL_DIR is unset. Set it before Load.
	DefaultDir string
}

// Load loads SMTP_URL, MAIL_FROM, PUBLIC_URL, MAIL_TEMPLATES and MAIL_DIR.
func (s *Settings) Load(r setting.Reader) {
	s.SMTP = r.SecretURL("SMTP_URL")
	s.From = r.String("MAIL_FROM", "gateway@localhost")
	s.Public = r.URL("PUBLIC_URL", "https", "http")
	s.Templates = r.String("MAIL_TEMPLATES", "")
	s.Dir = r.String("MAIL_DIR", s.DefaultDir)
	if s.SMTP != "" {
		s.checkSMTP(r)
	}
	if a, err := mail.ParseAddress(s.From); err != nil || strings.ContainsAny(s.From, "\r\n") {
		r.Refuse("MAIL_FROM", s.From, "an address such as gateway@example.org or VoiceAssist <gateway@example.org>")
	} else if s.SMTP != "" && a.Address == "gateway@localhost" {
		r.Refuse("MAIL_FROM", "nothing", "the address that mails come from, because SMTP_URL is set")
	}
	if s.Public == nil {
		if s.SMTP != "" {
			r.Refuse("PUBLIC_URL", "nothing", "the address of the gateway for the links in mails, because SMTP_URL is set")
		}
		s.Public = &url.URL{Scheme: "https", Host: "localhost:8443"}
	}
	if s.Public.RawQuery != "" || s.Public.Fragment != "" {
		r.Refuse("PUBLIC_URL", s.Public.String(), "a URL without query and fragment")
	}
	if s.Templates != "" {
		if _, err := parseTemplates(s.Templates); err != nil {
			r.Refuse("MAIL_TEMPLATES", s.Templates, "a folder with valid templates: "+err.Error())
		}
	}
}

func (s *Settings) checkSMTP(r setting.Reader) {
	const takes = "smtp://USER:PASSWORD@HOST:587 or smtps://USER:PASSWORD@HOST:465; ?starttls=optional or ?starttls=off only for a server on the same machine or network"
	u, err := url.Parse(s.SMTP.Reveal())
	switch {
	case err != nil || u.Host == "":
		r.RefuseSecret("SMTP_URL", "is not a URL with a host", takes)
		return
	case u.Scheme != "smtp" && u.Scheme != "smtps":
		r.RefuseSecret("SMTP_URL", "does not begin with smtp:// or smtps://", takes)
	case strings.Trim(u.Path, "/") != "" || u.Fragment != "":
		r.RefuseSecret("SMTP_URL", "has a path or a fragment; encode special characters of the password", takes)
	}
	for name, values := range u.Query() {
		if name != "starttls" || len(values) != 1 || values[0] != "required" && values[0] != "optional" && values[0] != "off" {
			r.RefuseSecret("SMTP_URL", "has an unknown parameter", takes)
		}
	}
}

// Configured reports whether mails go anywhere.
func (s *Settings) Configured() bool { return s.SMTP != "" || s.Dir != "" }

// transport returns how mails are sent, or nil if they go nowhere.
func (s *Settings) transport() transport {
	switch {
	case s.SMTP != "":
		u, err := url.Parse(s.SMTP.Reveal())
		if err != nil {
			return nil // Load has refused it
		}
		return &server{url: u}
	case s.Dir != "":
		return &folder{dir: filepath.Clean(s.Dir)}
	}
	return nil
}

// readTemplates returns the files of a folder by name; "" has none.
func readTemplates(dir string) (map[string]string, error) {
	files := map[string]string{}
	if dir == "" {
		return files, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); e.IsDir() || ext != ".txt" && ext != ".html" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		files[e.Name()] = string(b)
	}
	return files, nil
}
