package test_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

const signIn = `json({email: "ada@example.org", password: "correct horse battery staple", transport: "cookie"})`

// TestBrowser checks in a real browser what the headers only promise: the refresh cookie
// serves the pages that may use it, and no others.
func TestBrowser(t *testing.T) {
	t.Parallel()
	f := newBrowserFixture(t)
	at := f.visit(t, app)

	f.expect(t, "a sign-in", at.runs(t, guarded, `fetch(api + "/api/auth/login", `+signIn+`).then(async answer =>
		answer.status + " " + Object.keys(await answer.json()) + " " + answer.headers.get("Set-Cookie"))`),
		"200 access_token,token_type,expires_in,refresh_expires_in,role null",
		"OPTIONS /api/auth/login: 204 for 7200 s", "POST /api/auth/login: 200 and a cookie")

	t.Run("scripts cannot read the cookie", func(t *testing.T) { f.keptCookie(t, at) })
	t.Run("an allowed page is served", func(t *testing.T) { f.allowedPage(t, at) })
	t.Run("two tabs refresh at once", func(t *testing.T) { f.twoTabs(t, at) })
	t.Run("another origin gets nothing", func(t *testing.T) { f.foreignPages(t, at) })
	t.Run("another origin cannot navigate to a logout", func(t *testing.T) { f.navigations(t, at) })
	t.Run("frames show no response", f.frames)
	t.Run("HSTS replaces plain HTTP", f.transportSecurity)
	t.Run("a logout applies to all tabs", func(t *testing.T) {
		f.since()
		other := f.visit(t, app)
		f.expect(t, "logout", at.runs(t, guarded, `see(api + "/api/auth/logout", {method: "POST"})`), "cors 204",
			"POST /api/auth/logout with the cookie: 204 and a cookie less")
		f.expect(t, "the other", other.runs(t, guarded, `see(api + "/api/auth/refresh", {method: "POST"})`), "cors 401",
			"POST /api/auth/refresh: 401")
	})
}

// keptCookie checks the cookie of the page that signed in, through the browser and through
// scripts.
func (f *browserFixture) keptCookie(t *testing.T, at tab) {
	t.Helper()
	cookies, err := chromedp.Call(at.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{guarded + "/api/auth/refresh"}})
	if err != nil || len(cookies.Cookies) != 1 {
		t.Fatalf("the browser has %d cookies, %v; want 1", len(cookies.Cookies), err)
	}
	if c := cookies.Cookies[0]; !c.HTTPOnly || !c.Secure || c.SameSite != network.CookieSameSiteStrict ||
		c.Path != "/api/auth" || c.Domain != strings.TrimPrefix(guarded, "https://") {
		t.Errorf("the cookie is %+v", c)
	}
	if got := at.runs(t, guarded, `document.cookie`); got != "" {
		t.Errorf("a script of the page that signed in reads %q, want no cookie", got)
	}
	// Not even a page of the gateway's own origin, at an address that receives the cookie.
	for _, address := range []string{guarded + "/api/auth/refresh", guarded + "/docs"} {
		if got := f.visit(t, address).runs(t, guarded, `document.cookie`); got != "" {
			t.Errorf("a script at %s reads %q, want no cookie", address, got)
		}
	}
	f.since()
}

// allowedPage calls from the allowed page, which gets what it needs and no more.
func (f *browserFixture) allowedPage(t *testing.T, at tab) {
	t.Helper()
	const mine = `see(api + "/api/users/me", {headers: {Authorization: "Bearer x"}})`
	f.expect(t, "a call", at.runs(t, guarded, mine), "cors 401", "OPTIONS /api/users/me: 204 for 7200 s", "GET /api/users/me: 401")
	f.expect(t, "the same again", at.runs(t, guarded, mine), "cors 401", "GET /api/users/me: 401")
	f.expect(t, "every method and header", at.runs(t, guarded, `Promise.all(["PUT", "PATCH", "DELETE"].map(method =>
		see(api + "/api/users/me", {method, headers: {Authorization: "Bearer x", "If-Match": "x", "If-None-Match": "x",
			Range: "bytes=0-", "X-Correlation-ID": "x"}}))).then(String)`), "cors 401,cors 401,cors 401")
	f.since()
	f.expect(t, "the headers of an answer", at.runs(t, guarded, `fetch(api + "/api/users/me").then(answer =>
		String(["X-Correlation-ID", "WWW-Authenticate", "Cache-Control"].map(name => answer.headers.has(name))))`),
		"true,true,true", "GET /api/users/me: 401")
	f.expect(t, "an answer as a script", at.runs(t, guarded,
		`load("script", {src: api + "/health", crossOrigin: "anonymous"})`), "nothing", "GET /health: 200")
}

