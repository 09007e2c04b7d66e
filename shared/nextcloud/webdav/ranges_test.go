package webdav_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
)

// answering returns the folder of a server that sends the same answer to every request, and
// the header of the last request.
func answering(t *testing.T, status int, header map[string]string, body string) (f *webdav.Folder, asked *http.Header) {
	t.Helper()
	asked = &http.Header{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = r.Header
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		if r.Method == http.MethodGet {
			io.WriteString(w, body)
		}
	}))
	t.Cleanup(server.Close)
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := webdav.New(webdav.Config{URL: base})
	t.Cleanup(client.Close)
	return client.Folder("ada", "app password"), asked
}

func TestGet_RequestsByteRangesOnly(t *testing.T) {
	t.Parallel()
	f, asked := answering(t, http.StatusOK, map[string]string{"ETag": `"x"`}, "all of it")
	const beyond = "bytes=9223372036854775807-"
	for _, test := range []struct{ sent, ifRange, want string }{
		{"bytes=0-4", "", "bytes=0-4"},
		{"bytes=5-", "", "bytes=5-"},
		{"bytes=-5", "", "bytes=-5"},
		{"Bytes=00-04", "", "bytes=0-4"},
		{"bytes= 0-1 ,\t3-4,,", "", "bytes=0-1,3-4"},
		{"bytes=0-0,-1", "", "bytes=0-0,-1"},
		{"bytes=0-0,2-", "", "bytes=0-0,2-"},
		{"bytes=-0", "", beyond},
		{"bytes=-0,-0", "", beyond},
		{"bytes=-0,0-1", "", "bytes=0-1"},
		{"bytes=99999999999999999999-", "", beyond},
		{"bytes=0-99999999999999999999", "", "bytes=0-"},
		{"bytes=-99999999999999999999", "", "bytes=-9223372036854775807"},
		{"bytes=" + strings.Repeat(" ,", 100) + "0-1", "", "bytes=0-1"},

		{"", "", ""},
		{"bytes", "", ""},
		{"bytes=", "", ""},
		{"bytes=,", "", ""},
		{"bytes=-", "", ""},
		{"bytes=4-2", "", ""},
		{"bytes=0-1,4-2", "", ""},
		{"bytes=+1-2", "", ""},
		{"bytes=1-+2", "", ""},
		{"bytes=--2", "", ""},
		{"bytes=1-2-3", "", ""},
		{"bytes=0x1-2", "", ""},
		{"bytes=a-b", "", ""},
		{"bytes=0 - 1", "", ""},
		{"bytes =0-1", "", ""},
		{"bytes:0-1", "", ""},
		{"bytes=٣-٤", "", ""},
		{"0-1", "", ""},
		{"lines=0-1", "", ""},
		{"none", "", ""},
		{"bytesx=0-1", "", ""},
		{"bytes=0-5,5-9", "", ""}, // overlap
		{"bytes=5-9,0-4", "", ""}, // out of order
		{"bytes=0-,0-", "", ""},   // twice the file
		{"bytes=-5,0-1", "", ""},  // may overlap
		{"bytes=-5,-5", "", ""},   //
		{manyRanges(17), "", ""},  //
		{manyRanges(16), "", manyRanges(16)},

		{"bytes=0-4", `"x"`, "bytes=0-4"},
		{"bytes=0-4", "Mon, 23 Nov 2026 22:36:20 GMT", "bytes=0-4"},
		{"bytes=0-4", `W/"x"`, ""},
		{"bytes=0-4", "yesterday", ""},
		{"bytes=0-4", "*", ""},
	} {
		sent := http.Header{}
		if test.sent != "" {
			sent.Set("Range", test.sent)
		}
		if test.ifRange != "" {
			sent.Set("If-Range", test.ifRange)
		}
		d, err := f.Get(t.Context(), at(t, "a"), sent)
		must(t, err)
		must(t, d.Body.Close())
		wantIfRange := ""
		if test.want != "" {
			wantIfRange = test.ifRange
		}
		if asked.Get("Range") != test.want || asked.Get("If-Range") != wantIfRange {
			t.Errorf("%.60q with If-Range %q: sent %q with If-Range %q, want %q", test.sent, test.ifRange, asked.Get("Range"), asked.Get("If-Range"), test.want)
		}
	}
	for name, sent := range map[string]http.Header{
		"two headers":      {"Range": {"bytes=0-1", "bytes=3-4"}},
		"two conditions":   {"Range": {"bytes=0-1"}, "If-Range": {`"x"`, `"y"`}},
		"only a condition": {"If-Range": {`"x"`}},
	} {
		d, err := f.Get(t.Context(), at(t, "a"), sent)
		must(t, err)
		must(t, d.Body.Close())
		if asked.Get("Range") != "" || asked.Get("If-Range") != "" {
			t.Errorf("%s: sent %v", name, *asked)
		}
	}
	d, err := f.Head(t.Context(), at(t, "a"), http.Header{"Range": {"bytes=0-1"}, "If-Range": {`"x"`}})
	must(t, err)
	must(t, d.Body.Close())
	if asked.Get("Range") != "" || asked.Get("If-Range") != "" {
		t.Errorf("HEAD: sent %v", *asked)
	}
}

