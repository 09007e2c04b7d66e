package reference_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/voiceassist/gateway/cmd/gateway/internal/reference"
	"github.com/voiceassist/gateway/docs"
	"github.com/voiceassist/gateway/shared/endpoint"
)

// mux serves the routes, which are made once for all tests.
var mux = sync.OnceValue(func() *http.ServeMux {
	m := http.NewServeMux()
	for _, route := range reference.Routes() {
		m.Handle(route.Pattern, route.Handler)
	}
	return m
})

func get(t *testing.T, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	mux().ServeHTTP(rec, r)
	return rec
}

func TestOperations_MatchTheDocument(t *testing.T) {
	t.Parallel()
	var d struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal([]byte(docs.OpenAPI()), &d); err != nil {
		t.Fatal(err)
	}
	var want []string
	for path, item := range d.Paths {
		for method := range item {
			if method != "parameters" {
				want = append(want, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(want)
	got := docs.Operations()
	if len(got) == 0 || got[0] != "POST /api/auth/register" {
		t.Errorf("the first operation is not the first of the document: %v", got)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOpenAPI_IsServedUnchanged(t *testing.T) {
	t.Parallel()
	rec := get(t, "/openapi.json")
	if rec.Code != http.StatusOK || rec.Body.String() != docs.OpenAPI() {
		t.Errorf("got %d and %d bytes, want the document", rec.Code, rec.Body.Len())
	}
	if got := rec.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("got Content-Type %q", got)
	}
	if got := rec.Header().Get("Content-Security-Policy"); got != "" {
		t.Errorf("the document has a policy of its own: %q", got)
	}
}

func TestFiles_SupportConditionalRequests(t *testing.T) {
	t.Parallel()
	tags := map[string]bool{}
	for _, path := range []string{"/openapi.json", "/docs"} {
		first := get(t, path)
		tag := first.Header().Get("ETag")
		tags[tag] = true
		if !strings.HasPrefix(first.Header().Get("Cache-Control"), "public") {
			t.Errorf("%s may not be cached: %v", path, first.Header())
		}
		for _, test := range []struct {
			name, ifNoneMatch string
			want              int
		}{
			{"the same", tag, http.StatusNotModified},
			{"the same, made weak by a proxy", "W/" + tag, http.StatusNotModified},
			{"one of several", `"old", ` + tag, http.StatusNotModified},
			{"any", "*", http.StatusNotModified},
			{"another", `"old"`, http.StatusOK},
			{"no tag at all", "", http.StatusOK},
		} {
			rec := get(t, path, "If-None-Match", test.ifNoneMatch)
			if rec.Code != test.want || rec.Header().Get("ETag") != tag {
				t.Errorf("%s, %s: got %d with ETag %s, want %d with %s",
					path, test.name, rec.Code, rec.Header().Get("ETag"), test.want, tag)
			}
			if (rec.Body.Len() == 0) != (test.want == http.StatusNotModified) {
				t.Errorf("%s, %s: the body has %d bytes", path, test.name, rec.Body.Len())
			}
		}
	}
	if len(tags) != 2 || tags[""] {
		t.Errorf("the tags are %v, want two", tags)
	}
}

func TestFiles_KeepTheCommonHeaders(t *testing.T) {
	t.Parallel()
	g := endpoint.New(endpoint.Settings{Log: slog.New(slog.DiscardHandler), Now: time.Now}, reference.Routes()...)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodHead, "https://gateway.example.org/docs", http.NoBody)
	rec := httptest.NewRecorder()
	g.ServeHTTP(rec, r)
	h := rec.Header()
	if rec.Code != http.StatusOK || rec.Body.Len() != 0 || h.Get("X-Correlation-ID") == "" || h.Get("ETag") == "" {
		t.Errorf("HEAD got %d, %d bytes, %v", rec.Code, rec.Body.Len(), h)
	}
	if !strings.Contains(h.Get("Content-Security-Policy"), "style-src 'self'") {
		t.Errorf("got policy %q", h.Get("Content-Security-Policy"))
	}
}

func TestPage_IsHTML(t *testing.T) {
	t.Parallel()
	rec := get(t, "/docs")
	if got := rec.Header().Get("Content-Type"); rec.Code != http.StatusOK || got != "text/html; charset=utf-8" {
		t.Fatalf("got %d %q", rec.Code, got)
	}
	var open []string
	z := html.NewTokenizer(strings.NewReader(rec.Body.String()))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if len(open) != 0 {
				t.Errorf("never closed: %v", open)
			}
			return
		case html.StartTagToken:
			name, _ := z.TagName()
			if n := string(name); n != "meta" && n != "link" {
				open = append(open, n)
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				t.Fatalf("</%s> closes %v", name, open)
			}
			open = open[:len(open)-1]
		case html.TextToken, html.SelfClosingTagToken, html.CommentToken, html.DoctypeToken:
		}
	}
}

func TestPage_ShowsEveryOperation(t *testing.T) {
	t.Parallel()
	ids, links, text := scan(t, get(t, "/docs").Body.String())
	for _, operation := range docs.Operations() {
		if !strings.Contains(text, operation+"\n") {
			t.Errorf("%s is not on the page", operation)
		}
	}
	for _, words := range []string{"application/x-www-form-urlencoded", "incorrect_credentials", "grant_type", "cursor", "Retry-After"} {
		if !strings.Contains(text, words) {
			t.Errorf("%s is not on the page", words)
		}
	}
	if !slices.Contains(ids, "login") || !slices.Contains(ids, "schema-User") {
		t.Errorf("no anchors of operations and schemas in %v", ids)
	}
	slices.Sort(ids)
	if n := len(slices.Compact(slices.Clone(ids))); n != len(ids) {
		t.Error("two elements have one id")
	}
	for _, link := range links {
		if link != "/openapi.json" && !slices.Contains(ids, strings.TrimPrefix(link, "#")) {
			t.Errorf("%q leads nowhere", link)
		}
	}
	if strings.Contains(text, "ZgotmplZ") {
		t.Error("the template refused a value")
	}
}

// TestPage_LoadsWhatItsPolicyAllows checks the page against its policy: scripts and
// styles are files of this origin, which are there, and nothing is inline.
func TestPage_LoadsWhatItsPolicyAllows(t *testing.T) {
	t.Parallel()
	rec := get(t, "/docs")
	policy := rec.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy+";", want+";") {
			t.Errorf("got policy %q, want %s in it", policy, want)
		}
	}
	loaded := assets(t, rec.Body.String())
	if len(loaded) != 5 {
		t.Errorf("the page loads %v, want five files", loaded)
	}
	for _, path := range loaded {
		if rec := get(t, path); rec.Code != http.StatusOK || !strings.Contains(rec.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", path, rec.Code, rec.Header())
		}
	}
	root, err := html.Parse(strings.NewReader(rec.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && (n.Data == "style" || n.Data == "script" && n.FirstChild != nil ||
			slices.Contains([]string{"img", "iframe", "form", "object"}, n.Data)) {
			t.Errorf("the page has a <%s> of its own", n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
				t.Errorf("<%s %s=%q> is not allowed by the policy", n.Data, a.Key, a.Val)
			}
		}
	}
}

// assets returns what a page loads from this origin.
func assets(t *testing.T, page string) []string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for n := range root.Descendants() {
		for _, a := range n.Attr {
			if n.Data == "script" && a.Key == "src" || n.Data == "link" && a.Key == "href" && a.Val != "data:," {
				paths = append(paths, a.Val)
			}
		}
	}
	return paths
}

