package test_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/faas/faastest"
)

// A emptyBodyCall is a request without a body. ${name} in its path is different each time.
type emptyBodyCall struct {
	step

	function string // the function that serves it on Lambda
}

// emptyBodyCalls returns requests whose body is unnecessary, optional, required, or the file
// itself.
func emptyBodyCalls() []emptyBodyCall {
	const bearer = "Authorization: Bearer ${access}"
	return []emptyBodyCall{
		{step{name: "log out", method: "POST", path: "/api/auth/logout", header: "Authorization: Bearer ${out}", status: 204}, "logout"},
		{step{name: "log out without a token", method: "POST", path: "/api/auth/logout", status: 204}, "logout"},
		{step{name: "register", method: "POST", path: "/api/auth/register", status: 422, code: "validation_failed"}, "register"},
		{step{name: "log in", method: "POST", path: "/api/auth/login", status: 422, code: "validation_failed"}, "login"},
		{step{name: "change the profile", method: "PATCH", path: "/api/users/me", header: bearer, status: 200}, "users"},
		{step{name: "change the password", method: "POST", path: "/api/users/change-password", header: bearer, status: 422, code: "validation_failed"}, "users"},
		{step{name: "create a session", method: "POST", path: "/api/sessions", header: bearer, status: 422, code: "validation_failed"}, "sessions"},
		{step{name: "store a file", method: "PUT", path: "/api/files/${name}", header: bearer, status: 201}, "files"},
		{step{name: "create a folder", method: "PUT", path: "/api/files/${name}/", header: bearer, status: 201}, "files"},
	}
}

// TestEmptyBody_AllFormsAreEqual sends requests without a single body byte in every way that HTTP
// allows, over TLS to the binary and as events to the functions, with and without a
// content type. All must get the same response.
func TestEmptyBody_AllFormsAreEqual(t *testing.T) {
	t.Parallel()
	cloud := listen(t, newNextcloud(t))
	dir := t.TempDir()
	env := append(slices.Clone(cloud), "JWT_SECRET="+keyring.Generate().Reveal())
	admin(t, dir, env)
	p := start(t, dir, nil, env...)
	binary := newEmptyBodyTest(t, p.target(), nil)
	for name, send := range overTLS(p) {
		binary.check(t, name, send, "", "application/json", "application/x-www-form-urlencoded", "text/odd")
	}

	env = append(listen(t, newNextcloud(t)), "DATABASE_URL="+database(t), "JWT_SECRET="+keyring.Generate().Reveal(),
		"ALLOWED_ORIGINS=https://app.example.org", "BCRYPT_COST=10")
	env = append(env, unlimited()...)
	admin(t, t.TempDir(), env)
	api := deploy(t, env...)
	functions := newEmptyBodyTest(t, target{client: &http.Client{Transport: api}, url: public}, binary.want)
	for name, send := range throughEvents(api) {
		functions.check(t, name, send, "", "application/json", "application/x-www-form-urlencoded")
	}
}

// An emptyBodyTest is a gateway that receives requests without a body.
type emptyBodyTest struct {
	target

	saved map[string]string
	want  map[string]exchange // the first response, by the name of the call
	n     int
}

// newEmptyBodyTest returns the gateway with a user who has a Nextcloud folder.
func newEmptyBodyTest(t *testing.T, g target, want map[string]exchange) *emptyBodyTest {
	t.Helper()
	saved := map[string]string{"admin": "root@example.com"}
	ready := slices.Concat(acceptance()[:2], []step{
		{name: "an administrator logs in", method: "POST", path: "/api/auth/login",
			body: `{"email":"${admin}","password":"correct horse battery staple"}`, status: 200, save: map[string]string{"root": "access_token"}},
		{name: "reconcile", method: "POST", path: "/api/nextcloud/reconcile", header: "Authorization: Bearer ${root}", status: 200},
		hasStorage,
	})
	play(t, g, ready, saved)
	if want == nil {
		want = map[string]exchange{}
	}
	return &emptyBodyTest{target: g, saved: saved, want: want}
}

// A sender sends one request with exactly the given header lines and no body.
type sender func(t *testing.T, c emptyBodyCall, header []string) *http.Response

// check sends all calls in one way, with each content type.
func (g *emptyBodyTest) check(t *testing.T, way string, send sender, types ...string) {
	t.Helper()
	for _, contentType := range types {
		login := acceptance()[1]
		login.save = map[string]string{"out": "access_token"}
		play(t, g.target, []step{login}, g.saved)
		for _, c := range emptyBodyCalls() {
			g.n++
			g.saved["name"] = "empty" + strconv.Itoa(g.n)
			for name, value := range g.saved {
				c.path, c.header = strings.ReplaceAll(c.path, "${"+name+"}", value), strings.ReplaceAll(c.header, "${"+name+"}", value)
			}
			var header []string
			if c.header != "" {
				header = append(header, c.header)
			}
			if contentType != "" {
				header = append(header, "Content-Type: "+contentType)
			}
			g.compare(t, way+", type "+strconv.Quote(contentType), c, send(t, c, header))
		}
	}
}

