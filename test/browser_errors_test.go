package test_test

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// TestBrowser_Errors opens pages that fail in a German browser, in light and dark and on a
// narrow screen, and the addresses that browsers expect. The console stays empty except
// for the failures themselves, so the policy allows what the pages contain.
func TestBrowser_Errors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, dir, nil, "PASSWORD_RATE_LIMIT_PER_MINUTE=1")
	d := &docsPage{process: p, ctx: chromiumFor(t, certificateIn(t, dir), chromedp.Flag("accept-lang", "de-CH"))}
	d.complaints(t, "status of 404", "status of 400", "status of 429")
	sees := func(what, script, want string) {
		t.Helper()
		if got := evaluate[string](t, d, script); got != want {
			t.Errorf("%s is %q, want %q", what, got, want)
		}
	}
	scheme := func(value string) {
		t.Helper()
		if _, err := chromedp.Call(d.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	const heading, background = `document.querySelector("h1").innerText`, `getComputedStyle(document.body).backgroundColor`

	d.do(t, "open a page that does not exist", chromedp.Navigate(p.https+"/nothing/here"))
	sees("the heading", heading, "Seite nicht gefunden")
	sees("the language", `document.documentElement.lang`, "de")
	sees("the link to the start page", `document.querySelector("a").href.replace(location.origin, "")`, "/")
	sees("the reference", `String(document.querySelector("code").innerText.length > 8)`, "true")
	scheme("light")
	sees("the light background", background, "rgb(244, 245, 248)")
	scheme("dark")
	sees("the dark background", background, "rgb(20, 21, 26)")
	d.fits(t, 360)

	// The link of a mail, whose form is sent more often than the limit allows.
	d.do(t, "send the form", chromedp.Navigate(p.https+"/verify"), enter("[name=token]", "wrong"), click("button"), chromedp.WaitVisible(chromedp.CSS("[role=alert]")))
	d.do(t, "send it again", click("button"), chromedp.WaitVisible(chromedp.CSS("code")))
	sees("the heading", heading, "Einen Moment bitte")
	sees("the advice", `String(/in \d+ Sekunden/.test(document.body.innerText))`, "true")

	d.do(t, "change the password", chromedp.Navigate(p.https+"/.well-known/change-password"))
	sees("the form for passwords", `location.pathname + location.hash`, "/#/security")
	sees("the icon", `new Promise(done => { const icon = new Image(); icon.onload = () => done(icon.naturalWidth + " px"); icon.onerror = () => done("broken"); icon.src = "/favicon.ico" })`, "32 px")
}
