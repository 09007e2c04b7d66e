package reference_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/voiceassist/gateway/docs"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/reference"
)

func get(t *testing.T, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	mux := http.NewServeMux()
	for _, route := range reference.Routes() {
		mux.Handle(route.Pattern, route.Handler)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, r)
	return rec
}

func TestOperations_AreThoseOfTheDocument(t *testing.T) {
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
	got := reference.Operations()
	if len(got) == 0 || got[0] != "POST /api/auth/register" {
		t.Errorf("the first operation is not the first of the document: %v", got)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOpenAPI_IsServedAsItStands(t *testing.T) {
	t.Parallel()
	rec := get(t, "/openapi.json")
	if rec.Code != http.StatusOK || rec.Body.String() != docs.OpenAPI() {
		t.Errorf("got %d and %d bytes, want the document", rec.Code, rec.Body.Len())
	}
	if got := rec.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type is %q", got)
	}
	if got := rec.Header().Get("Content-Security-Policy"); got != "" {
		t.Errorf("the document has a policy of its own: %q", got)
	}
}

func TestFiles_AreSentOnce(t *testing.T) {
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

func TestFiles_KeepTheHeadersOfEveryAnswer(t *testing.T) {
	t.Parallel()
	g := endpoint.New(endpoint.Settings{Log: slog.New(slog.DiscardHandler), Now: time.Now}, reference.Routes()...)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodHead, "https://gateway.example.org/docs", http.NoBody)
	rec := httptest.NewRecorder()
	g.ServeHTTP(rec, r)
	h := rec.Header()
	if rec.Code != http.StatusOK || rec.Body.Len() != 0 || h.Get("X-Correlation-ID") == "" || h.Get("ETag") == "" {
		t.Errorf("HEAD got %d, %d bytes, %v", rec.Code, rec.Body.Len(), h)
	}
	if !strings.Contains(h.Get("Content-Security-Policy"), "style-src 'sha256-") {
		t.Errorf("the policy is %q", h.Get("Content-Security-Policy"))
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
			if n := string(name); n != "meta" {
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
	for _, operation := range reference.Operations() {
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

// TestPage_IsSelfContained holds the page to its policy: one style, which the
// hash names, and nothing that runs or is fetched.
func TestPage_IsSelfContained(t *testing.T) {
	t.Parallel()
	rec := get(t, "/docs")
	root, err := html.Parse(strings.NewReader(rec.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	policy := rec.Header().Get("Content-Security-Policy")
	styles := 0
	for n := range root.Descendants() {
		switch n.Data {
		case "style":
			styles++
			sum := sha256.Sum256([]byte(n.FirstChild.Data))
			want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
			if !strings.Contains(policy, want) || !strings.Contains(policy, "default-src 'none'") {
				t.Errorf("the policy is %q, want %s in it", policy, want)
			}
		case "script", "link", "img", "iframe", "form", "object":
			if n.Type == html.ElementNode {
				t.Errorf("the page has a <%s>", n.Data)
			}
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "src" {
				t.Errorf("<%s %s=%q> is not allowed by the policy", n.Data, a.Key, a.Val)
			}
		}
	}
	if styles != 1 {
		t.Errorf("the page has %d styles, want 1", styles)
	}
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
				links = append(links, a.Val)
			}
		}
	}
	return ids, links, b.String()
}
