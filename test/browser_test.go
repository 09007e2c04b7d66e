package test_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// The names in the browser's world all resolve to this machine. app and sibling are
// same-site with the gateways, so the browser sends the cookie for both; foreign is
// cross-site.
const (
	guarded = "https://api.example.org"  // a gateway that allows app
	open    = "https://open.example.org" // a gateway that also allows sibling and foreign
	app     = "https://app.example.org"
	sibling = "https://sibling.example.org"
	foreign = "https://evil.example.net"
)

// blank is every page of the browser's world: empty, with functions for the test scripts.
// Each returns a promise of what the page learns.
const blank = `<!doctype html><title>blank</title><body><script>
const see = (url, options) => fetch(url, {credentials: "include", ...options}).then(
	answer => (answer.type + " " + answer.status), () => "nothing")
const json = body => ({method: "POST", credentials: "include", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)})
const who = async api => {
	const pair = await (await fetch(api + "/api/auth/refresh", {method: "POST", credentials: "include"})).json()
	const me = await (await fetch(api + "/api/users/me", {headers: {Authorization: "Bearer " + pair.access_token}})).json()
	return me.email ?? pair.code ?? me.code
}
const load = (tag, attributes) => new Promise(done => {
	const element = Object.assign(document.createElement(tag), attributes)
	element.onload = () => done("loaded")
	element.onerror = () => done("nothing")
	document.body.append(element)
})
const frame = attributes => {
	const element = Object.assign(document.createElement("iframe"), attributes)
	document.body.append(element)
	return new Promise(done => element.onload = () => done(element.contentDocument ? "loaded" : "nothing"))
}
const sandboxed = script => new Promise(done => {
	onmessage = message => done(message.data)
	frame({sandbox: "allow-scripts", srcdoc: "<script>" + script + ".then(seen => parent.postMessage(seen, '*'))</" + "script>"})
})
const submit = (target, action, fields) => {
	const form = Object.assign(document.createElement("form"), {method: "post", target, action})
	for (const [name, value] of Object.entries(fields))
		form.append(Object.assign(document.createElement("input"), {name, value}))
	document.body.append(form)
	form.submit()
}
let forms = 0
const submitted = (action, fields) => {
	const name = "answer" + forms++, seen = frame({name})
	submit(name, action, fields)
	return seen
}
</script>`

// A browserFixture is a browser and what it can reach: blank pages under every name, and
// gateways behind a front that records the requests. It is not safe for concurrent use.
type browserFixture struct {
	browser context.Context
	front   *httptest.Server

	mu      sync.Mutex
	seen    []string
	cookies []string        // the cookies that refreshes sent
	meet    *sync.WaitGroup // makes refreshes wait for each other; may be nil
}

func newBrowserFixture(t *testing.T) *browserFixture {
	t.Helper()
	f := &browserFixture{}
	routes := http.NewServeMux()
	page := func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		io.WriteString(rw, blank)
	}
	routes.HandleFunc("/", page)
	for name, origins := range map[string]string{guarded: app, open: app + "," + sibling + "," + foreign} {
		p := start(t, t.TempDir(), nil, "ALLOWED_ORIGINS="+origins)
		for _, name := range []string{"ada", "mallory"} {
			body := `{"email":"` + name + `@example.org","password":"correct horse battery staple"}`
			resp := sendFrom(t, p.client.Transport, p.https, "", "POST", "/api/auth/register", body, "Content-Type: application/json")
			if resp.StatusCode != http.StatusOK {
				t.Fatalf("registering %s: %d", name, resp.StatusCode)
			}
		}
		routes.Handle(strings.TrimPrefix(name, "https://")+"/", f.before(p))
	}
	f.front = httptest.NewUnstartedServer(routes)
	f.front.EnableHTTP2 = true
	f.front.StartTLS()
	t.Cleanup(f.front.Close)
	plain := httptest.NewServer(http.HandlerFunc(page))
	t.Cleanup(plain.Close)
	f.browser = chromium(t, f.front, plain)
	return f
}

