package test_test

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/voiceassist/gateway/shared/identity/token"
)

// browserAttacks use the browser of a user, which attaches cookies automatically and which
// the user's own page trusts.
func browserAttacks() []attack {
	return []attack{
		{name: "use the cookie from another origin (CSRF)", without: "RequestOrigin", run: forgeRequests},
		{name: "sign a user in to another account from another origin (login CSRF)", without: "RequestOrigin", run: forgeLogin},
		{name: "add a second cookie to a user's (cookie tossing)", without: "SingleCookie", run: tossCookie},
		{name: "read or send the cookie where it does not belong", without: "CookieAttributes", run: readCookie},
		{name: "read responses from another origin (CORS)", without: "AllowedOrigins", run: readAnswers},
	}
}

// foreignPages returns the headers that browsers send for pages of any origin other than
// the allowed one, https://app.example.org.
func foreignPages() map[string][]string {
	all := map[string][]string{
		"a page in a frame without an origin":    {"Origin: null", "Sec-Fetch-Site: cross-site"},
		"the same in an old browser":             {"Origin: null"},
		"a page that hides its origin":           {"Sec-Fetch-Site: cross-site"},
		"a sibling that hides its origin":        {"Sec-Fetch-Site: same-site"},
		"a page that names a second origin":      {"Origin: https://app.example.org https://evil.example.com"},
		"a page of no origin at all":             {"Origin: x"},
		"a sibling of ours, in a new browser":    {"Origin: https://evil.voiceassist.local", "Sec-Fetch-Site: same-site"},
		"a page of another port of ours":         {"Origin: https://voiceassist.local:8444", "Sec-Fetch-Site: same-site"},
		"a file on the disk, in a new browser":   {"Origin: file://", "Sec-Fetch-Site: cross-site"},
		"a page whose address ends in our name":  {"Origin: https://evil-voiceassist.local"},
		"a page whose name begins with our name": {"Origin: https://voiceassist.local.evil.example.com"},
	}
	for _, origin := range []string{
		"https://evil.example.com", "http://app.example.org", "https://app.example.org:8443", "https://app.example.org.evil.example.com",
		"https://evil-app.example.org", "https://sub.app.example.org", "https://example.org", "https://appXexample.org",
		"https://app.example.org@evil.example.com", "https://app.example.org%2eevil.example.com", "https://app.example.org%00.evil.example.com",
		"https://app.example.org/", "https://app.example.org.", "HTTPS://APP.EXAMPLE.ORG", "https://app.example.org_.evil.example.com",
	} {
		all[origin] = []string{"Origin: " + origin, "Sec-Fetch-Site: cross-site"}
		all[origin+" in an old browser"] = []string{"Origin: " + origin}
	}
	return all
}

// withCookie signs the person in as one of our pages does, and returns the header that the
// browser sends from then on.
func (p *person) withCookie() (cookie string, set *http.Cookie) {
	p.a.Helper()
	in := p.do("POST", loginAddress, fmt.Sprintf(`{"email":%q,"password":%q,"transport":"cookie"}`, p.email, plain), "Origin: https://app.example.org")
	for _, c := range (&http.Response{Header: in.header}).Cookies() {
		return "Cookie: " + c.Name + "=" + c.Value, c
	}
	p.a.Fatalf("log in with a cookie: %d %s", in.status, in.body)
	return "", nil
}