// scan returns the ids and the links of a page, and its text with a line for
// each element.
func scan(t *testing.T, page string) (ids, links []string, text string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for n := range root.Descendants() {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
			if n.NextSibling == nil && n.Parent.Data != "span" {
				b.WriteByte('\n')
			}
		}
		for _, a := range n.Attr {
			switch a.Key {
			case "id":
				ids = append(ids, a.Val)
			case "href":
				if n.Data == "a" && a.Val != "#/" { // which is the viewer
					links = append(links, a.Val)
				}
			}
		}
	}
	return ids, links, b.String()
}

// TestPage_ShowsSharedResponsesOnce checks that what many calls return in the same
// way is described once, and that every link within the text leads somewhere.
func TestPage_ShowsSharedResponsesOnce(t *testing.T) {
	t.Parallel()
	page := get(t, "/docs").Body.String()
	for _, words := range []string{"A limit for the client, the account or the login is reached", "An error of the gateway."} {
		if n := strings.Count(page, words); n != 1 {
			t.Errorf("%q stands %d times on the page, want 1", words, n)
		}
	}
	links := regexp.MustCompile(`href="#([^"/][^"]*)"`).FindAllStringSubmatch(page, -1)
	if len(links) < 300 {
		t.Errorf("only %d links were found", len(links))
	}
	for _, link := range links {
		if !strings.Contains(page, `id="`+link[1]+`"`) {
			t.Errorf("the link #%s leads nowhere", link[1])
		}
	}
}
