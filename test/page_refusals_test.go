//go:build e2e

package test_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// TestPage_Refusals meets a person with a limit, a cookie that is refused, failures of the
// gateway and of a proxy before it, and tabs in two languages.
func TestPage_Refusals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, dir, nil, "LOGIN_RATE_LIMIT_PER_MINUTE=10").open(t, dir)
	p.call(t, "POST", "/api/auth/register", fmt.Sprintf(`{"email":%q,"password":%q}`, herAddress, herPassword))
	p.signsIn(t, herAddress, herPassword)
	t.Run("the cookie is refused", p.forgedCookie)
	t.Run("two languages", p.twoLanguages)
	t.Run("failures", p.failures)
	t.Run("too many attempts", p.tooMany)
}

// forgedCookie opens the page with a session cookie that the gateway refuses.
func (p pageUser) forgedCookie(t *testing.T) {
	yes := true
	if _, err := chromedp.Call(p.ctx, network.SetCookie, network.SetCookieParams{
		Name: "__Secure-refresh_token", Value: "forged", URL: p.process.https, Path: "/api/auth", Secure: &yes, HTTPOnly: &yes,
	}); err != nil {
		t.Fatal(err)
	}
	p.do(t, "reload", chromedp.Reload())
	p.sees(t, "Sign in")
	if evaluate[bool](t, p.docsPage, `!!document.querySelector(".message")`) {
		t.Error("the page shows a message to somebody who has just opened it")
	}
	p.signsIn(t, herAddress, herPassword)
	p.do(t, "reload", chromedp.Reload())
	p.sees(t, "Files")
}

// twoLanguages uses two tabs in two languages, until the account has one.
func (p pageUser) twoLanguages(t *testing.T) {
	p.clicks(t, "Sign out")
	p.sees(t, "Sign in")
	other := p.another(t, "")
	other.sees(t, "Sign in")
	other.clicks(t, "Deutsch")
	other.sees(t, "Anmelden")
	p.signsIn(t, herAddress, herPassword)
	other.sees(t, "Dateien")
	if got := evaluate[string](t, p.docsPage, `document.querySelector("h1").innerText`); got != "Files" {
		t.Errorf("the first tab shows %q, want its own language", got)
	}
	other.clicks(t, "Konto")
	other.sees(t, "Konto")
	other.clicks(t, "Speichern")
	p.sees(t, "Dateien")
	p.clicks(t, "Konto")
	p.do(t, "select a language", chromedp.SetValue(chromedp.CSS("#language"), "en"))
	p.clicks(t, "Speichern")
	other.sees(t, "Account")
}

// failures answers requests of the page in place of the gateway.
func (p pageUser) failures(t *testing.T) {
	p.sees(t, "Account")
	p.do(t, "remember fetch", chromedp.Evaluate[chromedp.Void](`window.realFetch = fetch, undefined`))
	fails := func(response string) {
		p.do(t, response, chromedp.Evaluate[chromedp.Void](`window.fetch = async () => new Response(`+response+`), undefined`))
	}
	fails(`JSON.stringify({code: "internal_error", detail: "The server failed."}), {status: 500, headers: {"X-Correlation-ID": "7f3a"}}`)
	p.clicks(t, "Security")
	p.reads(t, "Something went wrong on our side.")
	p.reads(t, "If you ask for help, quote 7f3a.")
	p.looks(t, "failure")
	fails(`"<html><h1>502 Bad Gateway</h1></html>", {status: 502, headers: {"Content-Type": "text/html"}}`)
	p.clicks(t, "Apps")
	p.reads(t, "The server cannot be reached right now.")
	fails(`"<html>Please sign in to this network</html>", {headers: {"Content-Type": "text/html"}}`)
	p.clicks(t, "Account")
	p.sees(t, "Account")
	p.clicks(t, "Save")
	p.waits(t, "the failure of the form", `document.querySelector("form .message.bad")?.innerText === "Something went wrong. Try again."`)
	p.do(t, "let it work", chromedp.Evaluate[chromedp.Void](`window.fetch = realFetch, undefined`))
	p.clicks(t, "Save")
	p.reads(t, "Saved.")
	p.clicks(t, "Security")
	p.reads(t, "This device")
}

// tooMany signs in when there were too many attempts from the same address.
func (p pageUser) tooMany(t *testing.T) {
	p.clicks(t, "Sign out")
	p.sees(t, "Sign in")
	p.types(t, "email", herAddress)
	p.types(t, "password", herPassword)
	wrong := map[string][]string{"username": {"nobody@example.org"}, "password": {"wrong"}}
	for status := 0; status != http.StatusTooManyRequests; {
		resp, err := p.process.client.PostForm(p.process.https+"/api/auth/login", wrong)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		status = resp.StatusCode
	}
	p.clicks(t, "Sign in")
	p.reads(t, "Too many attempts. Try again in")
	p.looks(t, "sign-in-limit")
	p.reads(t, "You can try again now.")
	p.clicks(t, "Sign in")
	p.sees(t, "Security")
}
