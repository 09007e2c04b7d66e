package webdav_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
)

func TestParseEscaped(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, path, want string
		err              error
	}{
		{"the root", "", "", nil},
		{"the root with a slash", "/", "", nil},
		{"a file", "a.txt", "a.txt", nil},
		{"a file in a folder", "a/b/c.txt", "a/b/c.txt", nil},
		{"a folder", "a/b/", "a/b", nil},
		{"escaped characters", "a%20b%25%23%3F%2B%3Bc", "a b%#?+;c", nil},
		{"a plus sign is a plus sign", "a+b", "a+b", nil},
		{"unescaped only once", "%252e%252e", "%2e%2e", nil},
		{"emoji", "%F0%9F%8E%89", "🎉", nil},
		{"NFD becomes NFC", "a%CC%88.txt", "ä.txt", nil},
		{"three dots are a name", "...", "...", nil},
		{"a hidden file", ".hidden", ".hidden", nil},
		{"surrounding blanks", "%20a%20", " a ", nil},
		{"200 bytes", strings.Repeat("a", 200), strings.Repeat("a", 200), nil},
		{"201 bytes", strings.Repeat("a", 201), "", webdav.ErrNameTooLong},
		{"200 bytes of ä", strings.Repeat("%C3%A4", 100), strings.Repeat("ä", 100), nil},
		{"202 bytes of ä", strings.Repeat("%C3%A4", 101), "", webdav.ErrNameTooLong},
		{"3001 bytes in total", strings.Repeat(strings.Repeat("a", 149)+"/", 20) + "a", "", webdav.ErrNameTooLong},
		{"the parent", "..", "", webdav.ErrBadPath},
		{"the parent, escaped", "%2e%2E/x", "", webdav.ErrBadPath},
		{"the parent inside", "a/../b", "", webdav.ErrBadPath},
		{"the same folder", "a/./b", "", webdav.ErrBadPath},
		{"an empty name", "a//b", "", webdav.ErrBadPath},
		{"two slashes at the end", "a//", "", webdav.ErrBadPath},
		{"an escaped slash", "a%2fb", "", webdav.ErrBadPath},
		{"the parent behind an escaped slash", "%2e%2e%2fbob", "", webdav.ErrBadPath},
		{"a backslash", "a%5cb", "", webdav.ErrBadPath},
		{"the parent with a backslash", "..%5c..%5cbob", "", webdav.ErrBadPath},
		{"NUL", "a%00b", "", webdav.ErrBadPath},
		{"a line feed", "a%0ab", "", webdav.ErrBadPath},
		{"DEL", "a%7Fb", "", webdav.ErrBadPath},
		{"not UTF-8", "%ff%fe", "", webdav.ErrBadPath},
		{"an incomplete escape", "a%2", "", webdav.ErrBadPath},
		{".htaccess", "a/.htAccess", "", webdav.ErrReserved},
		{"a part of an upload", "a.PART", "", webdav.ErrReserved},
		{"a part of a browser's upload", "a.filepart", "", webdav.ErrReserved},
		{"a word that ends in part", "apart", "apart", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := webdav.ParseEscaped(tt.path)
			if !errors.Is(err, tt.err) || got.String() != tt.want {
				t.Errorf("ParseEscaped(%q) = %q, %v; want %q, %v", tt.path, got, err, tt.want, tt.err)
			}
		})
	}
}

func TestParsePath_DoesNotDecode(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"/a%20b/c d/": "a%20b/c d", "a+b": "a+b", "/": ""} {
		if got, err := webdav.ParsePath(text); err != nil || got.String() != want {
			t.Errorf("ParsePath(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
	if got, err := webdav.ParsePath("a/../../b"); err == nil {
		t.Errorf("got %q", got)
	}
}

func TestPath_Holds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		folder, path string
		want         bool
	}{
		{"", "", true}, {"", "a", true}, {"a", "a", true}, {"a", "a/b", true}, {"a", "ab", false}, {"a/b", "a", false},
	}
	for _, tt := range tests {
		p, err1 := webdav.ParsePath(tt.folder)
		q, err2 := webdav.ParsePath(tt.path)
		if err := errors.Join(err1, err2); err != nil || p.Holds(q) != tt.want {
			t.Errorf("%q.Holds(%q) = %v, %v", tt.folder, tt.path, p.Holds(q), err)
		}
	}
}

// Every parsed path stays below the folder, and parses to the same path from its URL.
func FuzzParseEscaped(f *testing.F) {
	for _, s := range []string{"a/b", "%2e%2e/x", "a%CC%88", "a%2fb", "%ff", "a//b", "+%2B"} {
		f.Add(s)
	}
	base := &url.URL{Scheme: "https", Host: "cloud.example", Path: "/nc"}
	folder := webdav.New(webdav.Config{URL: base}).Folder("ada", "")
	root := folder.URL(webdav.Path{})
	f.Fuzz(func(t *testing.T, s string) {
		p, err := webdav.ParseEscaped(s)
		if err != nil {
			return
		}
		text := p.String()
		if !utf8.ValidString(text) || !norm.NFC.IsNormalString(text) {
			t.Errorf("%q parses to %q", s, text)
		}
		made := folder.URL(p)
		u, err := url.Parse(made)
		if err != nil {
			t.Fatal(err)
		}
		below, ok := strings.CutPrefix(u.ResolveReference(&url.URL{}).String(), strings.TrimSuffix(root, "/"))
		if !ok {
			t.Fatalf("%q leads to %q", s, made)
		}
		again, err := webdav.ParseEscaped(below)
		if err != nil || again != p {
			t.Errorf("%q parses to %q, then to %q, %v", s, p, again, err)
		}
	})
}