// twoTabs refreshes in two tabs at the same moment, with the same token. The second must
// not count as theft or remove the cookie.
func (f *browserFixture) twoTabs(t *testing.T, at tab) {
	t.Helper()
	tabs := []tab{at, f.visit(t, app)}
	for range 5 {
		f.refreshesMeet(len(tabs))
		got := make([]string, len(tabs))
		var wg sync.WaitGroup
		for i, each := range tabs {
			wg.Go(func() { got[i] = each.runs(t, guarded, `see(api + "/api/auth/refresh", {method: "POST"})`) })
		}
		wg.Wait()
		if tokens := f.refreshesMeet(0); len(tokens) != 2 || tokens[0] != tokens[1] {
			t.Fatalf("the tabs sent %d different cookies, want one; the test proves nothing", len(tokens))
		}
		const won = "POST /api/auth/refresh with the cookie: 200 and a cookie"
		f.expect(t, "both", strings.Join(got, ", "), "cors 200, cors 200", won, won)
	}
	for _, each := range tabs {
		if got := each.runs(t, guarded, `who(api)`); got != "ada@example.org" {
			t.Errorf("a tab is signed in as %s, want ada@example.org", got)
		}
	}
}

// foreignPages attempts calls from pages of other origins while a user is signed in. Each
// attempt lists what the page learns and what the gateway did: for a sibling, for which the
// browser sends the cookie; for a foreign site, for which it does not; and for the sibling if
// ALLOWED_ORIGINS contains it, so that the attempt can succeed.
func (f *browserFixture) foreignPages(t *testing.T, victim tab) {
	t.Helper()
	allowed := f.visit(t, sibling)
	f.since()
	f.expect(t, "a sign-in", allowed.runs(t, open, `see(api + "/api/auth/login", `+signIn+`)`), "cors 200",
		"OPTIONS /api/auth/login: 204 for 7200 s", "POST /api/auth/login: 200 and a cookie")
	const (
		refresh, cookieRefresh = "POST /api/auth/refresh: ", "POST /api/auth/refresh with the cookie: "
		logout, cookieLogout   = "POST /api/auth/logout: ", "POST /api/auth/logout with the cookie: "
	)
	attempts := []struct{ name, script, bySibling, byForeign, byAllowed string }{
		{
			"refreshes", `see(api + "/api/auth/refresh", {method: "POST"})`,
			"nothing; " + cookieRefresh + "403", "nothing; " + refresh + "401", "cors 200; " + cookieRefresh + "200 and a cookie",
		},
		{
			"refreshes without reading the response", `see(api + "/api/auth/refresh", {method: "POST", mode: "no-cors"})`,
			"opaque 0; " + cookieRefresh + "403", "nothing; " + refresh + "401", "opaque 0; " + cookieRefresh + "200 and a cookie",
		},
		{
			"refreshes from a sandbox with the origin null",
			`sandboxed("fetch('" + api + "/api/auth/refresh', {method: 'POST', credentials: 'include'}).then(() => 'an answer', () => 'nothing')")`,
			"nothing; " + refresh + "401", "nothing; " + refresh + "401", "nothing; " + refresh + "401",
		},
		{
			"refreshes with a form", `submitted(api + "/api/auth/refresh", {})`,
			"nothing; " + cookieRefresh + "403", "nothing; " + refresh + "401", "nothing; " + cookieRefresh + "200 and a cookie",
		},
		{
			"logs out with a form", `submitted(api + "/api/auth/logout", {})`,
			"nothing; " + cookieLogout + "403", "nothing; " + logout + "403", "", // is allowed, and would end the login
		},
		{
			"signs the visitor in to another account",
			`submitted(api + "/api/auth/login", {username: "mallory@example.org", password: "correct horse battery staple", transport: "cookie"})`,
			"nothing; POST /api/auth/login with the cookie: 403", "nothing; POST /api/auth/login: 403",
			"nothing; POST /api/auth/login with the cookie: 200 and a cookie",
		},
		{
			"sends a token", `see(api + "/api/users/me", {headers: {Authorization: "Bearer x"}})`,
			"nothing; OPTIONS /api/users/me: 204", "nothing; OPTIONS /api/users/me: 204",
			"cors 401; OPTIONS /api/users/me: 204 for 7200 s; GET /api/users/me: 401",
		},
		{
			"reads a public response", `see(api + "/health")`,
			"nothing; GET /health: 200", "nothing; GET /health: 200", "cors 200; GET /health: 200",
		},
		{
			"loads a response as an image", `load("img", {src: api + "/health"})`,
			"nothing; GET /health: 200", "nothing; GET /health: 200", "nothing; GET /health: 200",
		},
		{
			"loads a response as a script", `load("script", {src: api + "/health"})`,
			"nothing; GET /health: 200", "nothing; GET /health: 200", "nothing; GET /health: 200",
		},
		{
			"logs out", `see(api + "/api/auth/logout", {method: "POST"})`,
			"nothing; " + cookieLogout + "403", "nothing; " + logout + "403", "cors 204; " + cookieLogout + "204 and a cookie less",
		},
	}
	by := map[string]tab{sibling: f.visit(t, sibling), foreign: f.visit(t, foreign)}
	for _, attempt := range attempts {
		t.Run(attempt.name, func(t *testing.T) {
			for from, want := range map[string]string{sibling: attempt.bySibling, foreign: attempt.byForeign} {
				page, seen, _ := strings.Cut(want, "; ")
				f.expect(t, from, by[from].runs(t, guarded, attempt.script), page, strings.Split(seen, "; ")...)
				if got := victim.runs(t, guarded, `who(api)`); got != "ada@example.org" {
					t.Errorf("after %s the visitor is signed in as %s, want ada@example.org", from, got)
				}
				f.since()
			}
			if attempt.byAllowed == "" {
				return
			}
			page, seen, _ := strings.Cut(attempt.byAllowed, "; ")
			f.expect(t, "allowed", allowed.runs(t, open, attempt.script), page, strings.Split(seen, "; ")...)
		})
	}
}

