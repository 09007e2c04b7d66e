package faas_test

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/faas/faastest"
)

// site responds in every way in which servers differ.
func site() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", echo)
	mux.HandleFunc("GET /only/get", echo)
	mux.HandleFunc("/item/{id}", tell(func(r *http.Request) any { return "item " + r.PathValue("id") }))
	mux.HandleFunc("/cookies", func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range []string{"a", "b", "c"} {
			http.SetCookie(w, &http.Cookie{Name: name, Value: "1, 2", Path: "/", HttpOnly: true})
		}
		w.Header()["Link"] = []string{`</1>; rel="next"`, `</2>; rel="last"`}
	})
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		var code int
		fmt.Sscan(r.PathValue("code"), &code)
		w.WriteHeader(code)
		w.Write([]byte("body"))
	})
	mux.HandleFunc("/binary", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte{0xff, 0, 0xfe, '<', '&'}) })
	mux.HandleFunc("/html", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>\u2028&amp;") })
	mux.HandleFunc("/pieces", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "")
		io.WriteString(w, "<ht")
		w.Header().Set("X-Late", "1")
		io.WriteString(w, "ml>"+strings.Repeat("x", 600))
	})
	mux.HandleFunc("/untyped", func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		io.WriteString(w, "<html>")
	})
	mux.HandleFunc("/gzip", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		io.WriteString(z, strings.Repeat("hello ", 10))
		z.Close()
	})
	mux.HandleFunc("/split", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Value", "a\r\nSet-Cookie: evil=1")
		w.Header()["Bad Name"] = []string{"x"}
	})
	mux.HandleFunc("/silent", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/twice", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusAccepted)
		w.Header().Set("X-Late", "1")
		io.WriteString(w, "x")
	})
	mux.HandleFunc("/length", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1234")
		w.Header().Set("ETag", `"e"`)
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/to?a=1", http.StatusSeeOther) })
	return mux
}

// echo returns the parts of a request that no front may change.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %q %q host=%s proto=%s scheme=%q urlhost=%q\n",
		r.Method, r.URL.Path, r.URL.EscapedPath(), r.Host, r.Proto, r.URL.Scheme, r.URL.Host)
	query := r.URL.Query()
	for _, key := range slices.Sorted(maps.Keys(query)) {
		fmt.Fprintf(w, "query %q=%q\n", key, query[key])
	}
	for _, name := range []string{"Accept", "Authorization", "Content-Type", "If-None-Match", "If-Range", "Range", "Host"} {
		fmt.Fprintf(w, "%s: %s\n", name, strings.Join(r.Header.Values(name), "|"))
	}
	for _, c := range r.Cookies() {
		fmt.Fprintf(w, "cookie %s=%s\n", c.Name, c.Value)
	}
	fmt.Fprintf(w, "body %d %x %v length=%d\n", len(body), sha256.Sum256(body), err, r.ContentLength)
}

