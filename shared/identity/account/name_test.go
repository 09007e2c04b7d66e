package account_test

import (
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/identity/account"
)

func TestParseName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		" Ada  Lovelace ": "Ada  Lovelace", "": "", "Rene\u0301": "René", "李": "李",
		strings.Repeat("é", 100):   strings.Repeat("é", 100),
		"Ada\u00a0B\u3000C\u1680D": "Ada B C D",
	} {
		if got, err := account.ParseName(in); got != want || err != nil {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
	for _, in := range []string{
		strings.Repeat("a", 101), "a\nb", "a\x00", "a\u2028b", "a\u202eb", "a\xff", "\x00",
		"Ada\u200b", "A\u00adda", "Ada\u2060Lovelace", "Ada\u3164", "Ada\uffa0", "Ada\u115f", "Ada\u2800", "Ada\ufffc", "Ada\U0001d159",
		"Ada\ufe0f", "☆\ufe0f", "1\ufe0f", "葛\U000e0100", "ᠠ\u180b", "Ada\U000e0041", "🏴\U000e0067", "🏴\U000e0067\U000e0062\U000e007f",
		"🏴" + strings.Repeat("\U000e0061", 7) + "\U000e007f", "😀\U000e0067\U000e0062\U000e0065\U000e007f",
		"Ada\ue000", "\U0010fffd", "Ada\ufdd0", "Ada\U0001fffe", "Ada\u0378", "a\u200db", "a\u200cb", "👩\u200d", "\u200d👩", "👩\u200da",
		"👩\u200d\u200d👩", "❤\ufe0f\ufe0f", "🇩\ufe0f🇪", "1\ufe0f\u20e3\u200d❤", "ک\u200c", "\u202dAda", "Ada\u2066", "\ufeffAda",
	} {
		if got, err := account.ParseName(in); !errors.Is(err, account.ErrBadName) {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
}

func TestParseName_AcceptsRealNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"Ada ❤️", "Ada ❤︎", "Ada ❤", "👩\u200d👩\u200d👧\u200d👦", "👨🏽\u200d🚀 Neil", "👍🏿", "🇩🇪 Ada", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "🏳️\u200d🌈", "🏴\u200d☠️", "❤️\u200d🔥", "1️⃣", "#️⃣", "⛹🏿\u200d♂️", "⛹️\u200d♀️", "👩🏻\u200d❤️\u200d💋\u200d👨🏿", "🐻\u200d❄️", "©️ Ada",
		"می\u200cخواهم", "نیک\u200cنام", "علی\u200cرضا", "ශ්\u200dරී", "ക്\u200d", "क्\u200dष", "র\u200d্যাচেল", "ರ\u200d್ಕ", "न्\u200cन",
		"O’Neil", "O'Neil", "Jean-Luc", "Gal·la", "马克·吐温", "ジャン・リュック", "Müller, Dr.", "Ada (she/her)", "X Æ A-12", "50% Ada", "Đỗ Thị", "ק״ג", "李 ٣",
		"Ⅷ", "ﬁ", "①", "김철수", "ไทย", "မြန်မာ", "ខ្មែរ", "ᠠᠡ", "\u0301",
	} {
		if got, err := account.ParseName(name); err != nil || got != name {
			t.Errorf("%q (%+q): got %q, %v", name, name, got, err)
		}
	}
}

func TestParseName_InvisibleNameIsEmpty(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		" ", "\u200b", "\u3164", "\u2800\u2800", "\u00ad", "\ufe0f", "\u200d\u200c", " \u2060 ", "\u3000", "\U000e0041\U000e0042", "\u115f\u1160", "\ufffc", "\n",
	} {
		if got, err := account.ParseName(in); err != nil || got != "" {
			t.Errorf("%+q: got %+q, %v", in, got, err)
		}
	}
}

