package account

import (
	"fmt"
	"unicode"

	"golang.org/x/text/secure/precis"
)

// isControl reports characters that could break a log line, a mail header or a
// page.
func isControl(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}

// isIgnorable reports Default_Ignorable_Code_Point (UAX 44 section 5.2): what is
// not shown where it has no effect, such as zero-width spaces, soft hyphens,
// fillers, variation selectors and tags.
func isIgnorable(r rune) bool {
	if unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
		return true
	}
	return unicode.Is(unicode.Cf, r) && !unicode.In(r, unicode.Prepended_Concatenation_Mark) &&
		(r < '\ufff9' || r > '\ufffb') && (r < '\U00013430' || r > '\U0001343f')
}

// isBlank reports characters that have no property to say so, and show nothing: an
// empty Braille cell, the place of an object, a note without a head, a filler.
func isBlank(r rune) bool {
	return r == '\u2800' || r == '\ufffc' || r == '\U0001d159' || r == '\U00016fe4'
}

// isVisible reports whether r says something by itself. What has no business in a
// name counts, so that it is refused.
func isVisible(r rune) bool { return !isIgnorable(r) && !isBlank(r) && r != ' ' }

// describeRefused names, for people, the first character of s that keeps it out of
// the profile.
func describeRefused(s string, p *precis.Profile) string {
	allowed := p.Allowed()
	for _, r := range s {
		what := ""
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