// corpus lists the requests that every front must answer like net/http.
var corpus = []struct {
	name, method, target, body string
	header                     http.Header
}{
	{name: "root", target: "/"},
	{name: "a path", target: "/api/sessions/0197"},
	{name: "repeated keys", target: "/q?tag=a&tag=b&tag=&empty=&x=1"},
	{name: "an escaped query", target: "/q?q=a%20b+c%26d%3De%23f&k%20y=%C3%A4"},
	{name: "an escaped path", target: "/files/a%20b%25/%C3%A4.txt"},
	{name: "a path value", target: "/item/a%20b"},
	{name: "double slashes", target: "/a//b"},
	{name: "a method that is not allowed", method: "POST", target: "/only/get"},
	{name: "a WebDAV method", method: "PROPFIND", target: "/dav"},
	{name: "HEAD of an echo", method: "HEAD", target: "/x"},
	{name: "HEAD with a length", method: "HEAD", target: "/length"},
	{name: "OPTIONS", method: "OPTIONS", target: "/x", header: http.Header{"Origin": {"https://app.example.org"}}},
	{name: "JSON", method: "POST", target: "/x", body: `{"a":"ä<&>"}`, header: http.Header{"Content-Type": {"application/json"}}},
	{name: "a form", method: "POST", target: "/x", body: "username=a%40b&password=%26", header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}},
	{name: "bytes", method: "PUT", target: "/x", body: "\x00\xff\xfe\r\n", header: http.Header{"Content-Type": {"application/octet-stream"}}},
	{name: "DELETE with a body", method: "DELETE", target: "/x", body: `{"password":"x"}`, header: http.Header{"Content-Type": {"application/json"}}},
	{name: "headers with commas", target: "/x", header: http.Header{
		"Accept": {"text/html, application/json;q=0.9"}, "If-Range": {"Wed, 21 Oct 2015 07:28:00 GMT"},
		"If-None-Match": {`"a,b", W/"c"`}, "Range": {"bytes=0-1, 4-5"}, "Authorization": {`Digest a="b, c"`},
	}},
	{name: "cookies", target: "/x", header: http.Header{"Cookie": {"a=1; b=2; __Secure-refresh_token=x.y"}}},
	{name: "set cookies", target: "/cookies"},
	{name: "binary answer", target: "/binary"},
	{name: "sniffed answer", target: "/html"},
	{name: "a response in pieces", target: "/pieces"},
	{name: "HEAD of a response in pieces", method: "HEAD", target: "/pieces"},
	{name: "untyped answer", target: "/untyped"},
	{name: "compressed answer", target: "/gzip"},
	{name: "HEAD of a compressed answer", method: "HEAD", target: "/gzip"},
	{name: "a header with a line break", target: "/split"},
	{name: "no response", target: "/silent"},
	{name: "two responses", target: "/twice"},
	{name: "201", target: "/status/201"},
	{name: "204", target: "/status/204"},
	{name: "304", target: "/status/304"},
	{name: "404", target: "/status/404"},
	{name: "599", target: "/status/599"},
	{name: "a redirect", target: "/moved"},
}

func TestFronts_AnswerLikeNetHTTP(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(site())
	t.Cleanup(server.Close)
	for _, front := range faastest.Fronts() {
		through := front.Client(faas.Handler(site()))
		for _, tt := range corpus {
			t.Run(front.String()+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				if front == faastest.FrontALB && tt.name == "repeated keys" {
					tt.target = "/q?tag=b&empty=&x=1" // without lists, a load balancer keeps one value
				}
				want := response(t, &http.Transport{DisableCompression: true}, server.URL, tt.method, tt.target, tt.body, tt.header)
				got := response(t, through, "https://api.example.org", tt.method, tt.target, tt.body, tt.header)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("-net/http +%s:\n%s", front, diff)
				}
			})
		}
	}
}

// response returns a response as text, without headers that only identify the server.
func response(t *testing.T, via http.RoundTripper, base, method, target, body string, h http.Header) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, base+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "api.example.org"
	maps.Copy(r.Header, h)
	resp, err := via.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Header.Del("Date")
	var s strings.Builder
	fmt.Fprintf(&s, "%d\n", resp.StatusCode)
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		lines := resp.Header[name]
		if name == "Set-Cookie" {
			fmt.Fprintf(&s, "%s: %q\n", name, slices.Sorted(slices.Values(lines))) // different cookies have no order
			continue
		}
		// One line with commas and several lines are the same (RFC 9110 section 5.3).
		fmt.Fprintf(&s, "%s: %s\n", name, strings.ReplaceAll(strings.Join(lines, ","), ", ", ","))
	}
	fmt.Fprintf(&s, "\n%q length=%d", b, resp.ContentLength)
	return s.String()
}

func TestFronts_PreserveThePath(t *testing.T) {
	t.Parallel()
	for _, front := range faastest.Fronts() {
		want := `"/files/a/b" "/files/a%2Fb"`
		if front == faastest.FrontV2 {
			want = `"/files/a/b" "/files/a/b"` // decoded by the front
		}
		h := tell(func(r *http.Request) any { return fmt.Sprintf("%q %q", r.URL.Path, r.URL.EscapedPath()) })
		got := response(t, front.Client(faas.Handler(h)), "https://x", "GET", "/files/a%2Fb", "", nil)
		if !strings.Contains(got, fmt.Sprintf("%q", want)) {
			t.Errorf("%s: got %s, want %s", front, got, want)
		}
	}
}

