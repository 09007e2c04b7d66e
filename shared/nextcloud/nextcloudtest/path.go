package nextcloudtest

import (
	"net/url"
	"path"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	maxFileName = 250 // bytes of a name
	maxNewName  = 227 // of a new file by PUT, which gets a suffix during the upload
)

// split parses an escaped path below a user's root. It resolves raw dots, as the
// web server does; escaped ones are invalid names. If a name is invalid, it
// returns nil and the answer.
func split(escaped string) (names []string, refused *davFault) {
	escaped = strings.TrimPrefix(path.Clean("/"+escaped), "/")
	if escaped == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(escaped, "/") {
		plain, err := url.PathUnescape(part)
		if err != nil {
			return nil, &davFault{400, "BadRequest", "Bad path"}
		}
		if !utf8.ValidString(plain) { // taken as Latin-1
			runes := make([]rune, 0, len(plain))
			for _, b := range []byte(plain) {
				runes = append(runes, rune(b))
			}
			plain = string(runes)
		}
		names = append(names, norm.NFC.String(plain))
	}
	for _, name := range names {
		if f := refuseName(name); f != nil {
			return nil, f
		}
	}
	return names, nil
}

// refuseName returns the answer for an invalid name in a path, or nil.
func refuseName(name string) *davFault {
	switch {
	case strings.ContainsRune(name, '\\') || strings.IndexFunc(name, func(r rune) bool { return r < ' ' }) >= 0:
		return &davFault{400, "InvalidPath", "File name contains at least one invalid character"}
	case name == "." || name == "..":
		return &davFault{400, "InvalidPath", "Dot files are not allowed"}
	}
	return nil
}

// refuseNew returns the answer for an invalid name of a new node, or nil.
func refuseNew(name string, put bool) *davFault {
	switch {
	case len(name) > maxFileName:
		return &davFault{400, "InvalidPath", "File name is too long"}
	case put && len(name) > maxNewName:
		return &davFault{500, "!Exception", "Error while copying file to target location"}
	case strings.EqualFold(name, ".htaccess"):
		return &davFault{403, "Forbidden", ""}
	case strings.HasSuffix(name, ".part"):
		return locked(name)
	}
	return nil
}

func locked(name string) *davFault {
	return &davFault{423, "!OCA\\DAV\\Connector\\Sabre\\Exception\\FileLocked", `"` + name + `" is locked`}
}

// A davFault is an error response. A class with an exclamation mark is not one of
// Sabre.
type davFault struct {
	status  int
	class   string
	message string
}
