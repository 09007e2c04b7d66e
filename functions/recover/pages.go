package recover

import (
	"context"
	_ "embed"
	"html"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/recovery"
	"github.com/voiceassist/gateway/shared/ratelimit"
)

//go:embed page.js
var script []byte

const (
	styleFile  = "pages/link.css"
	scriptFile = "pages/link.js"

	fresh = 5 * time.Minute // how long browsers keep the files

	htmlType = "text/html; charset=utf-8"
	maxForm  = 16 << 10         // bytes; a token has 80, a password at most some hundred
	actTime  = 25 * time.Second // API Gateway gives up after 29
)

// pagePolicy is the content security policy of the pages: scripts, styles and the icon come from
// files, and forms go to the gateway.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// A page is where a link in a mail leads. Opening it changes nothing, so programs that
// look into links of mails cannot use them up: the form acts. The token is its only
// credential, so no page of another origin can act for somebody with it.
type page struct {
	path     string
	password bool // asks for a new password
	name     bool // asks for a name
	title    text
	intro    text
	button   text
	done     text   // what the page says after success
	signsIn  bool   // the user can sign in then
	another  text   // how to get another link, beside a refusal; empty if the page at / has no way
	way      string // to that, in the page at /
	act      func(ctx context.Context, from audit.Origin, q form) error
}

// A form is what the user has filled in.
type form struct {
	token, password secret.String
	name            string
}

func (f *Function) pages() []page {
	return []page{
		{
			path:    "/verify",
			title:   text{"Confirm your e-mail address", "E-Mail-Adresse bestätigen"},
			intro:   text{"Confirm that you read mail at this address.", "Bestätigen Sie, dass Sie E-Mails an diese Adresse lesen."},
			button:  text{"Confirm", "Bestätigen"},
			done:    text{"The address is confirmed. You can sign in now.", "Die Adresse ist bestätigt. Sie können sich jetzt anmelden."},
			signsIn: true, another: text{"Sign in to get another link", "Anmelden, um einen neuen Link zu bekommen"}, way: "./",
			act: func(ctx context.Context, from audit.Origin, q form) error {
				_, err := f.Service.Verify(ctx, q.token, from)
				return err
			},
		},
		{
			path: "/reset-password", password: true,
			title:   text{"Choose a new password", "Neues Passwort wählen"},
			intro:   text{"All your devices are signed out when you set it.", "Wenn Sie es setzen, werden alle Ihre Geräte abgemeldet."},
			button:  text{"Set the password", "Passwort setzen"},
			done:    text{"The password is changed. Sign in with it now.", "Das Passwort ist geändert. Melden Sie sich jetzt damit an."},
			signsIn: true, another: text{"Get another link", "Einen neuen Link bekommen"}, way: "./#/forgot",
			act: func(ctx context.Context, from audit.Origin, q form) error {
				return f.Service.Reset(ctx, q.token, q.password, from)
			},
		},
		{
			path: "/accept-invitation", password: true, name: true,
			title:   text{"Welcome", "Willkommen"},
			intro:   text{"An account was created for you. Choose a password for it.", "Für Sie wurde ein Konto angelegt. Wählen Sie ein Passwort dafür."},
			button:  text{"Set up the account", "Konto einrichten"},
			done:    text{"Your account is ready. Sign in with your e-mail address and the password.", "Ihr Konto ist bereit. Melden Sie sich mit Ihrer E-Mail-Adresse und dem Passwort an."},
			signsIn: true,
			act: func(ctx context.Context, from audit.Origin, q form) error {
				_, _, err := f.Service.Accept(ctx, recovery.Acceptance{Token: q.token, Password: q.password, FullName: q.name}, from, nil)
				return err
			},
		},
		{
			path:   "/undo",
			title:  text{"Undo the change of address", "Änderung der Adresse rückgängig machen"},
			intro:  text{"Your account gets its previous address again. All devices are signed out, and you choose a new password.", "Ihr Konto bekommt wieder die bisherige Adresse. Alle Geräte werden abgemeldet, und Sie wählen ein neues Passwort."},
			button: text{"Undo the change", "Rückgängig machen"},
			done:   text{"The change is undone. A link to choose a new password is on its way to you.", "Die Änderung ist rückgängig gemacht. Ein Link, mit dem Sie ein neues Passwort wählen, ist unterwegs zu Ihnen."},
			act: func(ctx context.Context, from audit.Origin, q form) error {
				_, err := f.Service.Undo(ctx, q.token, from)
				return err
			},
		},
		{
			path:   "/not-me",
			title:  text{"It was not me", "Das war ich nicht"},
			intro:  text{"All devices are signed out, app passwords and API keys end, and you choose a new password.", "Alle Geräte werden abgemeldet, App-Passwörter und API-Schlüssel enden, und Sie wählen ein neues Passwort."},
			button: text{"It was not me", "Das war ich nicht"},
			done:   text{"All access to your account has ended. A link to choose a new password is on its way to you.", "Alle Zugänge zu Ihrem Konto sind beendet. Ein Link, mit dem Sie ein neues Passwort wählen, ist unterwegs zu Ihnen."},
			act: func(ctx context.Context, from audit.Origin, q form) error {
				return f.Service.Disown(ctx, q.token, from)
			},
		},
	}
}

