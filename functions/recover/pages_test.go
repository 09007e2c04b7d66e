package recover_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestPages_ActOnPOSTOnly opens the page of a link as programs do that look into mails,
// and then sends the form.
func TestPages_ActOnPOSTOnly(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		id, _ := g.Person()
		g.Do("POST", requested, email(functionstest.Email)).Want(http.StatusAccepted, "")
		code := g.Mail(mail.VerifyAddress).Code
		for _, method := range []string{"GET", "HEAD"} {
			g.Do(method, "/verify?token="+code, nil).Want(http.StatusOK, "")
		}
		if stored(t, g, id).EmailVerifiedAt != nil {
			t.Fatal("opening the page verified the address")
		}
		a := g.Do("POST", "/verify", functionstest.Form{"token": {code}}).Want(http.StatusOK, "")
		if stored(t, g, id).EmailVerifiedAt == nil || !strings.Contains(a.Body, "The address is confirmed.") {
			t.Errorf("got %s", a.Body)
		}
		a = g.Do("POST", "/verify", functionstest.Form{"token": {code}}, functionstest.Header("Accept-Language", "fr, de;q=0.8, en;q=0.5")).
			Want(http.StatusBadRequest, "")
		if !strings.Contains(a.Body, "Dieser Link ist nicht gültig.") || a.Header.Get("Content-Language") != "de" {
			t.Errorf("got %v %s", a.Header, a.Body)
		}
	})
}

// TestPages_ResetAPassword sends a password that is too short, and the whole link in
// place of the token.
func TestPages_ResetAPassword(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	g.Person()
	code := forget(g)
	send := func(token, plain string, status int) string {
		t.Helper()
		return g.Do("POST", "/reset-password", functionstest.Form{"token": {token}, "password": {plain}}).Want(status, "").Body
	}
	if page := send(code, "short", http.StatusUnprocessableEntity); !strings.Contains(page, "at least 8 characters") || !strings.Contains(page, `value="`+code+`"`) {
		t.Errorf("the page has not the reason and the code:\n%s", page)
	}
	if page := send(`"><script>`, fresh, http.StatusBadRequest); strings.Contains(page, `"><script>`) {
		t.Errorf("the page repeats what was sent:\n%s", page)
	}
	if page := send("no token", fresh, http.StatusBadRequest); !strings.Contains(page, `href="./#/forgot"`) {
		t.Errorf("the page does not say where to get another link:\n%s", page)
	}
	if page := send("https://gateway.example.org/reset-password#"+code+" ", fresh, http.StatusOK); !strings.Contains(page, `<a class="main" href="./">Sign in</a>`) {
		t.Errorf("the page does not lead to the sign-in:\n%s", page)
	}
	g.Login(functionstest.Email, fresh)
	g.Do("POST", "/reset-password", `{"token":"x"}`).Want(http.StatusUnsupportedMediaType, "unsupported_media_type")
	g.Do("POST", "/reset-password", functionstest.Form{"token": {strings.Repeat("x", 1<<20)}}).Want(http.StatusRequestEntityTooLarge, "body_too_large")
}

// TestPages_AreStrict checks the headers of the pages, and that they load nothing but
// their files.
func TestPages_AreStrict(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	for _, k := range mail.Kinds() {
		a := g.Do("GET", k.Page(), nil, functionstest.Header("Host", "evil.example")).Want(http.StatusOK, "")
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Content-Type": "text/html; charset=utf-8",
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", k.Page(), name, got, want)
			}
		}
		if strings.Contains(a.Body, "://") || strings.Contains(a.Body, "evil") {
			t.Errorf("%s has an absolute link:\n%s", k.Page(), a.Body)
		}
		g.Do("PUT", k.Page(), nil).Want(http.StatusMethodNotAllowed, "method_not_allowed")
	}
	for path, want := range map[string]string{"/pages/link.css": "text/css; charset=utf-8", "/pages/link.js": "text/javascript; charset=utf-8"} {
		a := g.Do("GET", path, nil).Want(http.StatusOK, "")
		if got := a.Header.Get("Content-Type"); got != want {
			t.Errorf("%s is %s", path, got)
		}
		g.Do("GET", path, nil, functionstest.Header("If-None-Match", a.Header.Get("ETag"))).Want(http.StatusNotModified, "")
	}
}