// forgeRequests has the browser of a signed-in person send requests to the calls that read
// the cookie, including in the content types that need no preflight.
func forgeRequests(a *assault) {
	p := a.person()
	cookie, _ := p.withCookie()
	for page, headers := range foreignPages() {
		for _, path := range []string{"/api/auth/refresh", "/api/auth/logout", "/api/auth/logout?all=true"} {
			got := a.newVisitor().do("POST", path, "", append(headers, cookie)...)
			a.attempt(got.ok(), "%s, POST %s: %d", page, path, got.status)
		}
	}
	evil := []string{"Origin: https://evil.example.com", cookie}
	for _, contentType := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
		got := a.newVisitor().do("POST", "/api/auth/refresh", `{"x":"="}`, append(evil, "Content-Type: "+contentType)...)
		a.attempt(got.ok(), "refresh as %s: %d", contentType, got.status)
	}
	for _, override := range []string{"X-HTTP-Method-Override: POST", "X-Method-Override: POST", "X-HTTP-Method: POST"} {
		for _, path := range []string{"/api/auth/logout", "/api/auth/refresh", "/api/auth/logout?_method=POST"} {
			got := a.newVisitor().do("GET", path, "", append(evil, override)...)
			a.attempt(got.ok(), "GET %s with %s: %d", path, override, got.status)
		}
	}
}

// forgeLogin has a page sign its visitors in to the attacker's account, so that the
// attacker sees what they do.
func forgeLogin(a *assault) {
	p := a.person()
	body := fmt.Sprintf("username=%s&password=%s&transport=cookie", p.email, strings.ReplaceAll(plain, " ", "+"))
	n := 0
	for page, headers := range foreignPages() {
		if n++; n > 8 { // each attempt that gets through costs a hash
			break
		}
		got := a.newVisitor().do("POST", loginAddress, body, headers...)
		a.attempt(got.ok() || got.header.Get("Set-Cookie") != "", "%s: %d", page, got.status)
	}
}

// tossCookie sends what a browser sends after a sibling domain has set the attacker's
// cookie beside the user's.
func tossCookie(a *assault) {
	p, thief := a.person(), a.person()
	own, _ := p.withCookie()
	theirs, _ := thief.withCookie()
	_, value, _ := strings.Cut(theirs, "=")
	for name, headers := range map[string][]string{
		"theirs first":  {theirs + "; " + strings.TrimPrefix(own, "Cookie: ")},
		"theirs last":   {own + "; " + token.RefreshCookie + "=" + value},
		"in two lines":  {theirs, own},
		"without value": {"Cookie: " + token.RefreshCookie + "=; " + strings.TrimPrefix(theirs, "Cookie: ")},
	} {
		got := p.do("POST", "/api/auth/refresh", "", headers...)
		a.attempt(got.ok(), "%s: %d", name, got.status)
	}
}

// readCookie checks whether a browser would expose the cookie to scripts, other sites or
// plain HTTP.
func readCookie(a *assault) {
	_, c := a.person().withCookie()
	a.attempt(!c.HttpOnly, "scripts can read it")
	a.attempt(!c.Secure, "it goes over plain HTTP")
	a.attempt(c.SameSite != http.SameSiteStrictMode, "it goes along with requests of other sites")
	a.attempt(c.Domain != "", "it goes to %s", c.Domain)
	a.attempt(c.Path != "/api/auth", "it goes to %s", c.Path)
	a.attempt(!strings.HasPrefix(c.Name, "__Secure-"), "a page on plain HTTP can set it")
}

// readAnswers sends requests and preflights as a foreign page, which can read a response
// only if the response allows it.
func readAnswers(a *assault) {
	p := a.person()
	for page, headers := range foreignPages() {
		origin := strings.TrimPrefix(headers[0], "Origin: ")
		asked := a.newVisitor().do("OPTIONS", "/api/users/me", "", append(headers, "Access-Control-Request-Method: PATCH", "Access-Control-Request-Headers: authorization")...)
		got := a.newVisitor().do("GET", "/api/users/me", "", append(headers, p.bearer())...)
		for what, r := range map[string]answer{"before": asked, "the request": got} {
			allowed := r.header.Get("Access-Control-Allow-Origin")
			a.attempt(allowed == origin || allowed == "*" || r.header.Get("Access-Control-Allow-Credentials") != "" ||
				r.header.Get("Access-Control-Allow-Methods") != "", "%s, %s: %q may read", page, what, allowed)
		}
	}
}