// Pages returns the routes of the pages and their files. They are for people, so the
// API description does not contain them.
func (f *Function) Pages() endpoint.Routes {
	routes := endpoint.Routes{
		{Pattern: "GET /" + styleFile, Handler: endpoint.File("text/css; charset=utf-8", []byte(endpoint.DocumentStyle()), fresh)},
		{Pattern: "GET /" + scriptFile, Handler: endpoint.File("text/javascript; charset=utf-8", script, fresh)},
	}
	for _, p := range f.pages() {
		routes = append(routes,
			endpoint.Route{Pattern: "GET " + p.path, Handler: endpoint.Raw(p.show)},
			endpoint.Route{Pattern: "POST " + p.path, Handler: endpoint.Raw(p.submit), Limit: ratelimit.Password},
		)
	}
	return routes
}

// show shows the form.
func (p page) show(w http.ResponseWriter, r *http.Request) error {
	p.write(w, r, http.StatusOK, content{form: true})
	return nil
}

// Errors of forms that no page of the gateway sends.
var (
	errForm     = fault.New(fault.UnsupportedMediaType, "unsupported_media_type", "This page reads application/x-www-form-urlencoded.")
	errTooLarge = fault.New(fault.TooLarge, "body_too_large", "The form is too large.")
	errFormData = fault.New(fault.Malformed, "malformed_form", "The body is not form data.")
)

// submit acts on the form, and shows what came of it.
func (p page) submit(w http.ResponseWriter, r *http.Request) error {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return errForm
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		return errTooLarge.Because(err)
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return errFormData.Because(err)
	}
	token := strings.TrimSpace(values.Get("token"))
	token = token[strings.LastIndexByte(token, '#')+1:] // people paste the whole link, too
	ctx, cancel := context.WithTimeout(r.Context(), actTime)
	defer cancel()
	err = p.act(ctx, endpoint.Origin(r), form{secret.String(token), secret.String(values.Get("password")), values.Get("name")})
	if err == nil {
		p.write(w, r, http.StatusOK, content{})
		return nil
	}
	f := fault.Of(err)
	failure, known := failures[codeOf(f)]
	if !known {
		return err
	}
	endpoint.RecordError(r, err)
	p.write(w, r, endpoint.StatusOf(f.Kind), content{form: true, failure: failure, expired: codeOf(f) == "bad_token", token: token, name: values.Get("name")})
	return nil
}

// codeOf returns the code of the fault, or that of its first field.
func codeOf(f *fault.Error) string {
	if len(f.Fields) > 0 {
		return f.Fields[0].Code
	}
	return f.Code
}

// A content is what a page shows.
type content struct {
	form    bool   // the form; otherwise that it has succeeded
	failure text   // of the last attempt
	expired bool   // the failure is the token's
	token   string // that was sent with it
	name    string
}

func (p page) write(w http.ResponseWriter, r *http.Request, status int, c content) {
	l := preferred(r)
	h := w.Header()
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Content-Language", l.tag())
	h.Add("Vary", "Accept-Language")
	endpoint.WriteBytes(w, r, status, htmlType, p.html(l, c))
}

// head is the head of the pages. Links are relative, because PUBLIC_URL may have a path.
const head = "<link rel=\"icon\" href=\"favicon.ico\">\n<link rel=\"stylesheet\" href=\"" + styleFile + "\">\n" +
	"<script src=\"" + scriptFile + "\" defer></script>\n"

// html returns the document. Everything that is not from this file is escaped.
func (p page) html(l language, c content) []byte {
	var b strings.Builder
	put := func(parts ...string) {
		for _, part := range parts {
			b.WriteString(part)
		}
	}
	if c.failure != (text{}) {
		put("<p class=\"message bad\" role=\"alert\">", html.EscapeString(c.failure[l]), "</p>\n")
	}
	if c.form {
		p.putForm(put, l, c)
	} else {
		put("<p class=\"message good\" role=\"status\">", html.EscapeString(p.done[l]), "</p>\n")
	}
	switch {
	case !c.form && p.signsIn:
		put("<a class=\"main\" href=\"./\">", html.EscapeString(signInText[l]), "</a>\n")
	case c.expired && p.way != "":
		put("<p class=\"links\"><a href=\"", p.way, "\">", html.EscapeString(p.another[l]), "</a></p>\n")
	}
	return endpoint.Document{Language: l.tag(), Title: p.title[l], Head: head, Body: b.String()}.HTML()
}

// putForm puts the form. The script hides the field of the token when the address has it.
func (p page) putForm(put func(...string), l language, c content) {
	field := func(name string, label, hint text, attributes string) {
		put("<div class=\"field\"><label for=\"", name, "\">", html.EscapeString(label[l]), "</label><div class=\"input\"><input id=\"", name,
			"\" name=\"", name, "\" aria-describedby=\"", name, "-hint\"", attributes, "></div><p class=\"hint\" id=\"", name, "-hint\">",
			html.EscapeString(hint[l]), "</p></div>\n")
	}
	put("<p>", html.EscapeString(p.intro[l]), "</p>\n<form method=\"post\">\n")
	if value := " value=\"" + html.EscapeString(c.token) + "\""; c.token == "" || c.expired {
		field("token", codeLabel, codeHint, value+" required autocomplete=\"off\" autocapitalize=\"none\" spellcheck=\"false\"")
	} else { // it is not the token that the user has to correct
		put("<input type=\"hidden\" name=\"token\"", value, ">\n")
	}
	if p.name {
		field("name", nameLabel, nameHint, " value=\""+html.EscapeString(c.name)+"\" autocomplete=\"name\"")
	}
	if p.password {
		field("password", passwordLabel, passwordHint, " type=\"password\" required minlength=\"8\" autocomplete=\"new-password\"")
	}
	put("<button class=\"main\">", html.EscapeString(p.button[l]), "</button>\n</form>\n")
}