// TestParseName_Characters walks Unicode. No single code point passes that is invisible or
// not a character, and what passes stays unchanged.
func TestParseName_Characters(t *testing.T) {
	t.Parallel()
	for r := range characters() {
		for _, in := range []string{string(r), "a" + string(r) + "b", "a" + string(r), string(r) + "b", "❤" + string(r) + "b", "👩" + string(r) + "👩"} {
			name, err := account.ParseName(in)
			if err != nil {
				if unicode.IsLetter(r) && !defaultIgnorable(r) && in == string(r) && !rejectedLetter(r) {
					t.Fatalf("the letter %U is rejected", r)
				}
				continue
			}
			part := strings.HasPrefix(in, "❤") && (r == '\ufe0e' || r == '\ufe0f') ||
				strings.HasPrefix(in, "👩") && (r == '\ufe0e' || r == '\ufe0f' || r == '\u200d')
			for _, r := range name {
				if r != ' ' && !part && (defaultIgnorable(r) || !unicode.IsGraphic(r) || unicode.IsSpace(r)) {
					t.Fatalf("%U is accepted in %+q", r, in)
				}
			}
			if again, err := account.ParseName(name); err != nil || again != name {
				t.Fatalf("%+q changes to %+q, %v", name, again, err)
			}
		}
	}
}

// rejectedLetter reports whether RFC 8264 excludes the letter: the parts of Hangul syllables
// (section 9.9), which Unicode composes, and letters that stretch or repeat others (RFC 5892
// section 2.6).
func rejectedLetter(r rune) bool {
	return '\u1100' <= r && r <= '\u11ff' || '\ua960' <= r && r <= '\ua97f' || '\ud7b0' <= r && r <= '\ud7ff' ||
		strings.ContainsRune("\u0640\u07fa\u3031\u3032\u3033\u3034\u3035\u303b", r)
}

// defaultIgnorable reports whether r is a Default_Ignorable_Code_Point as
// DerivedCoreProperties.txt derives it.
func defaultIgnorable(r rune) bool {
	return unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Cf, unicode.Variation_Selector) &&
		!unicode.In(r, unicode.White_Space, unicode.Prepended_Concatenation_Mark) &&
		!('\ufff9' <= r && r <= '\ufffb') && !('\U00013430' <= r && r <= '\U0001343f')
}

func TestParseName_ExplainsRejections(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Ada\u200b":              "Must not contain U+200B, a character that cannot be seen.",
		"Ada ❤️\u2800":           "Must not contain U+2800, a character that cannot be seen.",
		"Ada\ufe0f":              "Must not contain U+FE0F, a character that cannot be seen.",
		"A\nda":                  "Must not contain U+000A, a control character.",
		"Ada\uf8ff":              "Must not contain U+F8FF, a character for private use.",
		"Ada\u0378":              "Must not contain U+0378, which is no character.",
		"a·":                     "Must not contain U+00B7, a character that is not allowed there.",
		strings.Repeat("a", 101): "Must be at most 100 characters long.",
		"a\xff":                  account.ErrBadName.Detail,
	} {
		_, err := account.ParseName(in)
		if got := fault.Of(err); got == nil || got.Detail != want || got.Code != "invalid_name" {
			t.Errorf("%q: got %+v, want %q", in, got, want)
		}
	}
}

// FuzzParseName checks that a parsed name parses again, and cannot break a line.
func FuzzParseName(f *testing.F) {
	f.Add("Ada ❤️")
	f.Add("🏴󠁧󠁢󠁳󠁣󠁴󠁿")
	f.Add("র\u200d্যাচেল 马克·吐温")
	f.Fuzz(func(t *testing.T, s string) {
		name, err := account.ParseName(s)
		if err != nil {
			return
		}
		if again, err := account.ParseName(name); err != nil || again != name {
			t.Errorf("ParseName(%q) = %q, which parses to %q, %v", s, name, again, err)
		}
		if strings.IndexFunc(name, unicode.IsControl) >= 0 {
			t.Errorf("ParseName(%q) = %q", s, name)
		}
		if folded := account.Fold(name); account.Fold(folded) != folded {
			t.Errorf("Fold(%q) = %q, which folds to %q", name, folded, account.Fold(folded))
		}
	})
}

func TestFold(t *testing.T) {
	t.Parallel()
	for _, equal := range [][]string{
		{"Ada  Lovelace", "ada lovelace", " ＡＤＡ\u3000Lovelace", "Ada\u200b Lovelace"},
		{"Ada ❤️", "ada ❤"}, {"ﬁn", "FIN"}, {"نیک\u200cنام", "نیکنام"}, {"RENÉ", "rene\u0301"}, {"ΣΑΣ", "σας"[:len("σα")] + "σ"},
	} {
		for _, s := range equal {
			if got, want := account.Fold(s), account.Fold(equal[0]); got != want {
				t.Errorf("%+q folds to %+q, %+q to %+q", s, got, equal[0], want)
			}
		}
	}
}