func TestFronts_ReportTheClientAddress(t *testing.T) {
	t.Parallel()
	for _, front := range faastest.Fronts() {
		for source, want := range map[string]string{
			"198.51.100.9:1234": "198.51.100.9:0", "[2001:db8::1]:443": "[2001:db8::1]:0", "": "203.0.113.7:0",
		} {
			var got string
			h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr })
			r := httptest.NewRequestWithContext(t.Context(), "GET", "https://x/", nil)
			r.RemoteAddr = source
			r.Header.Set("X-Forwarded-For", "6.6.6.6")
			if _, err := front.Client(faas.Handler(h)).RoundTrip(r); err != nil || got != want {
				t.Errorf("%s: RemoteAddr = %q, %v; want %q", front, got, err, want)
			}
		}
	}
}

func FuzzFronts(f *testing.F) {
	for _, c := range corpus {
		f.Add(c.method, c.target, c.header.Get("Cookie"), c.header.Get("Content-Type"), []byte(c.body))
	}
	f.Fuzz(func(t *testing.T, method, target, cookie, contentType string, body []byte) {
		r, err := http.NewRequestWithContext(t.Context(), method, "https://api.example.org/", nil)
		if err != nil || method == http.MethodConnect || !strings.HasPrefix(target, "/") {
			return
		}
		if r.URL, err = url.ParseRequestURI(target); err != nil || r.URL.EscapedPath() != strings.SplitN(target, "?", 2)[0] {
			return // servers reject it, or clients send it differently
		}
		r.Header.Set("Cookie", cookie)
		r.Header.Set("Content-Type", contentType)
		for _, front := range faastest.Fronts() {
			if front == faastest.FrontV2 && !utf8.ValidString(r.URL.Path) {
				continue // its JSON cannot carry the decoded path
			}
			sent := r.Clone(context.Background())
			sent.Body = io.NopCloser(strings.NewReader(string(body)))
			var got *http.Request
			var gotBody []byte
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r
				gotBody, _ = io.ReadAll(r.Body)
				w.Header().Set("Content-Type", "application/octet-stream")
				w.Write(gotBody)
			})
			event, err := front.Event(sent)
			if err != nil {
				continue // a REST API refuses some queries
			}
			answer, err := faas.Handler(h).Invoke(t.Context(), event)
			if err != nil || got == nil {
				t.Fatalf("%s: Invoke = %s, %v", front, answer, err)
			}
			if got.Method != r.Method || got.URL.Path != r.URL.Path || string(gotBody) != string(body) {
				t.Errorf("%s: got %s %q %q, want %s %q %q", front, got.Method, got.URL.Path, gotBody, r.Method, r.URL.Path, body)
			}
			if front != faastest.FrontV2 && got.URL.EscapedPath() != r.URL.EscapedPath() {
				t.Errorf("%s: escaped path %q, want %q", front, got.URL.EscapedPath(), r.URL.EscapedPath())
			}
			resp := front.Response(r, answer)
			if echoed, err := io.ReadAll(resp.Body); err != nil || method != "HEAD" && string(echoed) != string(body) {
				t.Errorf("%s: echoed %q, %v; want %q", front, echoed, err, body)
			}
		}
	})
}

func FuzzInvoke(f *testing.F) {
	for _, event := range []string{v2(``), alb(``), schedule, queue("a"), `{"httpMethod":"GET","path":"/%zz"}`} {
		f.Add([]byte(event))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		answer, err := quiet(http.HandlerFunc(echo)).Invoke(t.Context(), payload)
		if err != nil {
			return
		}
		resp := faastest.FrontV2.Response(httptest.NewRequestWithContext(t.Context(), "GET", "/", nil), answer)
		if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusBadRequest {
			t.Errorf("Invoke(%q) = %s, want 200 or 400", payload, answer)
		}
	})
}
