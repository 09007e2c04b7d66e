//go:build e2e

package test_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

// tries sends a login with a wrong password from a device.
func (p pageUser) tries(t *testing.T, email, device string) {
	t.Helper()
	form := strings.NewReader(url.Values{"username": {email}, "password": {"wrong"}}.Encode())
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.process.https+"/api/auth/login", form)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("User-Agent", device)
	resp, err := p.process.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != http.StatusUnauthorized {
		t.Fatalf("a wrong password: %d", resp.StatusCode)
	}
}

// filters chooses an option of the list, or a day, with the label.
func (p pageUser) filters(t *testing.T, label, value string) {
	t.Helper()
	p.waits(t, label, fmt.Sprintf(`(() => {
		const list = [...document.querySelectorAll("label")].find(e => e.innerText.startsWith(%q))?.control
		if (!list) return false
		list.value = %q
		return list.dispatchEvent(new Event("change", {bubbles: true}))
	})()`, label, value))
}

// lists waits until the trail shows only events with the text, and as many as said.
func (p pageUser) lists(t *testing.T, count int, text string) {
	t.Helper()
	p.waits(t, fmt.Sprintf("%d times %s", count, text), fmt.Sprintf(`(() => {
		const rows = [...document.querySelectorAll("tbody tr")]
		return rows.length === %d && rows.every(row => row.innerText.includes(%q))
	})()`, count, text))
}

// TestPage_AuditTrail finds out what happened to an account.
func TestPage_AuditTrail(t *testing.T) {
	t.Parallel()
	const firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0"
	p := openAdministration(t, "REFRESH_TOKEN_GRACE_SECONDS=1")
	p.complaints(t, "status of 404", "status of 422") // a deleted user, and a filter that there is not
	root := p.bearer(t, rootAddress, strings.TrimSpace(rootPassword))
	id := p.call(t, "POST", "/api/auth/register", `{"email":"`+herAddress+`","full_name":"`+herName+`","password":"`+herPassword+`"}`)["user"].(map[string]any)["id"].(string)
	p.tries(t, herAddress, firefox)
	p.tries(t, herAddress, `=HYPERLINK("https://example.org")`)
	p.steals(t)
	p.call(t, "PATCH", "/api/users/"+id, `{"role":"admin"}`, root)
	p.call(t, "PATCH", "/api/users/"+id, `{"role":"user"}`, root)
	p.call(t, "PATCH", "/api/users/"+id, `{"disabled":true}`, root)

	p.clicks(t, "Administration")
	p.clicks(t, "Audit trail")
	p.sees(t, "Audit trail")
	for _, text := range []string{"Account disabled", "Administrator", "by " + rootAddress, herAddress, "Look into this", "The sign-in has been ended.", "Firefox on Windows", "Command on the server"} {
		p.reads(t, text)
	}
	p.looks(t, "trail")
	p.filters(t, "What happened", "attention")
	p.lists(t, 1, "Sign-in may be stolen")
	p.filters(t, "What happened", "login_failed")
	p.lists(t, 2, "Wrong password")
	p.exports(t)
	p.filters(t, "Time", "7")
	p.lists(t, 2, "Sign-in failed")
	if got := evaluate[string](t, p.docsPage, `location.hash`); got != "#/admin/trail?event=login_failed&time=7" {
		t.Errorf("the address is %s", got)
	}
	p.filters(t, "Time", "range")
	p.filters(t, "From", "2020-01-01")
	p.filters(t, "To", "2020-12-31")
	p.reads(t, "Nothing happened that matches.")
	p.waits(t, "no word about the file", `!document.body.innerText.includes("in the file")`)
	p.looks(t, "trail-empty")
	p.filters(t, "To", time.Now().Add(24*time.Hour).Format(time.DateOnly))
	p.lists(t, 2, "Sign-in failed")

	p.clicks(t, "Audit trail")
	p.types(t, "q", herName)
	p.clicks(t, herAddress+" "+herName)
	p.reads(t, "Only "+herAddress)
	p.waits(t, "the focus", `document.activeElement.innerText === "Show everybody"`)
	p.do(t, "reload", chromedp.Reload())
	p.reads(t, "Only "+herAddress)
	p.lists(t, 6, herAddress)
	p.looks(t, "trail-user")
	for range 30 {
		p.call(t, "PATCH", "/api/users/"+id, `{"disabled":false}`, root)
		p.call(t, "PATCH", "/api/users/"+id, `{"disabled":true}`, root)
	}
	p.clicks(t, "Refresh")
	p.waits(t, "the first page", `document.querySelectorAll("tbody tr").length === 50`)
	p.clicks(t, "Show more")
	p.waits(t, "the rest, and the focus at it", `document.querySelectorAll("tbody tr").length > 60 &&
		document.activeElement === document.querySelectorAll("tbody tr")[50].querySelector("a")`)
	p.call(t, "DELETE", "/api/users/"+id, "", root)
	p.clicks(t, "Refresh")
	p.lists(t, 67, "Deleted account")
	p.clicks(t, "Show everybody")
	p.reads(t, rootAddress)

	p.goes(t, "#/admin/trail?event=nonsense")
	p.reads(t, "Try again")
	p.filters(t, "What happened", "")
	p.reads(t, "Account enabled")

	p.call(t, "PATCH", "/api/users/me", `{"preferences":{"language":"de"}}`, root)
	p.goes(t, "#/admin/trail?event=logins")
	p.do(t, "reload", chromedp.Reload())
	p.sees(t, "Protokoll")
	p.reads(t, "Anmeldung vielleicht gestohlen")
	p.goes(t, "#/admin/health")
	p.sees(t, "Zustand")
	p.reads(t, "Alles in Ordnung")
}

