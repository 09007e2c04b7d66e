package account

import (
	"fmt"
	"unicode"

	"golang.org/x/text/secure/precis"
)

// isControl reports whether r could break a log line, a mail header or a page.
func isControl(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}

// isIgnorable reports whether r has the property Default_Ignorable_Code_Point
// (UAX 44 section 5.2). Such characters are invisible unless they take effect:
// zero-width spaces, soft hyphens, fillers, variation selectors, tags.
func isIgnorable(r rune) bool {
	if unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
		return true
	}
	return unicode.Is(unicode.Cf, r) && !unicode.In(r, unicode.Prepended_Concatenation_Mark) &&
		(r < '\ufff9' || r > '\ufffb') && (r < '\U00013430' || r > '\U0001343f')
}

// isBlank reports whether r is invisible although no property says so: the
// empty Braille cell, the object replacement character, the null notehead, a
// filler.
func isBlank(r rune) bool {
	return r == '\u2800' || r == '\ufffc' || r == '\U0001d159' || r == '\U00016fe4'
}

// isVisible reports whether r shows something by itself. Characters that names
// must not contain count as visible, so that they are refused.
func isVisible(r rune) bool { return !isIgnorable(r) && !isBlank(r) && r != ' ' }

// describeRefused describes, for people, the first character of s that the
// profile does not allow.
func describeRefused(s string, p *precis.Profile) string {
	allowed := p.Allowed()
	for _, r := range s {
		var what string
		switch {
		case isControl(r):
			what = "a control character"
		case unicode.Is(unicode.Co, r):
			what = "a character for private use"
		case unicode.Is(unicode.Cn, r): // noncharacters, too
			what = "which is no character"
		case isBlank(r) || isIgnorable(r):
			what = "a character that cannot be seen"
		case !allowed.Contains(r):
			what = "a character that is not allowed there"
		default:
			continue
		}
		return fmt.Sprintf("%U, %s", r, what)
	}
	return "a character that is not allowed beside its neighbours"
}
