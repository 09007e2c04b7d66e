package files_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// fill makes Nextcloud report n files in every folder, unordered, with pad bytes between
// entries, and calls during after every 1000 entries.
func (f *fixture) fill(n, pad int, during func()) {
	answer := http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		out.Header().Set("Content-Type", "application/xml; charset=utf-8")
		out.WriteHeader(http.StatusMultiStatus)
		b := bufio.NewWriter(out)
		defer b.Flush()
		b.WriteString(`<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns">`)
		item := func(href, kind string) {
			fmt.Fprintf(b, `<d:response><d:href>%s</d:href><d:propstat><d:prop><d:resourcetype>%s</d:resourcetype>`+
				`<d:getetag>&quot;6540caffeb0a12345&quot;</d:getetag><d:getlastmodified>Sun, 01 Mar 2026 12:00:00 GMT</d:getlastmodified>`+
				`<d:getcontentlength>5</d:getcontentlength><d:getcontenttype>text/plain</d:getcontenttype></d:prop>`+
				`<d:status>HTTP/1.1 200 OK</d:status></d:propstat>`+
				`<d:propstat><d:prop><oc:size/></d:prop><d:status>HTTP/1.1 404 Not Found</d:status></d:propstat></d:response>`, href, kind)
			b.WriteString(strings.Repeat(" ", pad))
		}
		folder := strings.TrimSuffix(r.URL.EscapedPath(), "/") + "/"
		item(folder, "<d:collection/>")
		for i, k := range rand.Perm(n) {
			item(folder+url.PathEscape(numbered(k)), "")
			if i%1000 == 0 && during != nil {
				b.Flush()
				during()
			}
		}
		b.WriteString("</d:multistatus>")
	})
	f.front.Store(&answer)
}

// numbered returns the kth name of fill; names sort like numbers.
func numbered(k int) string { return fmt.Sprintf("Aufnahme %05d, später.txt", k) }

// pages follows the links of a listing and returns the names on each page.
func (f *fixture) pages(path string) (pages [][]string) {
	f.t.Helper()
	for next := path; next != ""; {
		a := f.Do("GET", next, nil, f.ada).Want(http.StatusOK, "")
		var entries []struct{ Name, Path string }
		if err := json.Unmarshal([]byte(a.Body), &entries); err != nil {
			f.t.Fatal(err)
		}
		if len(a.Body) > endpoint.MaxPage || len(a.Header.Get("Link")) > 1000 || len(pages) > 100 {
			f.t.Fatalf("page %d has %d bytes, its Link header %d", len(pages)+1, len(a.Body), len(a.Header.Get("Link")))
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name)
		}
		pages = append(pages, names)
		next, _ = strings.CutSuffix(strings.TrimPrefix(a.Header.Get("Link"), "<"), `>; rel="next"`)
	}
	return pages
}

// TestList_IsPaginated lists a folder that does not fit into one response.
func TestList_IsPaginated(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t))
	const n = 12_000
	f.fill(n, 1, nil)
	var want []string
	for k := range n {
		want = append(want, numbered(k))
	}
	pages := f.pages("/api/files/a%20b/?x=" + strings.Repeat("y", 20_000))
	if got := slices.Concat(pages...); !slices.Equal(got, want) || len(pages) < 2 || len(pages) > 4 {
		t.Errorf("got %d pages with %d names, want each of %d once, in order", len(pages), len(got), n)
	}
	f.fill(450, 1, nil)
	pages = f.pages("/api/files/?limit=200")
	if got := slices.Concat(pages...); !slices.Equal(got, want[:450]) || len(pages) != 3 || len(pages[0]) != 200 {
		t.Errorf("pages of %d, %d names", len(pages[0]), len(got))
	}
	if pages = f.pages("/api/files/"); len(pages) != 1 || len(pages[0]) != 450 {
		t.Errorf("got %d pages, want one", len(pages))
	}
	head := f.do("HEAD", "?limit=1", nil).Want(http.StatusOK, "")
	if head.Header.Get("Link") == "" || head.Body != "" {
		t.Errorf("HEAD: got %v", head.Header)
	}
}

func TestList_RejectsInvalidPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t))
	for query, field := range map[string]string{
		"limit=0": "limit", "limit=201": "limit", "limit=x": "limit", "limit=": "limit", "cursor=%20": "cursor", "cursor=_w": "cursor", // 0xff
		"cursor=" + strings.Repeat("QUFB", 100): "cursor",
	} {
		var p struct{ Errors []struct{ Field string } }
		f.do("GET", "?"+query, nil).Want(http.StatusUnprocessableEntity, "validation_failed").Into(&p)
		if diff := cmp.Diff([]struct{ Field string }{{field}}, p.Errors); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", query, diff)
		}
	}
	f.do("GET", "?limit=%FF", nil).Want(http.StatusBadRequest, "malformed_query")
}

// TestList_TooManyEntries lists a folder that is slow in Nextcloud itself.
func TestList_TooManyEntries(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t))
	f.fill(1000, 70_000, nil)
	f.do("GET", "?limit=1", nil).Want(http.StatusConflict, "folder_too_large")
}

// TestList_MemoryIsBounded measures the memory in use while four large folders are listed at
// once. It is not parallel because it measures the process.
func TestList_MemoryIsBounded(t *testing.T) {
	const most, atOnce, n = 48 << 20, 4, 40_000 // whole listings would take 80 MiB
	f := newFixture(t, storetest.SQLite(t))
	inUse := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := inUse()
	var mu sync.Mutex
	var peak uint64
	calls := 0
	f.fill(n, 1, func() {
		mu.Lock()
		defer mu.Unlock()
		if calls++; calls%20 == 0 {
			peak = max(peak, inUse())
		}
	})
	var wg sync.WaitGroup
	answers := make([]functionstest.Answer, atOnce)
	for i := range answers {
		wg.Go(func() { answers[i] = f.do("GET", "", nil) })
	}
	wg.Wait()
	for _, a := range answers {
		if a.Status != http.StatusOK || len(a.Body) > endpoint.MaxPage || a.Header.Get("Link") == "" {
			t.Errorf("got %d with %d bytes", a.Status, len(a.Body))
		}
	}
	if used := peak - min(before, peak); used > most {
		t.Errorf("%d concurrent listings of %d entries use %d bytes", atOnce, n, used)
	} else {
		t.Logf("%d MiB in use", used>>20)
	}
}
