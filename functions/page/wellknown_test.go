package page_test

import (
	"bytes"
	"encoding/binary"
	"image/png"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/page"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/endpoint"
)

// contact returns the settings with a contact.
func contact(t *testing.T) page.Settings { return load(t, "security@example.org") }

func load(t *testing.T, value string) (s page.Settings) {
	t.Helper()
	if err := config.Map(map[string]string{"SECURITY_CONTACT": value}).Load(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestIcon_IsOne checks the icon as browsers read it: a list of PNG pictures.
func TestIcon_IsOne(t *testing.T) {
	t.Parallel()
	resp := get(t, "/favicon.ico")
	data := []byte(body(t, resp))
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "image/vnd.microsoft.icon" || len(data) > 4096 || binary.LittleEndian.Uint16(data[2:]) != 1 {
		t.Fatalf("%d %s, %d bytes", resp.StatusCode, resp.Header.Get("Content-Type"), len(data))
	}
	for i := range int(binary.LittleEndian.Uint16(data[4:])) {
		entry := data[6+16*i:]
		size, at := binary.LittleEndian.Uint32(entry[8:]), binary.LittleEndian.Uint32(entry[12:])
		picture, err := png.Decode(bytes.NewReader(data[at : at+size]))
		if err != nil || picture.Bounds().Dx() != int(entry[0]) {
			t.Errorf("picture %d: %v", i, err)
		}
	}
	if got := get(t, "/favicon.ico", "If-None-Match", resp.Header.Get("ETag")).StatusCode; got != http.StatusNotModified {
		t.Errorf("the same icon again: %d", got)
	}
}

func TestRobots_StayAway(t *testing.T) {
	t.Parallel()
	if resp := get(t, "/robots.txt"); body(t, resp) != "User-agent: *\nDisallow: /\n" || resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
}

// TestChangePassword_LeadsToTheForm checks the redirect, and the check of the specification
// that makes sure that not every address below /.well-known responds.
func TestChangePassword_LeadsToTheForm(t *testing.T) {
	t.Parallel()
	resp := get(t, "/.well-known/change-password", "Accept", browser)
	from, err := url.Parse("https://api.example.org/.well-known/change-password")
	if err != nil {
		t.Fatal(err)
	}
	at, err := from.Parse(resp.Header.Get("Location"))
	if err != nil || resp.StatusCode != http.StatusFound || at.String() != "https://api.example.org/#/security" {
		t.Errorf("%d to %s, %v", resp.StatusCode, at, err)
	}
	if got := get(t, "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200").StatusCode; got != http.StatusNotFound {
		t.Errorf("what does not exist: %d", got)
	}
}

// TestSecurity_HasWhatRFC9116Asks checks the fields of security.txt at several times.
func TestSecurity_HasWhatRFC9116Asks(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 30, 23, 59, 0, 0, time.FixedZone("", -7200))
	read := func(s page.Settings) *httptest.ResponseRecorder {
		f := &page.Function{Settings: s, Now: func() time.Time { return at }}
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example.org/.well-known/security.txt", nil)
		endpoint.New(endpoint.Settings{Log: slog.New(slog.DiscardHandler), Now: time.Now}, f.Pages()...).ServeHTTP(w, r)
		return w
	}
	for value, want := range map[string]string{
		"security@example.org":         "mailto:security@example.org",
		"a+b@example.org":              "mailto:a+b@example.org",
		"https://example.org/security": "https://example.org/security",
	} {
		w := read(load(t, value))
		if got := w.Body.String(); !strings.HasPrefix(got, "Contact: "+want+"\n") || w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: %d %s\n%s", value, w.Code, w.Header().Get("Content-Type"), got)
		}
		stamp := regexp.MustCompile(`(?m)^Expires: (.*)$`).FindAllStringSubmatch(w.Body.String(), -1)
		if len(stamp) != 1 {
			t.Fatalf("the expiry of %q is %q, want one", w.Body, stamp)
		}
		expires, err := time.Parse(time.RFC3339, stamp[0][1])
		if left := expires.Sub(at); err != nil || left < 30*24*time.Hour || left > 365*24*time.Hour {
			t.Errorf("expires in %v, %v", left, err)
		}
	}
	if w := read(page.Settings{}); w.Code != http.StatusNotFound {
		t.Errorf("without a contact: %d", w.Code)
	}
}

func TestSettings_RefuseWhatIsNoContact(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"somebody", "http://example.org", "Ada <ada@example.org>", "a@b\nEncryption: x", "https://"} {
		var s page.Settings
		if err := config.Map(map[string]string{"SECURITY_CONTACT": value}).Load(&s); err == nil || !strings.Contains(err.Error(), "SECURITY_CONTACT") {
			t.Errorf("%q: %v, %+v", value, err, s)
		}
	}
}
