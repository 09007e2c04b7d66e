//go:build site

package test_test

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// phone is the width of the narrowest screen that the site must fit, in CSS pixels.
const phone = 360

// TestSite checks every page of build/site in a real browser: it is complete, fits a
// phone, draws its diagrams, finds words, and requests nothing from another host.
func TestSite(t *testing.T) {
	t.Parallel()
	const host = "docs.example.org"
	pages := sitePages(t)
	var mu sync.Mutex
	var strange []string
	files := http.FileServer(http.Dir("../build/site"))
	front := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := os.Stat(filepath.Join("../build/site", filepath.FromSlash(r.URL.Path)))
		crossSite := r.Header.Get("Sec-Fetch-Site") == "cross-site" // Chromium's own requests are not
		if crossSite || r.Host == host && err != nil && r.URL.Path != "/favicon.ico" {
			mu.Lock()
			strange = append(strange, r.Host+r.URL.Path)
			mu.Unlock()
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	f := &browserFixture{front: front, browser: chromium(t, front, plain)}
	at := f.visit(t, "https://"+host+"/")
	if err := chromedp.Do(at.ctx, chromedp.EmulateViewport(phone, 800)); err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		if err := chromedp.Do(at.ctx, chromedp.Navigate("https://"+host+"/"+p.name)); err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		want := fmt.Sprintf("%d diagrams, 0 px too wide", strings.Count(p.text, `<pre class="mermaid">`))
		got := at.runs(t, want, `new Promise(done => {
			const look = () => {
				const drawn = [...document.querySelectorAll("div.mermaid")].filter(d => d.offsetHeight > 20).length
				const seen = drawn + " diagrams, " + Math.max(0, document.documentElement.scrollWidth - innerWidth) + " px too wide"
				seen == api || performance.now() > 20000 ? done(seen) : setTimeout(look, 50)
			}
			look()
		})`)
		if got != want {
			t.Errorf("%s: %s; want %s", p.name, got, want)
		}
	}
	if got := at.runs(t, "reconciler", `new Promise(done => {
		document.querySelector(".md-search__button").click()
		const look = () => {
			const search = [...document.querySelectorAll("body > div")].find(part => part.shadowRoot)?.shadowRoot
			const query = search?.querySelector("input")
			if (query && query.value != api) {
				query.value = api
				query.dispatchEvent(new Event("input", {bubbles: true}))
			}
			const found = search?.querySelector("a[href]")
			found || performance.now() > 20000 ? done(found ? "a page" : "nothing") : setTimeout(look, 50)
		}
		look()
	})`); got != "a page" {
		t.Errorf("the search found %s", got)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(strange) > 0 {
		t.Errorf("the pages request %q from other hosts", strange)
	}
	t.Logf("%d pages were read", len(pages))
}

// A sitePage is a page of the built site.
type sitePage struct{ name, text string }

func sitePages(t *testing.T) (all []sitePage) {
	t.Helper()
	site := os.DirFS("../build/site")
	err := fs.WalkDir(site, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".html") || name == "404.html" {
			return err
		}
		text, err := fs.ReadFile(site, name)
		all = append(all, sitePage{name, string(text)})
		return err
	})
	if err != nil || len(all) < 30 {
		t.Fatalf("build/site has %d pages, %v; run make site", len(all), err)
	}
	return all
}
