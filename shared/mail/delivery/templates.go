package delivery

import (
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"maps"
	"net/url"
	"strings"
	texttemplate "text/template"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/mail"
)

//go:embed templates
var embedded embed.FS

// fallback is the language of users who prefer one without templates.
const fallback = "en"

const timeFormat = "2006-01-02 15:04 MST"

// A view is what templates can show. Nothing in it is a name or a text that a user
// chose, so nobody can make the gateway send a text of theirs to others.
type view struct {
	Language string
	Subject  string // only in HTML
	Service  string // the host name of the gateway
	Email    string // of the recipient
	NewEmail string // only in address-change and address-changed
	Device   string // only in notices: the browser and the system, from a fixed list; may be ""
	Address  string // only in notices: the network address of the client; may be ""
	Time     string // only in notices: when it happened
	Link     string // contains the token
	Expires  string // when the link stops working
}

// templates are the parsed templates by "kind.language". The text begins with the
// subject.
type templates struct {
	text map[string]*texttemplate.Template
	html map[string]*htmltemplate.Template
}

// parseTemplates parses the built-in templates and those in dir, which replace them or
// add languages, and tries each.
func parseTemplates(dir string) (*templates, error) {
	files, err := allTemplates(dir)
	if err != nil {
		return nil, err
	}
	t := &templates{text: map[string]*texttemplate.Template{}, html: map[string]*htmltemplate.Template{}}
	for name, content := range files {
		if err := t.parse(name, content, files["layout.html"]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	for name := range t.text {
		kind, language, _ := strings.Cut(name, ".")
		if t.html[name] == nil {
			return nil, fmt.Errorf("%s.html is missing", name)
		}
		m := mail.Message{Kind: mail.Kind(kind), Language: language, Recipient: "ada@example.org"}
		sample := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		if _, err := t.render(m, &url.URL{Scheme: "https", Host: "gateway.example"}, "token", sample); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return t, nil
}

func allTemplates(dir string) (map[string]string, error) {
	replaced, err := readTemplates(dir)
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	err = fs.WalkDir(embedded, "templates", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := embedded.ReadFile(path)
		files[d.Name()] = string(b)
		return err
	})
	maps.Copy(files, replaced)
	return files, err
}

func (t *templates) parse(name, content, layout string) (err error) {
	if base, ok := strings.CutSuffix(name, ".txt"); ok {
		t.text[base], err = texttemplate.New(name).Option("missingkey=error").Parse(content)
		return err
	}
	base := strings.TrimSuffix(name, ".html")
	if base == "layout" {
		return nil
	}
	page, err := htmltemplate.New("layout").Parse(layout)
	if err == nil {
		t.html[base], err = page.Parse(content)
	}
	return err
}

// A letter is a rendered mail.
type letter struct{ subject, text, html string }

var errNoSubject = errors.New(`the first line is not "Subject: …"`)

// render renders m. Its link contains the token, which works until expires. The link is
// on the public address of the gateway, whatever the request that caused the mail said.
func (t *templates) render(m mail.Message, public *url.URL, token secret.String, expires time.Time) (letter, error) {
	name := string(m.Kind) + "." + m.Language
	if t.text[name] == nil {
		name = string(m.Kind) + "." + fallback
	}
	text, html := t.text[name], t.html[name]
	if text == nil || html == nil {
		return letter{}, fmt.Errorf("no template %s", name)
	}
	v := view{
		Language: strings.TrimPrefix(name, string(m.Kind)+"."), Service: public.Host, Email: string(m.Recipient),
		NewEmail: string(m.Data.NewEmail), Link: m.Kind.Link(public, token), Expires: expires.UTC().Format(timeFormat),
		Device: m.Data.Device, Address: m.Data.Address, Time: m.CreatedAt.UTC().Format(timeFormat),
	}
	var b strings.Builder
	if err := text.Execute(&b, v); err != nil {
		return letter{}, err
	}
	first, body, _ := strings.Cut(b.String(), "\n")
	subject, ok := strings.CutPrefix(first, "Subject: ")
	if !ok || strings.TrimSpace(subject) == "" {
		return letter{}, errNoSubject
	}
	v.Subject = strings.TrimSpace(subject)
	l := letter{subject: v.Subject, text: strings.TrimLeft(body, "\r\n")}
	b.Reset()
	if err := html.Execute(&b, v); err != nil {
		return letter{}, err
	}
	l.html = b.String()
	return l, nil
}
