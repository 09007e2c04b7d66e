package test_test

import (
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/mail"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/faas/faastest"
	"github.com/voiceassist/gateway/shared/mail/mailtest"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestMail_TellsOfANewNetwork logs in from three addresses in two networks, with a
// User-Agent that would add a recipient and a link. One mail arrives, in the language of
// the user; its link ends the logins.
func TestMail_TellsOfANewNetwork(t *testing.T) {
	t.Parallel()
	office := mailtest.New(t, false)
	p := start(t, t.TempDir(), nil, append(mailing(office), "EMAIL_VERIFICATION=off", "TRUSTED_PROXIES=127.0.0.1")...)
	register(t, p, "ada@example.org", "")
	login := func(address string) (tokens struct {
		Access string `json:"access_token"`
	}) {
		t.Helper()
		from := p.client.Transport
		defer func() { p.client.Transport = from }()
		p.client.Transport = withHeaders{from, map[string]string{
			"X-Forwarded-For": address, "User-Agent": "Firefox/140 (Linux) <https://evil.example> Bcc: eve@evil.example",
		}}
		if !call(p, "POST", "/api/auth/login", "", `{"email":"ada@example.org","password":"correct horse battery staple"}`, &tokens) {
			t.Fatalf("no login from %s", address)
		}
		return tokens
	}
	ada := login("192.0.2.1")
	if !call(p, "PATCH", "/api/users/me", ada.Access, `{"preferences":{"language":"de"}}`, nil) {
		t.Fatal("the language was not changed")
	}
	thief := login("2001:db8::1")
	login("192.0.2.2")
	await(t, "the mail", func() bool { return len(office.Mails()) > 0 })
	await(t, "that all mails are sent", func() bool {
		out, _ := command(t, p.cmd.Dir, "", nil, "mail", "status")
		return strings.HasPrefix(out, "waiting 0, sent in the last day 1, dead 0\n")
	})
	m := office.Mails()[0]
	expectOneRecipient(t, m, "<ada@example.org>")
	text := plainText(t, m)
	if strings.Contains(text, "evil") || !strings.Contains(text, "mit Firefox, Linux, von 2001:db8::1") {
		t.Errorf("got %s", text)
	}
	_, rest, _ := strings.Cut(text, "https://gateway.example.org/not-me#")
	token := strings.Fields(rest)
	if len(token) == 0 || !call(p, "POST", "/api/auth/not-me", "", `{"token":"`+token[0]+`"}`, nil) {
		t.Fatalf("the link does not work: %s", text)
	}
	for _, access := range []string{ada.Access, thief.Access} {
		if call(p, "GET", "/api/users/me", access, "", nil) {
			t.Error("a login is still valid")
		}
	}
}

// plainText returns the first part of m, which is its text.
func plainText(t *testing.T, m *mail.Message) string {
	t.Helper()
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	part, err := multipart.NewReader(m.Body, params["boundary"]).NextPart() // decodes it
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(part)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// withHeaders adds headers to requests.
type withHeaders struct {
	http.RoundTripper

	headers map[string]string
}

func (w withHeaders) RoundTrip(r *http.Request) (*http.Response, error) {
	for name, value := range w.headers {
		r.Header.Set(name, value)
	}
	return w.RoundTripper.RoundTrip(r)
}

// TestFunctions_TellOfNewNetworks logs in through the login function, from two networks.
func TestFunctions_TellOfNewNetworks(t *testing.T) {
	t.Parallel()
	h := newBackend(t)
	db := storetest.OpenPostgres(t, h.database)
	defer db.Close()
	p := faastest.Start(t, faastest.Build(t, "../functions/login/bootstrap"), append(h.with(h.database), "MAIL_NOTICES=true")...)
	for i, address := range []string{"192.0.2.1", "192.0.2.2", "198.51.100.1"} {
		body := `{"email":"root@example.com","password":"` + strings.TrimSpace(rootPassword) + `"}`
		r, err := http.NewRequestWithContext(t.Context(), "POST", public+"/api/auth/login", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.RemoteAddr = address + ":40000"
		resp, err := faastest.FrontV2.Client(p).RoundTrip(r)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("from %s: got %v, %v", address, resp, err)
		}
		if b, err := db.MailBacklog(t.Context()); err != nil || b.Waiting != i/2 {
			t.Errorf("after a login from %s: got %+v, %v; want %d waiting", address, b, err, i/2)
		}
	}
}