// navigations has pages navigate their visitors, which needs no permission.
func (f *browserFixture) navigations(t *testing.T, victim tab) {
	t.Helper()
	for _, attempt := range []struct{ script, bySibling, byForeign string }{
		{`location = api + "/api/auth/logout"`, "GET /api/auth/logout with the cookie: 405", "GET /api/auth/logout: 405"},
		{`submit("_top", api + "/api/auth/logout", {})`, "POST /api/auth/logout with the cookie: 403", "POST /api/auth/logout: 403"},
	} {
		for from, want := range map[string]string{sibling: attempt.bySibling, foreign: attempt.byForeign} {
			at := f.visit(t, from)
			leave := chromedp.Evaluate[chromedp.Void](`(api => { ` + attempt.script + ` })("` + guarded + `")`)
			if _, err := chromedp.RunResponse(at.ctx, leave); err != nil {
				t.Fatalf("%s: %v", attempt.script, err)
			}
			f.expect(t, from+": "+attempt.script, "", "", want)
			if got := victim.runs(t, guarded, `who(api)`); got != "ada@example.org" {
				t.Errorf("after %s the visitor is signed in as %s, want ada@example.org", attempt.script, got)
			}
			f.since()
		}
	}
}

// frames embeds responses from every page in frames, beside one that may be framed.
func (f *browserFixture) frames(t *testing.T) {
	for _, from := range []string{app, sibling, foreign} {
		at := f.visit(t, from)
		if _, err := chromedp.Call(at.ctx, network.Enable, network.EnableParams{}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(at.ctx, answerTime/2)
		t.Cleanup(cancel)
		failures := chromedp.Events(ctx, network.LoadingFailed)
		got := at.runs(t, guarded, `Promise.all([location.href, api + "/health", api + "/api/users/me", api + "/docs"]
			.map(src => frame({src}))).then(String)`)
		if got != "loaded,nothing,nothing,nothing" {
			t.Errorf("%s can read the frames: %s", from, got)
		}
		blocked := 0
		for failure, err := range failures {
			if err != nil {
				t.Fatalf("the browser blocked %d of 3 framed responses on %s, then %v", blocked, from, err)
			}
			if failure.ErrorText == "net::ERR_BLOCKED_BY_RESPONSE" {
				blocked++
			}
			if blocked == 3 {
				break
			}
		}
	}
}

// transportSecurity requests names without TLS: the gateway's, one below it, and one that
// never sent HSTS.
func (f *browserFixture) transportSecurity(t *testing.T) {
	for address, want := range map[string]string{
		"http://api.example.org/health": "https:", "http://sub.api.example.org/": "https:", "http://evil.example.net/": "http:",
	} {
		if got := f.visit(t, address).runs(t, guarded, `location.protocol`); got != want {
			t.Errorf("the browser requests %s over %s, want %s", address, got, want)
		}
	}
}