func manyRanges(n int) string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = strings.Repeat("1", i+1) + "-" + strings.Repeat("1", i+1)
	}
	return "bytes=" + strings.Join(texts, ",")
}

// TestGet_VerifiesTheReturnedRange has a server that sends invalid answers. None of them
// reaches a client.
func TestGet_VerifiesTheReturnedRange(t *testing.T) {
	t.Parallel()
	const content, multipart = "0123456789", "multipart/byteranges; boundary=x"
	for _, test := range []struct {
		name, asked, part, kind, length, body string
		status                                int    // of the answer; 0 for 206
		want                                  string // the body that the client returns; "!" for an error
		wantPart                              string
	}{
		{name: "the requested part", asked: "bytes=2-4", part: "bytes 2-4/10", body: "234", want: "234", wantPart: "bytes 2-4/10"},
		{name: "to the end", asked: "bytes=8-20", part: "bytes 8-9/10", body: "89", want: "89", wantPart: "bytes 8-9/10"},
		{name: "the unit in upper case", asked: "bytes=2-4", part: "Bytes 2-4/10", body: "234", want: "234", wantPart: "bytes 2-4/10"},
		{name: "more at the end", asked: "bytes=2-4", part: "bytes 2-9/10", body: "23456789", want: "234", wantPart: "bytes 2-4/10"},
		{name: "the whole file as a part", asked: "bytes=0-0", part: "bytes 0-9/10", body: content, want: "0", wantPart: "bytes 0-0/10"},
		{name: "the empty file as a part", asked: "bytes=-5", part: "bytes 0--1/0", want: ""},
		{name: "several parts", asked: "bytes=0-1,4-5", kind: multipart, body: "--x--", want: "--x--"},
		{name: "one of several parts", asked: "bytes=0-1,40-50", part: "bytes 0-1/10", body: "01", want: "01", wantPart: "bytes 0-1/10"},
		{name: "the whole file instead", asked: "bytes=2-4", status: 200, body: content, want: content},

		{name: "no Content-Range", asked: "bytes=2-4", body: "234", want: "!"},
		{name: "no range requested", part: "bytes 2-4/10", body: "234", want: "!"},
		{name: "another part", asked: "bytes=2-4", part: "bytes 3-5/10", body: "345", want: "!"},
		{name: "a part that begins earlier", asked: "bytes=2-4", part: "bytes 1-4/10", body: "1234", want: "!"},
		{name: "a shorter part", asked: "bytes=2-4", part: "bytes 2-3/10", body: "23", want: "!"},
		{name: "another end", asked: "bytes=-3", part: "bytes 6-9/10", body: "6789", want: "!"},
		{name: "an empty part", asked: "bytes=-3", part: "bytes 10-9/10", want: "!"},
		{name: "beyond the end", asked: "bytes=8-11", part: "bytes 8-11/10", body: "89ab", want: "!"},
		{name: "a reversed range", asked: "bytes=2-4", part: "bytes 4-2/10", body: "234", want: "!"},
		{name: "another Content-Length", asked: "bytes=2-4", part: "bytes 2-4/10", length: "4", body: "2345", want: "!"},
		{name: "unknown file size", asked: "bytes=2-4", part: "bytes 2-4/*", body: "234", want: "!"},
		{name: "no file size", asked: "bytes=2-4", part: "bytes 2-4", body: "234", want: "!"},
		{name: "no end", asked: "bytes=2-4", part: "bytes 2-/10", body: "234", want: "!"},
		{name: "a sign before the size", asked: "bytes=2-4", part: "bytes 2-4/+10", body: "234", want: "!"},
		{name: "another unit", asked: "bytes=2-4", part: "lines 2-4/10", body: "234", want: "!"},
		{name: "garbage", asked: "bytes=2-4", part: "x", body: "234", want: "!"},
		{name: "an unsatisfied range", asked: "bytes=2-4", part: "bytes */10", body: "234", want: "!"},
		{name: "several parts for one", asked: "bytes=2-4", kind: multipart, body: "--x--", want: "!"},
		{name: "another type for several parts", asked: "bytes=0-1,4-5", kind: "text/html", body: "hello", want: "!"},
		{name: "416 without a range", status: 416, body: "<html>", want: "!"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			header := map[string]string{"ETag": `"x"`, "Content-Type": "text/plain"}
			for name, value := range map[string]string{"Content-Range": test.part, "Content-Type": test.kind, "Content-Length": test.length} {
				if value != "" {
					header[name] = value
				}
			}
			status := test.status
			if status == 0 {
				status = http.StatusPartialContent
			}
			f, _ := answering(t, status, header, test.body)
			sent := http.Header{}
			if test.asked != "" {
				sent.Set("Range", test.asked)
			}
			d, err := f.Get(t.Context(), at(t, "a"), sent)
			if test.want == "!" {
				if !errors.Is(err, ocs.ErrBadAnswer) {
					t.Errorf("got %+v, %v, want a bad answer", d, err)
				}
				return
			}
			must(t, err)
			body, err := io.ReadAll(d.Body)
			must(t, errors.Join(err, d.Body.Close()))
			wantStatus := status
			if test.wantPart == "" && test.kind == "" {
				wantStatus = http.StatusOK
			}
			if d.Status != wantStatus || string(body) != test.want || d.Size != int64(len(test.want)) || d.Header.Get("Content-Range") != test.wantPart {
				t.Errorf("got %d %q, %d bytes, %v", d.Status, body, d.Size, d.Header)
			}
		})
	}
}

