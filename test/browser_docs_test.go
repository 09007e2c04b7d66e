package test_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

const foreignDocument = "url=https://evil.example.net/openapi.json&configUrl=https://evil.example.net/config.json"

// A docsPage is the /docs page of a gateway in a browser.
type docsPage struct {
	process *process
	ctx     context.Context
	open    string // the open operation; each open one makes the page slower
}

// openDocs opens /docs of a new gateway with a Nextcloud, on which ada has an account. The
// address asks for a foreign document, which Swagger UI would load if it honored the
// parameter. Any error on the page's console fails the test.
func openDocs(t *testing.T) *docsPage {
	t.Helper()
	dir := t.TempDir()
	p := startWithDevcloud(t, dir)
	play(t, p.target(), []step{
		{name: "register", method: "POST", path: "/api/auth/register", status: 200,
			body: `{"email":"ada@example.org","password":"correct horse battery staple","full_name":"Ada Lovelace"}`},
		{name: "log in", method: "POST", path: loginAddress, status: 200, save: map[string]string{"access": "access_token"},
			body: `{"email":"ada@example.org","password":"correct horse battery staple"}`},
		hasStorage,
	}, map[string]string{})
	d := &docsPage{process: p, ctx: chromiumFor(t, certificateIn(t, dir))}
	d.complaints(t)
	d.do(t, "open the page", chromedp.EmulateViewport(1280, 900), chromedp.Navigate(p.https+"/docs?"+foreignDocument))
	return d
}

// certificateIn returns the certificate of a gateway that keeps its data in dir.
func certificateIn(t *testing.T, dir string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "tls", "gateway.pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// complaints fails the test for every console error and warning until the page closes,
// including what the content security policy blocks. It ignores messages that contain one
// of the texts.
func (d *docsPage) complaints(t *testing.T, except ...string) {
	ctx, stop := context.WithCancel(d.ctx)
	messages, done := chromedp.Console(ctx), make(chan struct{})
	go func() {
		defer close(done)
		for m, err := range messages {
			if err != nil {
				return
			}
			expected := func(text string) bool { return strings.Contains(fmt.Sprint(m), text) }
			if (m.Type == "error" || m.Type == "warning" || m.IsException()) && !slices.ContainsFunc(except, expected) {
				t.Errorf("the page logged to the console: %s", m)
			}
		}
	}()
	t.Cleanup(func() { stop(); <-done })
}

func (d *docsPage) do(t *testing.T, what string, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(d.ctx, answerTime)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// evaluate returns the result of a script that runs in the page.
func evaluate[T any](t *testing.T, d *docsPage, script string) T {
	t.Helper()
	got, err := chromedp.Run(d.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return got
}

// authorize logs in with the "Authorize" dialog.
func (d *docsPage) authorize(t *testing.T, password string) {
	t.Helper()
	d.do(t, "Authorize", click(".auth-wrapper .authorize"), enter("#oauth_username", "ada@example.org"),
		enter("#oauth_password", password), click(".auth-container:has(#oauth_password) .modal-btn.authorize"))
}

func click(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible)
}

func enter(selector, text string) chromedp.Action[chromedp.Void] {
	return chromedp.SendKeys(chromedp.CSS(selector), text, chromedp.NodeVisible)
}

// try sends a call from the page, filled in by the steps, and returns the status and the
// body that the page shows.
func (d *docsPage) try(t *testing.T, operation string, steps ...chromedp.Action[chromedp.Void]) (status, body string) {
	t.Helper()
	at := "#operations-" + operation + " "
	live := at + ".live-responses-table .response"
	if d.open == operation {
		d.do(t, operation, click(at+".btn-clear"), chromedp.WaitNotPresent(chromedp.CSS(live)))
	} else {
		if d.open != "" {
			d.do(t, "close "+d.open, click("#operations-"+d.open+" .opblock-summary-control"))
		}
		d.do(t, operation, click(at+".opblock-summary-control"), click(at+".try-out__btn"))
		d.open = operation
	}
	d.do(t, operation, steps...)
	d.do(t, operation, click(at+".execute"), chromedp.WaitVisible(chromedp.CSS(live)))
	shown := evaluate[[]string](t, d, fmt.Sprintf(`(row =>
		[row.querySelector(".response-col_status").firstChild.textContent, row.querySelector(".response-col_description").textContent]
	)(document.querySelector(%q))`, live))
	return shown[0], shown[1]
}

// fill sets the text of a field at once and leaves the field, because the page waits for
// that or for a pause. Typing takes seconds on a busy machine.
func fill(selector, text string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(field => {
		Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), "value").set.call(field, %q)
		field.dispatchEvent(new Event("input", {bubbles: true}))
		field.dispatchEvent(new FocusEvent("focusout", {bubbles: true}))
	})(document.querySelector(%q))`, text, selector))
}

// mediaType selects the content type of a call's body.
func mediaType(operation, name string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(select => {
		select.value = %q
		select.dispatchEvent(new Event("change", {bubbles: true}))
	})(document.querySelector("#operations-%s .body-param-content-type select"))`, name, operation))
}

