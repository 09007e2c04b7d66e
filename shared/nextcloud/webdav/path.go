package webdav

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/nextcloud/internal/transport"
)

// The limits of a path. Nextcloud fails for names of new files from 228 bytes, and stores
// 4000 characters of a path.
const (
	MaxName = 200  // bytes of one name
	MaxPath = 3000 // bytes of the path
)

// Errors of [ParsePath] and [ParseEscaped].
var (
	ErrBadPath = fault.New(fault.Invalid, "invalid_path",
		"A path consists of names in UTF-8, separated by slashes. No name can be empty, . or .., or contain a slash, a backslash or a control character.")
	ErrNameTooLong = fault.New(fault.Invalid, "name_too_long", "A name can have at most 200 bytes of UTF-8, a path 3000.")
	ErrReserved    = fault.New(fault.Invalid, "name_reserved",
		"Nextcloud reserves this name: .htaccess, and names that end in .part or .filepart.")
)

// A Path names a file or a folder below the user's folder, which is the zero Path. It is
// relative, in Unicode normalization form C, and cannot leave the folder. Paths can be
// compared with ==.
type Path struct{ text string }

// ParsePath parses an unescaped path: "Documents/a b.txt". It ignores one leading and one
// trailing slash.
func ParsePath(s string) (Path, error) {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "/"), "/")
	if s == "" {
		return Path{}, nil
	}
	return join(strings.Split(s, "/"))
}

// ParseEscaped parses a path of a URL, in which each name is escaped (RFC 3986 section 3.3):
// "Documents/a%20b.txt". It rejects escaped slashes.
func ParseEscaped(s string) (Path, error) {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "/"), "/")
	if s == "" {
		return Path{}, nil
	}
	names := strings.Split(s, "/")
	for i, name := range names {
		plain, err := url.PathUnescape(name)
		if err != nil || strings.Contains(plain, "/") {
			return Path{}, ErrBadPath
		}
		names[i] = plain
	}
	return join(names)
}

func join(names []string) (Path, error) {
	for i, name := range names {
		if !utf8.ValidString(name) {
			return Path{}, ErrBadPath
		}
		names[i] = norm.NFC.String(name)
		if err := checkName(names[i]); err != nil {
			return Path{}, err
		}
	}
	text := strings.Join(names, "/")
	if len(text) > MaxPath {
		return Path{}, ErrNameTooLong
	}
	return Path{text}, nil
}

func checkName(name string) error {
	lower := strings.ToLower(name)
	switch {
	case !defense.FilePaths:
		return nil
	case name == "", name == ".", name == "..":
		return ErrBadPath
	case strings.ContainsRune(name, '\\'), strings.ContainsFunc(name, unicode.IsControl):
		return ErrBadPath
	case len(name) > MaxName:
		return ErrNameTooLong
	case lower == ".htaccess", strings.HasSuffix(lower, ".part"), strings.HasSuffix(lower, ".filepart"):
		return ErrReserved
	}
	return nil
}

// String returns the unescaped path, "" for the folder itself.
func (p Path) String() string { return p.text }

// Escaped returns the path for a URL.
func (p Path) Escaped() string {
	names := p.segments()
	for i, name := range names {
		names[i] = transport.Escape(name)
	}
	return strings.Join(names, "/")
}

// IsRoot reports whether p is the folder itself.
func (p Path) IsRoot() bool { return p.text == "" }

// Name returns the last name of the path.
func (p Path) Name() string { return p.text[strings.LastIndexByte(p.text, '/')+1:] }

// Holds reports whether q is p, or is below p.
func (p Path) Holds(q Path) bool {
	return p.IsRoot() || p == q || strings.HasPrefix(q.text, p.text+"/")
}

// parent returns the folder that contains p.
func (p Path) parent() Path { return Path{p.text[:max(0, strings.LastIndexByte(p.text, '/'))]} }

// child returns the path of an entry of p. The name is from the server, and is not
// checked.
func (p Path) child(name string) Path {
	if p.IsRoot() {
		return Path{name}
	}
	return Path{p.text + "/" + name}
}

func (p Path) segments() []string {
	if p.IsRoot() {
		return nil
	}
	return strings.Split(p.text, "/")
}
