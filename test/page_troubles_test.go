//go:build e2e

package test_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

// another opens the page in another tab.
func (p pageUser) another(t *testing.T, path string) pageUser {
	t.Helper()
	ctx, end := chromedp.NewContext(p.ctx)
	t.Cleanup(end)
	if err := chromedp.Do(ctx); err != nil { // with this context, as the tab ends with the first one
		t.Fatal(err)
	}
	other := pageUser{&docsPage{process: p.process, ctx: ctx}}
	other.do(t, "open another tab", chromedp.EmulateViewport(1280, 900), chromedp.Navigate(p.process.https+"/"+path))
	return other
}

// call calls the API beside the browser, and returns the body.
func (p pageUser) call(t *testing.T, method, path, body string, headers ...string) map[string]any {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.process.https+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range append(headers, "Content-Type: application/json") {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	resp, err := p.process.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	members := map[string]any{}
	if err == nil && len(text) > 0 {
		err = json.Unmarshal(text, &members)
	}
	if err != nil || resp.StatusCode > 299 {
		t.Fatalf("%s %s: %d %s, %v", method, path, resp.StatusCode, text, err)
	}
	return members
}

// TestPage_Troubles meets a person with a wrong password, a session that ends in two tabs, no
// network, and a Nextcloud that is down.
func TestPage_Troubles(t *testing.T) {
	t.Parallel()
	dir, cloud := t.TempDir(), newNextcloud(t)
	process := start(t, dir, nil, append(listen(t, cloud), "LOGIN_RATE_LIMIT_PER_MINUTE=20")...)
	p := process.open(t, dir)
	p.call(t, "POST", "/api/auth/register", fmt.Sprintf(`{"email":%q,"password":%q,"full_name":%q}`, herAddress, herPassword, herName))

	p.sees(t, "Sign in")
	p.clicks(t, "Sign in")
	p.waits(t, "the focus on what is missing", `document.activeElement.name === "email" && document.activeElement.getAttribute("aria-invalid") === "true"`)
	p.reads(t, "Please fill in this field.")
	p.types(t, "email", herAddress)
	p.types(t, "password", "wrong")
	p.clicks(t, "Sign in")
	p.reads(t, "The e-mail address or the password is wrong.")
	p.types(t, "password", herPassword)
	p.clicks(t, "Sign in")
	p.sees(t, "Files")
	p.reads(t, "welcome.txt")

	other := p.another(t, "#/security")
	other.reads(t, "This device")
	t.Run("the access token expires in two tabs at once", func(t *testing.T) { p.expires(t, other) })
	t.Run("the session ends in two tabs at once", func(t *testing.T) { p.ends(t, other) })
	t.Run("there is no network", p.offline)
	t.Run("Nextcloud is down", func(t *testing.T) {
		cloud.Fail(func(*http.Request) nextcloudtest.Fault { return nextcloudtest.Maintenance() })
		p.clicks(t, "Account")
		p.sees(t, "Account")
		p.clicks(t, "Files")
		p.reads(t, "Your files cannot be reached at the moment. Nothing is lost.")
		p.looks(t, "nextcloud-down")
		cloud.Fail(nil)
		p.reads(t, "welcome.txt") // without a click
	})
}

// expires lets the clock of two tabs pass the end of the access token. Both then need a new
// one, and one refresh is enough.
func (p pageUser) expires(t *testing.T, other pageUser) {
	before := strings.Count(p.process.stdout.String(), `"route":"POST /api/auth/refresh"`)
	for _, tab := range []pageUser{p, other} {
		tab.do(t, "let time pass", chromedp.Evaluate[chromedp.Void](`(real => { Date.now = () => real() + 20 * 60_000 })(Date.now)`))
	}
	var both sync.WaitGroup
	both.Go(func() { p.clicks(t, "Security"); p.reads(t, "This device") })
	both.Go(func() { other.clicks(t, "Files"); other.reads(t, "welcome.txt") })
	both.Wait()
	if got := strings.Count(p.process.stdout.String(), `"route":"POST /api/auth/refresh"`) - before; got < 1 || got > 2 {
		t.Errorf("the tabs refreshed %d times, want once, or twice if the first has not heard of it", got)
	}
	p.clicks(t, "Files")
	p.reads(t, "welcome.txt")
}

// ends ends all logins from another device. Both tabs ask to sign in, and signing in in one of
// them continues both.
func (p pageUser) ends(t *testing.T, other pageUser) {
	elsewhere := p.call(t, "POST", "/api/auth/login", fmt.Sprintf(`{"email":%q,"password":%q}`, herAddress, herPassword))
	p.call(t, "POST", "/api/auth/logout?all=true", "", fmt.Sprintf("Authorization: Bearer %s", elsewhere["access_token"]))
	other.clicks(t, "Account")
	other.sees(t, "Sign in")
	p.sees(t, "Sign in") // it was told
	p.reads(t, "Your session has ended.")
	p.types(t, "email", herAddress)
	p.types(t, "password", herPassword)
	p.clicks(t, "Sign in")
	p.reads(t, "welcome.txt")
	other.sees(t, "Account")
}

// connects connects the tab to the network, or not. It limits uploads unless the number is -1.
func (p pageUser) connects(t *testing.T, connected bool, bytesPerSecond float64) {
	t.Helper()
	if _, err := chromedp.Call(p.ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{Offline: !connected, DownloadThroughput: -1, UploadThroughput: bytesPerSecond}},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(p.ctx, network.OverrideNetworkState, network.OverrideNetworkStateParams{
		Offline: !connected, DownloadThroughput: -1, UploadThroughput: bytesPerSecond,
	}); err != nil {
		t.Fatal(err)
	}
}

func (p pageUser) offline(t *testing.T) {
	p.connects(t, false, -1)
	p.reads(t, "You are offline.")
	p.clicks(t, "Security")
	p.reads(t, "There is no connection.")
	p.looks(t, "offline")
	p.connects(t, true, -1)
	p.reads(t, "This device") // without a click
	p.clicks(t, "Files")
	p.reads(t, "welcome.txt")
}

// TestPage_LargeUpload cancels an upload of 1 GiB and repeats it.
func TestPage_LargeUpload(t *testing.T) {
	t.Parallel()
	p := openPage(t)
	p.registers(t)
	large := filepath.Join(t.TempDir(), "large.bin")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, 1<<30); err != nil {
		t.Fatal(err)
	}
	p.connects(t, true, 4<<20)
	p.do(t, "choose a file", chromedp.SetUploadFiles(chromedp.CSS(`[type="file"]`), []string{large}))
	p.waits(t, "progress", `document.querySelector(".uploads progress")?.value > 0`)
	p.looks(t, "uploading")
	p.clicks(t, "Cancel the upload of large.bin")
	p.reads(t, "Cancelled")
	p.connects(t, true, -1)
	p.clicks(t, "Try again: large.bin")
	p.waitsFor(t, 2*answerTime, "the upload", `document.querySelector(".uploads h2").innerText === "1 file is uploaded."`)
	p.reads(t, "large.bin")
	p.clicks(t, "Clear the list")
}