// TestBrowser_Docs logs in on /docs and tries out calls of every kind.
func TestBrowser_Docs(t *testing.T) {
	t.Parallel()
	d := openDocs(t)
	d.authorize(t, "correct horse battery staple")
	d.do(t, "close the dialog", chromedp.WaitNotPresent(chromedp.CSS("#oauth_password")), click(".btn-done"))
	shows := func(operation, wantStatus, wantBody string, steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if status, body := d.try(t, operation, steps...); status != wantStatus || !strings.Contains(body, wantBody) {
			t.Errorf("%s shows %s %s, want %s with %s", operation, status, body, wantStatus, wantBody)
		}
	}
	const (
		create, login, store, read = "Conversations-createSession", "Auth-login", "Files-store", "Files-read"
		text                       = " .body-param__text"
	)
	shows("Users-me", "200", `"full_name": "Ada Lovelace"`)
	shows(create, "201", `"title": "Tried out"`, fill("#operations-"+create+text, `{"title": "Tried out", "context": {"turns": []}}`))

	path := func(operation, path string) chromedp.Action[chromedp.Void] {
		return fill("#operations-"+operation+` [data-param-name="path"] input`, path)
	}
	upload, content := filepath.Join(t.TempDir(), "upload.bin"), "chosen in a form, \x00 and \xff"
	if err := os.WriteFile(upload, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	shows(store, "201", "", path(store, "notes/"))
	shows(store, "201", "", path(store, "notes/a b.bin"),
		chromedp.SetUploadFiles(chromedp.CSS("#operations-"+store+` [type="file"]`), []string{upload}))
	shows(read, "200", `"path": "notes/a b.bin"`, path(read, "notes/"))
	shows(read, "200", `"name": "notes"`, path(read, "/"))
	shows(read, "200", "Download file", path(read, "notes/a b.bin"))
	if got := d.download(t, "#operations-"+read+" .response a[download]"); got != content {
		t.Errorf("the browser downloaded %q, want %q", got, content)
	}

	shows(login, "200", `"access_token"`, mediaType(login, "application/x-www-form-urlencoded"),
		fill("#operations-"+login+` [data-property-name="username"] input`, "ada@example.org"),
		fill("#operations-"+login+` [data-property-name="password"] input`, "correct horse battery staple"))
	shows(login, "200", `"expires_in"`, mediaType(login, "application/json"), fill("#operations-"+login+text,
		`{"email": "ada@example.org", "password": "correct horse battery staple", "transport": "cookie"}`))
	shows("Auth-refresh", "200", `"access_token"`, fill("#operations-Auth-refresh"+text, `{}`))

	d.fits(t, 1280)
	d.fits(t, 360)
}

// download clicks on a link and returns the file that the browser saves.
func (d *docsPage) download(t *testing.T, link string) string {
	t.Helper()
	on, dir := true, t.TempDir()
	if _, err := chromedp.CallBrowser(d.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir, EventsEnabled: &on,
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(d.ctx, answerTime)
	defer cancel()
	events := chromedp.BrowserEvents(ctx, browser.DownloadProgress)
	d.do(t, "download", click(link))
	for e, err := range events {
		if err != nil || e.State == browser.DownloadProgressStateCanceled {
			t.Fatalf("the download ended with %v, %v", e, err)
		}
		if e.State == browser.DownloadProgressStateCompleted {
			break
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the browser saved the files %v, %v", files, err)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// fits fails the test if the page is wider than the window.
func (d *docsPage) fits(t *testing.T, width int64) {
	t.Helper()
	d.do(t, "resize", chromedp.EmulateViewport(width, 800))
	if got := evaluate[int64](t, d, `document.documentElement.scrollWidth`); got > width {
		t.Errorf("the page is %d pixels wide, want at most %d", got, width)
	}
}

// TestBrowser_DocsAsText reads /docs without scripts, in print, and with an address that
// names a part of the text.
func TestBrowser_DocsAsText(t *testing.T) {
	t.Parallel()
	d := openDocs(t)
	const shown = `["text", "viewer"].filter(id => document.getElementById(id).checkVisibility()).join()`
	sees := func(when, want string) {
		t.Helper()
		if got := evaluate[string](t, d, shown); got != want {
			t.Errorf("%s: the page shows %q, want %q", when, got, want)
		}
	}
	d.do(t, "wait", chromedp.WaitVisible(chromedp.CSS(".opblock")))
	sees("with scripts", "viewer")
	media := func(kind string) {
		t.Helper()
		if _, err := chromedp.Call(d.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: kind}); err != nil {
			t.Fatal(err)
		}
	}
	media("print")
	sees("on paper", "text")
	media("")
	d.do(t, "read as text", click(".to-text"), chromedp.WaitVisible(chromedp.CSS("#text")))
	sees("as text", "text")
	d.fits(t, 360)
	d.do(t, "and back", click(".to-viewer"), chromedp.WaitVisible(chromedp.CSS(".opblock")))
	sees("after that", "viewer")
	d.do(t, "an old link", chromedp.Evaluate[chromedp.Void](`location.hash = "schema-User"; 0`), chromedp.WaitVisible(chromedp.CSS("#schema-User")))
	sees("at a part of the text", "text")

	if _, err := chromedp.Call(d.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	d.do(t, "reload", chromedp.Navigate("about:blank"), chromedp.Navigate(d.process.https+"/docs"))
	sees("without scripts", "text")
	d.fits(t, 360)
}