// compare checks a response against the first one that the call got, and that one against
// the expected status.
func (g *emptyBodyTest) compare(t *testing.T, how string, c emptyBodyCall, resp *http.Response) {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s, %s: %v", c.name, how, err)
	}
	resp.Header.Del("Connection") // depends on the protocol
	text := strings.NewReplacer(g.saved["name"], "<name>")
	got := exchange{c.name, resp.StatusCode, masked(resp.Header), mask(text.Replace(string(body)))}
	for i, line := range got.Header {
		got.Header[i] = text.Replace(line)
	}
	if got.Status != c.status || c.code != "" && !strings.Contains(got.Body, `"code":"`+c.code+`"`) {
		t.Errorf("%s, %s: got %d %s, want %d %s", c.name, how, got.Status, body, c.status, c.code)
		return
	}
	if _, known := g.want[c.name]; !known {
		g.want[c.name] = got
	}
	if diff := cmp.Diff(g.want[c.name], got); diff != "" {
		t.Errorf("%s, %s (- first, + this):\n%s", c.name, how, diff)
	}
	if c.name == "store a file" {
		read := step{name: "read the file", method: "GET", path: c.path, header: c.header, status: 200}
		if got := play(t, g.target, []step{read}, g.saved)[0]; got.Body != "" {
			t.Errorf("%s, %s: the file contains %q, want nothing", c.name, how, got.Body)
		}
	}
}

// overTLS returns the ways to send no body in HTTP/1.1 (RFC 9112 section 6) and in HTTP/2
// (RFC 9113 section 8.1).
func overTLS(p *process) map[string]sender {
	ways := map[string]sender{}
	for name, raw := range map[string]string{
		"HTTP/1.1 without a length": "\r\n", "HTTP/1.1 of length 0": "Content-Length: 0\r\n\r\n",
		"HTTP/1.1 in no chunks": "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	} {
		ways[name] = func(t *testing.T, c emptyBodyCall, header []string) *http.Response {
			t.Helper()
			config := p.client.Transport.(*http.Transport).TLSClientConfig.Clone()
			config.NextProtos = []string{"http/1.1"}
			conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.https, "https://"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			head := append([]string{c.method + " " + c.path + " HTTP/1.1", "Host: voiceassist.local"}, header...)
			if _, err := io.WriteString(conn, strings.Join(head, "\r\n")+"\r\n"+raw); err != nil {
				t.Fatal(err)
			}
			if err := conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			return resp
		}
	}
	for name, way := range map[string]struct {
		fields []string
		data   []string
	}{
		"HTTP/2, headers alone": {}, "HTTP/2, headers alone, of length 0": {[]string{"content-length: 0"}, nil},
		"HTTP/2, empty data": {nil, []string{""}}, "HTTP/2, empty data, of length 0": {[]string{"content-length: 0"}, []string{"", ""}},
	} {
		ways[name] = func(t *testing.T, c emptyBodyCall, header []string) *http.Response {
			t.Helper()
			fields := []string{"x-test: 1"}
			for _, line := range header {
				name, value, _ := strings.Cut(line, ": ")
				fields = append(fields, strings.ToLower(name)+": "+value)
			}
			resp, failed := p.frames(t, c.method, c.path, strings.Join(append(fields, way.fields...), ";"), way.data...)
			if failed != "" {
				t.Fatalf("%s: %s", c.name, failed)
			}
			return resp
		}
	}
	return ways
}

// throughEvents returns the ways in which API front ends may express that there is no
// body.
func throughEvents(api lambdas) map[string]sender {
	ways := map[string]sender{}
	for _, front := range faastest.Fronts() {
		for name, members := range map[string]map[string]any{
			"body absent": {}, "body null": {"body": nil}, "body empty": {"body": ""},
			"base64 of nothing": {"body": "", "isBase64Encoded": true}, "base64 of null": {"body": nil, "isBase64Encoded": true},
		} {
			ways[front.String()+", "+name] = func(t *testing.T, c emptyBodyCall, header []string) *http.Response {
				t.Helper()
				r := httptest.NewRequestWithContext(t.Context(), c.method, public+c.path, nil)
				for _, line := range header {
					name, value, _ := strings.Cut(line, ": ")
					r.Header.Set(name, value)
				}
				event, err := front.Event(r)
				if err != nil {
					t.Fatal(err)
				}
				var e map[string]any
				if err := json.Unmarshal(event, &e); err != nil {
					t.Fatal(err)
				}
				delete(e, "body")
				maps.Copy(e, members)
				if event, err = json.Marshal(e); err != nil {
					t.Fatal(err)
				}
				answer, err := api.processes[c.function].Invoke(t.Context(), event)
				if err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
				return front.Response(r, answer)
			}
		}
	}
	return ways
}
