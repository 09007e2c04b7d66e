package page_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/page"
	"github.com/voiceassist/gateway/shared/endpoint"
)

// get returns the response to a request with headers, given as name and value in turn.
func get(t *testing.T, path string, headers ...string) *http.Response {
	t.Helper()
	h := endpoint.New(endpoint.Settings{Log: slog.New(slog.DiscardHandler), Now: time.Now}, (&page.Function{Settings: contact(t), Now: time.Now}).Pages()...)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example.org"+path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

func TestPage_IsForBrowsers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, accept string
		status       int
	}{
		{"a browser", browser, 200},
		{"another order", "application/json, text/html;q=0.5", 200},
		{"curl", "*/*", 404},
		{"a program", "application/json", 404},
		{"nothing", "", 404},
		{"anything but HTML", "*/*, text/html;q=0", 404},
		{"a weight that is none", "text/html;q=x", 404},
		{"any text", "text/*", 404},
		{"no list", ";;,,", 404},
	} {
		resp := get(t, "/", "Accept", tt.accept)
		want := "text/html; charset=utf-8"
		if tt.status == http.StatusNotFound {
			want = "application/problem+json"
		}
		if resp.StatusCode != tt.status || resp.Header.Get("Content-Type") != want {
			t.Errorf("%s: %d %s, want %d %s", tt.name, resp.StatusCode, resp.Header.Get("Content-Type"), tt.status, want)
		}
		if got := resp.Header.Values("Vary"); len(got) == 0 || got[0] != "Accept" {
			t.Errorf("%s: Vary is %q", tt.name, got)
		}
	}
}

// named are the files that the page names.
var named = regexp.MustCompile(`(?:src|href)="\./(assets/[\w.-]+)"`)

func TestPage_NamesOnlyFilesOfItsOwn(t *testing.T) {
	t.Parallel()
	html := body(t, get(t, "/", "Accept", browser))
	files := named.FindAllStringSubmatch(html, -1)
	if len(files) < 3 || len(files) != strings.Count(html, "src=")+strings.Count(html, "href=") {
		t.Fatalf("the page names the files %q:\n%s", files, html)
	}
	if strings.Contains(html, "<style") || strings.Contains(html, " style=") || regexp.MustCompile(`<script[^>]*>[^<]`).MatchString(html) {
		t.Errorf("the policy forbids styles and scripts in the page:\n%s", html)
	}
	for _, f := range files {
		resp := get(t, "/"+f[1])
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: %d, Cache-Control %s", f[1], resp.StatusCode, resp.Header.Get("Cache-Control"))
		}
	}
	if got := get(t, "/assets/index.html").StatusCode; got != http.StatusNotFound {
		t.Errorf("a file that is none: %d", got)
	}
}

// TestPage_Policy keeps the page free of everything that the policy would have to allow.
func TestPage_Policy(t *testing.T) {
	t.Parallel()
	resp := get(t, "/", "Accept", browser)
	policy := resp.Header.Get("Content-Security-Policy")
	for _, want := range []string{
		"default-src 'none'", "script-src 'self';", "style-src 'self';", "connect-src 'self';", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
	} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %s: %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") || strings.Contains(policy, "*") {
		t.Errorf("the policy is %s", policy)
	}
	if got := resp.Header.Get("Cache-Control"); got != "no-cache" {
		t.Errorf("Cache-Control is %s; a cached page would name files of an older version", got)
	}
}

func TestFiles_AreCompressedForWhoeverAcceptsIt(t *testing.T) {
	t.Parallel()
	plain := get(t, "/", "Accept", browser, "Accept-Encoding", "gzip;q=0, br")
	zipped := get(t, "/", "Accept", browser, "Accept-Encoding", "br, gzip")
	if plain.Header.Get("Content-Encoding") != "" || zipped.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("the encodings are %q and %q", plain.Header.Get("Content-Encoding"), zipped.Header.Get("Content-Encoding"))
	}
	z, err := gzip.NewReader(zipped.Body)
	if err != nil {
		t.Fatal(err)
	}
	unzipped, err := io.ReadAll(z)
	if err != nil || string(unzipped) != body(t, plain) {
		t.Errorf("the compressed page differs, %v", err)
	}
	// A cache may hold both.
	if plain.Header.Get("ETag") == zipped.Header.Get("ETag") || strings.Join(zipped.Header.Values("Vary"), ",") != "Accept,Accept-Encoding" {
		t.Errorf("the tags are %s and %s, Vary is %q", plain.Header.Get("ETag"), zipped.Header.Get("ETag"), zipped.Header.Values("Vary"))
	}
	for _, encoding := range []string{"gzip", ""} {
		tag := get(t, "/", "Accept", browser, "Accept-Encoding", encoding).Header.Get("ETag")
		again := get(t, "/", "Accept", browser, "Accept-Encoding", encoding, "If-None-Match", tag)
		if again.StatusCode != http.StatusNotModified || again.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("with %q: %d for the tag %s", encoding, again.StatusCode, tag)
		}
	}
}

// maxSize is what all files of the page may take, compressed. It is more than anybody waits
// for on a slow line, and far more than the page needs.
const maxSize = 150_000 // bytes

// maxFirst is what everybody loads before the first view. The page loads the rest when it is
// needed.
const maxFirst = 60_000 // bytes

func TestFiles_AreSmall(t *testing.T) {
	t.Parallel()
	all, err := filepath.Glob("dist/assets/*")
	if err != nil || len(all) == 0 {
		t.Fatalf("%d files, %v", len(all), err)
	}
	total := compressed(t, "dist/index.html")
	for _, name := range all {
		total += compressed(t, name)
	}
	first := compressed(t, "dist/index.html")
	for _, f := range named.FindAllStringSubmatch(body(t, get(t, "/", "Accept", browser)), -1) {
		first += compressed(t, "dist/"+f[1])
	}
	t.Logf("%d bytes, of them %d at first", total, first)
	if total > maxSize || first > maxFirst || first >= total {
		t.Errorf("the page has %d bytes, compressed, of them %d at first; want at most %d and %d, and some later", total, first, maxSize, maxFirst)
	}
}

// compressed returns how many bytes of the file are sent.
func compressed(t *testing.T, name string) int {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if _, err := z.Write(content); err != nil {
		t.Fatal(err)
	}
	z.Close()
	return b.Len()
}

// chunk is the name of a file that a script loads when it is needed.
var chunk = regexp.MustCompile("[\"'`]\\./([\\w.-]+\\.(?:js|css))[\"'`]")

// TestFiles_AreThereWhenNeeded follows what scripts load later.
func TestFiles_AreThereWhenNeeded(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("dist/assets/*.js")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, script := range scripts {
		content, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range chunk.FindAllSubmatch(content, -1) {
			found++
			if resp := get(t, "/assets/"+string(name[1])); resp.StatusCode != http.StatusOK {
				t.Errorf("%s loads %s: %d", script, name[1], resp.StatusCode)
			}
		}
	}
	if found == 0 {
		t.Error("no script loads another one")
	}
}
