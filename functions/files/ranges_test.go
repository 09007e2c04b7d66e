package files_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// A ranged is the response to a range request, in comparable form.
type ranged struct {
	Status int
	Range  string   // Content-Range
	Parts  []string // the bodies, each with its Content-Range where there are several
}

func rangedOf(t *testing.T, status int, header http.Header, body string) ranged {
	t.Helper()
	r := ranged{Status: status, Range: header.Get("Content-Range")}
	kind, parameters, err := mime.ParseMediaType(header.Get("Content-Type"))
	switch {
	case status >= 400:
		return r
	case err != nil || kind != "multipart/byteranges":
		r.Parts = []string{body}
		return r
	}
	for parts := multipart.NewReader(strings.NewReader(body), parameters["boundary"]); ; {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return r
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		r.Parts = append(r.Parts, part.Header.Get("Content-Range")+" "+string(text))
	}
}

// TestRead_Ranges compares with net/http on the same file, except where net/http differs from
// RFC 9110 or where another response is better.
func TestRead_Ranges(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t))
	modified := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, content := range []string{"", "0", "0123456789"} {
		path := fmt.Sprintf("f%d", len(content))
		f.do("PUT", path, content).Want(http.StatusCreated, "")
		whole := ranged{Status: http.StatusOK, Parts: []string{content}}
		none := ranged{Status: http.StatusRequestedRangeNotSatisfiable, Range: fmt.Sprintf("bytes */%d", len(content))}
		if content == "" {
			none = whole // a server may ignore any range, and there is nothing to leave out
		}
		ours := map[string]ranged{
			"lines=0-1": whole, "x": whole, "bytes": whole, "bytes 0-1": whole, // net/http answers 416
			"bytes=4-2": whole, "bytes=a-b": whole, "bytes=-": whole, "bytes=1-2-3": whole, "bytes=--1": whole,
			"bytes=0x0-1": whole, "bytes=": whole, "bytes=,": whole,
			"bytes=-0": none, "bytes=-0,-0": none, // net/http answers with a part of no bytes
			"bytes=0-5,2-4": whole, "bytes=2-4,0-1": whole, "bytes=-2,0-0": whole, "bytes=0-,0-": whole,
			"bytes=-99999999999999999999":  {http.StatusPartialContent, fmt.Sprintf("bytes 0-%d/%d", len(content)-1, len(content)), []string{content}},
			"bytes=99999999999999999999-":  none,
			"bytes=-1":                     {http.StatusPartialContent, fmt.Sprintf("bytes %d-%d/%d", len(content)-1, len(content)-1, len(content)), []string{content[max(0, len(content)-1):]}},
			"bytes=-5":                     {http.StatusPartialContent, fmt.Sprintf("bytes %d-%d/%d", max(0, len(content)-5), len(content)-1, len(content)), []string{content[max(0, len(content)-5):]}},
			"BYTES=0-0":                    {http.StatusPartialContent, fmt.Sprintf("bytes 0-0/%d", len(content)), []string{content[:min(1, len(content))]}},
			"bytes=0-99999999999999999999": {http.StatusPartialContent, fmt.Sprintf("bytes 0-%d/%d", len(content)-1, len(content)), []string{content}},
		}
		for _, header := range []string{
			"", "bytes=0-", "bytes=0-0", "bytes=0-1", "bytes=1-1", "bytes=2-4", "bytes=2-", "bytes=9-9", "bytes=9-", "bytes=10-", "bytes=10-20",
			"bytes=0-9", "bytes=0-10", "bytes=5-100", "bytes=-2", "bytes=-10", "bytes=-11", "bytes=100-", "bytes= 0-1", "bytes=0-1,",
			"bytes=0-1,4-5", "bytes=0-0,2-", "bytes=0-1, 4-5 ,8-8", "bytes=0-0,20-30", "bytes=20-30,40-50",
		} {
			reference := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.Header.Set("Range", header)
			reference.Header().Set("Content-Type", "text/plain")
			http.ServeContent(reference, r, "", modified, bytes.NewReader([]byte(content)))
			ours[header] = rangedOf(t, reference.Code, reference.Header(), reference.Body.String())
		}
		for header, want := range ours {
			if content == "" {
				want = whole
			}
			a := f.do("GET", path, nil, functionstest.Header("Range", header))
			if diff := cmp.Diff(want, rangedOf(t, a.Status, a.Header, a.Body)); diff != "" {
				t.Errorf("%q of %d bytes (-want +got):\n%s", header, len(content), diff)
			}
			if length := a.Header.Get("Content-Length"); a.Status < 300 && length != fmt.Sprint(len(a.Body)) {
				t.Errorf("%q of %d bytes: got Content-Length %s, body of %d bytes", header, len(content), length, len(a.Body))
			}
			head := f.do("HEAD", path, nil, functionstest.Header("Range", header))
			if head.Status != http.StatusOK || head.Header.Get("Content-Range") != "" {
				t.Errorf("HEAD with %q: %d %v", header, head.Status, head.Header)
			}
		}
	}
}

func TestRead_IfRange(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t))
	stored := f.do("PUT", "a", "0123456789").Want(http.StatusCreated, "")
	got := f.do("GET", "a", nil)
	etag, modified := stored.Header.Get("ETag"), got.Header.Get("Last-Modified")
	at, err := http.ParseTime(modified)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, ifRange, asked string
		want                 int
	}{
		{"the tag", etag, "bytes=2-4", 206},
		{"another tag", `"x"`, "bytes=2-4", 200},
		{"the tag as a weak tag", "W/" + etag, "bytes=2-4", 200},
		{"the date", modified, "bytes=2-4", 206},
		{"an earlier date", at.Add(-time.Second).Format(http.TimeFormat), "bytes=2-4", 200},
		{"a later date", at.Add(time.Second).Format(http.TimeFormat), "bytes=2-4", 200},
		{"neither", "x", "bytes=2-4", 200},
		{"the tag, range after the end", etag, "bytes=10-", 416},
		{"another tag, range after the end", `"x"`, "bytes=10-", 200},
		{"another tag, empty range", `"x"`, "bytes=-0", 200},
		{"another tag, several ranges", `"x"`, "bytes=0-0,2-4", 200},
		{"the tag, several ranges", etag, "bytes=0-0,2-4", 206},
	} {
		a := f.do("GET", "a", nil, header("If-Range", test.ifRange), header("Range", test.asked))
		if a.Status != test.want || test.want == 200 && a.Body != "0123456789" {
			t.Errorf("%s: got %d %s, want %d", test.name, a.Status, a.Body, test.want)
		}
	}
	// Conditions come first (RFC 9110 section 13.2.2).
	f.do("GET", "a", nil, header("If-None-Match", etag), header("Range", "bytes=10-")).Want(http.StatusNotModified, "")
	f.do("GET", "a", nil, header("If-None-Match", etag), header("Range", "bytes=-0")).Want(http.StatusNotModified, "")
	f.do("GET", "a", nil, header("If-Match", `"x"`), header("Range", "bytes=10-")).Want(http.StatusPreconditionFailed, "precondition_failed")
}
