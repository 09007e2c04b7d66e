package account

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"
)

var errLongName = ErrBadName.WithDetail("Must be at most 100 characters long.")

// ParseName returns the name of a person in Unicode NFC without surrounding
// space. A name with nothing visible is the empty name, which means that none
// is given. Names follow OpaqueString (RFC 8265 section 4.2) with every space
// as U+0020. They may also contain emoji sequences, the joiners that some
// scripts need, and the middle dot between letters.
func ParseName(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", ErrBadName
	}
	s = strings.TrimSpace(strings.Map(normalizeSpace, norm.NFC.String(s)))
	if strings.IndexFunc(s, isVisible) < 0 {
		return "", nil
	}
	if utf8.RuneCountInString(s) > MaxName {
		return "", errLongName
	}
	text := stripScriptParts(stripEmojiParts(s))
	if _, err := precis.OpaqueString.String(text); err != nil || strings.IndexFunc(text, isBlank) >= 0 {
		return "", ErrBadName.WithDetail("Must not contain " + describeRefused(text, precis.OpaqueString) + ".").Because(err)
	}
	return s, nil
}

// normalizeSpace maps the spaces of all scripts to U+0020.
func normalizeSpace(r rune) rune {
	if unicode.Is(unicode.Zs, r) {
		return ' '
	}
	return r
}

// stripScriptParts returns s without characters that spelling requires but
// [precis.OpaqueString] does not allow: the joiner before a virama (Bengali ra
// and ya, The Unicode Standard section 12.2), and the dot between the parts of
// a Chinese transcription, which RFC 5892 appendix A.3 allows only between two
// l.
func stripScriptParts(s string) string {
	var b strings.Builder
	var before rune
	for i, r := range s {
		after := firstRune(s[i+utf8.RuneLen(r):])
		known := r == joiner && unicode.IsLetter(before) && isVirama(after) ||
			r == '·' && unicode.IsLetter(before) && unicode.IsLetter(after)
		if !known {
			b.WriteRune(r)
		}
		before = r
	}
	return b.String()
}

// isVirama reports whether r removes the vowel of the letter before it.
func isVirama(r rune) bool {
	const class = 9 // UAX 44 table 15
	return norm.NFC.PropertiesString(string(r)).CCC() == class
}

// Fold returns s in the form in which names and addresses are searched: texts
// that differ only in case, width, space or invisible characters are equal. It
// compares like the Nickname profile (RFC 8266 section 2.4), but also accepts
// parts of names, and refuses nothing.
func Fold(s string) string {
	s = strings.Map(func(r rune) rune {
		if isIgnorable(r) {
			return -1
		}
		return r
	}, s)
	s = norm.NFKC.String(strings.ToLower(norm.NFKC.String(s)))
	return strings.Join(strings.Fields(s), " ")
}