// TestGet_RepeatsTheRequestIfIfRangeFails: sabre/dav accepts every date that is not before the
// file's, so a client would combine parts of two versions.
func TestGet_RepeatsTheRequestIfIfRangeFails(t *testing.T) {
	t.Parallel()
	const modified, later = "Mon, 23 Nov 2026 22:36:20 GMT", "Mon, 23 Nov 2026 22:36:21 GMT"
	for ifRange, want := range map[string]int{modified: 206, later: 200, `"x"`: 206, `"y"`: 200} {
		asked := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked++
			w.Header().Set("ETag", `"x"`)
			w.Header().Set("Last-Modified", modified)
			if r.Header.Get("Range") == "" {
				io.WriteString(w, "0123456789")
				return
			}
			w.Header().Set("Content-Range", "bytes 2-4/10")
			w.WriteHeader(http.StatusPartialContent)
			io.WriteString(w, "234")
		}))
		defer server.Close()
		base, err := url.Parse(server.URL)
		must(t, err)
		client := webdav.New(webdav.Config{URL: base})
		defer client.Close()
		d, err := client.Folder("ada", "app password").Get(t.Context(), at(t, "a"), http.Header{"Range": {"bytes=2-4"}, "If-Range": {ifRange}})
		must(t, err)
		must(t, d.Body.Close())
		if d.Status != want || asked != map[int]int{206: 1, 200: 2}[want] {
			t.Errorf("If-Range %s: got %d after %d requests, want %d", ifRange, d.Status, asked, want)
		}
	}
}