// before forwards requests to p and records each one, whether it had the cookie, and the
// response.
func (f *browserFixture) before(p *process) http.Handler {
	to, _ := url.Parse(p.https)
	return &httputil.ReverseProxy{
		Transport: p.target().client.Transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
			if r.In.Method != http.MethodPost || r.In.URL.Path != "/api/auth/refresh" {
				return
			}
			f.mu.Lock()
			f.cookies = append(f.cookies, r.In.Header.Get("Cookie"))
			meet := f.meet
			f.mu.Unlock()
			if meet != nil {
				meet.Done()
				meet.Wait()
			}
		},
		ModifyResponse: func(resp *http.Response) error {
			note := resp.Request.Method + " " + resp.Request.URL.Path
			if resp.Request.Header.Get("Cookie") != "" {
				note += " with the cookie"
			}
			note += fmt.Sprintf(": %d", resp.StatusCode)
			if age := resp.Header.Get("Access-Control-Max-Age"); age != "" {
				note += " for " + age + " s"
			}
			for _, c := range resp.Cookies() {
				if note += " and a cookie"; c.MaxAge < 0 {
					note += " less"
				}
			}
			switch resp.Request.URL.Path {
			case "/favicon.ico", "/openapi.json": // sent by the browser itself, and by /docs, some time after the page
				return nil
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			f.seen = append(f.seen, note)
			return nil
		},
	}
}

// since returns what the front recorded since the last call.
func (f *browserFixture) since() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := f.seen
	f.seen = nil
	return seen
}

// expect compares what a page learned and, if seen is not empty, what the front has
// recorded since the last check.
func (f *browserFixture) expect(t *testing.T, what, got, want string, seen ...string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: the page sees %q, want %q", what, got, want)
	}
	if by := f.since(); seen != nil && !slices.Equal(by, seen) {
		t.Errorf("%s: the front recorded %q, want %q", what, by, seen)
	}
}

// refreshesMeet makes later refreshes wait until n have arrived, or not at all if n is 0,
// and returns the cookies that earlier refreshes sent.
func (f *browserFixture) refreshesMeet(n int) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	cookies := f.cookies
	f.cookies, f.meet = nil, nil
	if n > 0 {
		f.meet = &sync.WaitGroup{}
		f.meet.Add(n)
	}
	return cookies
}

// chromium starts a browser in which every name resolves to front, or to plain without
// TLS.
func chromium(t *testing.T, front, plain *httptest.Server) context.Context {
	t.Helper()
	return chromiumFor(t, front.Certificate(),
		chromedp.Flag("disable-features", "HttpsUpgrades"), // it would look like HSTS
		chromedp.Flag("host-resolver-rules", fmt.Sprintf("MAP *:443 %s, MAP *:80 %s",
			front.Listener.Addr(), plain.Listener.Addr())))
}

// chromiumFor starts a browser. Its only exception is that it accepts the certificate for
// every name.
func chromiumFor(t *testing.T, certificate *x509.Certificate, flags ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	pin := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	// Chromium leaves files behind when it exits, and may still write while they are removed.
	temp, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(temp) })
	alloc, stop := chromedp.NewExecAllocator(t.Context(), append(flags, chromedp.Env("TMPDIR="+temp),
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.NoSandbox,
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(pin[:])))...)
	t.Cleanup(stop)
	ctx, cancel := context.WithTimeout(alloc, 3*answerTime) // for everything together
	t.Cleanup(cancel)
	ctx, _ = chromedp.NewContext(ctx)
	t.Cleanup(func() { chromedp.Cancel(ctx) })
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("Chromium for tests: %v; install it (Debian: apt-get install chromium)", err)
	}
	return ctx
}

// A tab is one tab of the browser. All tabs share its cookies.
type tab struct{ ctx context.Context }

// visit opens an address in a new tab.
func (f *browserFixture) visit(t *testing.T, address string) tab {
	t.Helper()
	ctx, end := chromedp.NewContext(f.browser)
	t.Cleanup(end)
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	return tab{ctx}
}

// runs runs a script in the page, as if the page contained it, and returns the string that
// it promises. The script can use api, the address of a gateway.
func (at tab) runs(t *testing.T, api, script string) string {
	t.Helper()
	got, err := chromedp.Run(at.ctx, chromedp.Evaluate[string](fmt.Sprintf(`(async api => %s)(%q)`, script, api), chromedp.EvalAwaitPromise))
	if err != nil {
		t.Errorf("%s: %v", script, err)
	}
	return got
}