// steals uses an old refresh token of the administrator.
func (p pageUser) steals(t *testing.T) {
	t.Helper()
	form := `{"username":"` + rootAddress + `","password":"` + strings.TrimSpace(rootPassword) + `"}`
	first := p.call(t, "POST", "/api/auth/login", form)["refresh_token"].(string)
	refresh := func(token string) string { return `{"refresh_token":"` + token + `"}` }
	second := p.call(t, "POST", "/api/auth/refresh", refresh(first))["refresh_token"].(string)
	p.call(t, "POST", "/api/auth/refresh", refresh(second))
	<-time.After(1100 * time.Millisecond) // the grace period
	resp, err := p.process.client.Post(p.process.https+"/api/auth/refresh", "application/json", strings.NewReader(refresh(first)))
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != http.StatusUnauthorized {
		t.Fatalf("an old refresh token: %d", resp.StatusCode)
	}
}

// exports saves what is shown: two events, of which one is from a device whose name is a
// formula.
func (p pageUser) exports(t *testing.T) {
	t.Helper()
	p.do(t, "watch what is saved", chromedp.Evaluate[chromedp.Void](`(() => {
		const make = URL.createObjectURL
		URL.createObjectURL = blob => (window.saved = blob, make.call(URL, blob))
	})()`))
	p.clicks(t, "Save as CSV")
	p.reads(t, "2 events are in the file.")
	text := evaluate[string](t, p.docsPage, `saved.text()`)
	rows := strings.Split(strings.TrimSuffix(text, "\r\n"), "\r\n")
	if len(rows) != 3 || !strings.HasPrefix(strings.TrimPrefix(rows[0], "\ufeff"), `"at","event",`) ||
		!strings.Contains(rows[1], `,"'=HYPERLINK(""https://example.org"")",`) || !strings.Contains(rows[2], `"login_failed","false","`+herAddress+`",`) {
		t.Errorf("got the file %q", rows)
	}
}

// TestPage_Health shows what works, what does not, and what that means.
func TestPage_Health(t *testing.T) {
	t.Parallel()
	dir, cloud := t.TempDir(), newNextcloud(t)
	admin(t, dir, nil)
	gone := "redis://127.0.0.1:1"
	p := start(t, dir, nil, append(listen(t, cloud), "REDIS_URL="+gone, "READY_REQUIRES=nextcloud")...).open(t, dir)
	p.complaints(t, "status of 503", "status of 409")
	p.signsIn(t, rootAddress, strings.TrimSpace(rootPassword))
	p.do(t, "make intervals shorter", chromedp.Evaluate[chromedp.Void](`(real => { window.setInterval = (call, ms) => real(call, ms / 10) })(setInterval)`))
	p.goes(t, "#/admin/health")
	p.sees(t, "Health")
	for _, text := range []string{"Works, with limits", "Each gateway counts for itself.", "Does not respond", "Not set up", "within "} {
		p.reads(t, text)
	}
	p.looks(t, "health-degraded")
	cloud.Fail(func(*http.Request) nextcloudtest.Fault { return nextcloudtest.Maintenance() })
	p.waits(t, "out of service, without a click", `document.body.innerText.includes("Out of service")`)
	p.reads(t, "Files cannot be reached")
	p.looks(t, "health-unavailable")
	cloud.Fail(nil)
	p.waits(t, "recovery, with clicks", `(() => {
		[...document.querySelectorAll("button")].find(e => e.innerText === "Check now").click()
		return document.body.innerText.includes("Works, with limits")
	})()`)
}
