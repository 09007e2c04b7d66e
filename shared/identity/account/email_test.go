package account_test

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/identity/account"
)

func TestParseEmail(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, in, want string }{
		{"a plain address", "ada@example.org", "ada@example.org"},
		{"mixed case", "Ada@EXAMPLE.org", "ada@example.org"},
		{"surrounding space", " ada@example.org\n", "ada@example.org"},
		{"with a tag", "ada+voice@example.org", "ada+voice@example.org"},
		{"every punctuation mark of RFC 5322", "!#$%&'*+-/=?^_`{|}~@example.org", "!#$%&'*+-/=?^_`{|}~@example.org"},
		{"decomposed letters", "rene\u0301@example.org", "rené@example.org"},
		{"punctuation and non-ASCII letters", "1é_@example.org", "1é_@example.org"},
		{"full-width letters", "ＡＤＡ＠ＥＸＡＭＰＬＥ．ｏｒｇ", "ada@example.org"},
		{"half-width kana", "ｱﾀﾞ@example.org", "アダ@example.org"},
		{"a capital with a dot", "İbrahim@example.org", "ibrahim@example.org"},
		{"Hebrew", "דוד@example.org", "דוד@example.org"},
		{"a joiner that Persian needs", "می\u200cخواهم@example.org", "می\u200cخواهم@example.org"},

		{"nothing", "", ""},
		{"no @", "ada.example.org", ""},
		{"two @", "ada@b@example.org", ""},
		{"two @, one of them full-width", "ada＠b@example.org", ""},
		{"no local part", "@example.org", ""},
		{"no domain", "ada@", ""},
		{"a display name", "Ada <ada@example.org>", ""},
		{"brackets", "<ada@example.org>", ""},
		{"full-width brackets", "＜ada@example.org＞", ""},
		{"a quoted local part", `"a b"@example.org`, ""},
		{"full-width quotes", "＂ab＂@example.org", ""},
		{"an address literal", "ada@[192.0.2.1]", ""},
		{"a space inside", "ada l@example.org", ""},
		{"an ideographic space inside", "ada\u3000l@example.org", ""},
		{"a comment", "ada(x)@example.org", ""},
		{"two addresses", "ada@example.org,bob@example.org", ""},
		{"a dot at the end of the local part", "ada.@example.org", ""},
		{"a full-width dot at its end", "ada．@example.org", ""},
		{"an ideographic full stop in it", "a。b@example.org", ""},
		{"a line break inside", "ada@example.org\r\nBcc: bob@example.org", ""},
		{"NUL", "ada\x00@example.org", ""},
		{"a bidirectional override", "ada\u202e@example.org", ""},
		{"mixed writing directions", "1דוד@example.org", ""},
		{"not UTF-8", "ada\xff@example.org", ""},
		{"a joiner without effect", "a\u200db@example.org", ""},
		{"a ligature", "ﬁ@example.org", ""},
		{"an emoji before the @", "😀@example.org", ""},
		{"64 bytes before the @", strings.Repeat("a", 64) + "@example.org", strings.Repeat("a", 64) + "@example.org"},
		{"65 bytes before the @", strings.Repeat("a", 65) + "@example.org", ""},
		{"64 bytes after normalization, 192 before", strings.Repeat("ａ", 64) + "@example.org", strings.Repeat("a", 64) + "@example.org"},
	} {
		got, err := account.ParseEmail(test.in)
		if string(got) != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s: got %q, %v, want %q", test.name, got, err, test.want)
		}
		if err != nil && !errors.Is(err, account.ErrBadEmail) {
			t.Errorf("%s: got %v", test.name, err)
		}
	}
}

// TestParseEmail_Domains checks the canonical form of the part after the @, given as
// U-labels and as A-labels.
func TestParseEmail_Domains(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 63)
	for _, test := range []struct{ name, in, shown, ascii string }{
		{"a U-label", "bücher.example", "bücher.example", "xn--bcher-kva.example"},
		{"its A-label", "xn--bcher-kva.example", "bücher.example", "xn--bcher-kva.example"},
		{"the A-label in upper case", "XN--BCHER-KVA.EXAMPLE", "bücher.example", "xn--bcher-kva.example"},
		{"the U-label in upper case", "BÜCHER.EXAMPLE", "bücher.example", "xn--bcher-kva.example"},
		{"decomposed", "bu\u0308cher.example", "bücher.example", "xn--bcher-kva.example"},
		{"one label of each", "bücher.xn--mnchen-3ya.example", "bücher.münchen.example", "xn--bcher-kva.xn--mnchen-3ya.example"},
		{"full-width letters", "ｂücher.ｅxample", "bücher.example", "xn--bcher-kva.example"},
		{"an ideographic full stop", "bücher。example", "bücher.example", "xn--bcher-kva.example"},
		{"a full-width full stop", "bücher．example", "bücher.example", "xn--bcher-kva.example"},
		{"a half-width full stop", "bücher｡example", "bücher.example", "xn--bcher-kva.example"},
		{"ß is not ss", "faß.example", "faß.example", "xn--fa-hia.example"},
		{"the A-label of ß", "xn--fa-hia.example", "faß.example", "xn--fa-hia.example"},
		{"a final sigma", "βόλος.example", "βόλος.example", "xn--nxasmm1c.example"},
		{"another sigma", "ΒΌΛΟΣ.example", "βόλοσ.example", "xn--nxasmq6b.example"},
		{"a capital İ", "İzmir.example", "i̇zmir.example", "xn--izmir-7fd.example"},
		{"a Kelvin sign", "\u212aelvin.example", "kelvin.example", "kelvin.example"},
		{"Hebrew", "דוגמה.example", "דוגמה.example", "xn--6dbbec0c.example"},
		{"the ZWNJ of Persian", "نامه\u200cای.example", "نامه\u200cای.example", "xn--mgba3gch31f060k.example"},
		{"the ZWJ of Hindi", "क्\u200dष.example", "क्\u200dष.example", "xn--11b2ezcw70k.example"},
		{"a Catalan dot", "col·legi.example", "col·legi.example", "xn--collegi-xma.example"},
		{"characters that UTS 46 removes", "bü\u00adcher\ufe0f.example", "bücher.example", "xn--bcher-kva.example"},
		{"an emoji stays an A-label", "💩.example", "xn--ls8h.example", "xn--ls8h.example"},
		{"an emoji given as A-label", "XN--LS8H.example", "xn--ls8h.example", "xn--ls8h.example"},
		{"an emoji among letters", "bücher.i♥.example", "bücher.xn--i-n3p.example", "xn--bcher-kva.xn--i-n3p.example"},
		{"one label", "localhost", "localhost", "localhost"},
		{"63 bytes in a label", long + ".example", long + ".example", long + ".example"},

		{"an empty label", "example..org", "", ""},
		{"a leading dot", ".example.org", "", ""},
		{"a trailing dot", "bücher.example.", "", ""},
		{"a trailing ideographic full stop", "bücher.example。", "", ""},
		{"64 bytes in a label", long + "a.example", "", ""},
		{"64 bytes in an A-label", strings.Repeat("a", 56) + "ü.example", "", ""},
		{"a leading hyphen", "-example.org", "", ""},
		{"a trailing hyphen", "example-.org", "", ""},
		{"hyphens reserved for A-labels", "ab--cd.example", "", ""},
		{"an underscore", "ex_ample.org", "", ""},
		{"an empty A-label", "xn--.example", "", ""},
		{"an A-label of ASCII", "xn--abc-.example", "", ""},
		{"an A-label of a control character", "xn--a.example", "", ""},
		{"an A-label with invalid Punycode", "xn--0.example", "", ""},
		{"an A-label of an upper-case letter", "xn--bcher-2pa.example", "", ""},
		{"a ZWNJ without effect", "a\u200cb.example", "", ""},
		{"a ZWJ without effect", "a\u200db.example", "", ""},
		{"an A-label of a ZWJ without effect", "xn--ab-j1t.example", "", ""},
		{"a leading combining mark", "\u0301a.example", "", ""},
		{"mixed writing directions", "1דוגמה.example", "", ""},
		{"an unassigned code point", "a\u0378.example", "", ""},
		{"a private-use character", "a\ue000.example", "", ""},
		{"a character that contains a dot", "a\u2488com", "", ""},
		{"a character that contains a slash", "\u2100.example", "", ""},
	} {
		e, err := account.ParseEmail("ada@" + test.in)
		if test.shown == "" {
			if !errors.Is(err, account.ErrBadEmail) {
				t.Errorf("%s: got %q, %v", test.name, e, err)
			}
			continue
		}
		if err != nil || string(e) != "ada@"+test.shown || e.ASCII() != "ada@"+test.ascii {
			t.Errorf("%s: got %q, %q, %v; want %q, %q", test.name, e, e.ASCII(), err, test.shown, test.ascii)
		}
	}
}

func TestParseEmail_CountsTheDomainInASCII(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("a", 54) + "ü" // 63 bytes as A-label
	if ascii, err := idna.ToASCII(label); err != nil || len(ascii) != 62 {
		t.Fatal(ascii, err)
	}
	domain := strings.Repeat(label+".", 3) + strings.Repeat("b", 60) // 3*63 + 60
	for local, ok := range map[string]bool{"abcd": true, "abcde": false} {
		if e, err := account.ParseEmail(local + "@" + domain); (err == nil) != ok {
			t.Errorf("%d bytes: got %q, %v", len(local)+1+3*63+60, e, err)
		}
	}
	cjk := strings.Repeat(strings.Repeat("例", 20)+".", 5) + "example" // 300 bytes and more before conversion
	if e, err := account.ParseEmail("a@" + cjk); err != nil || len(e.ASCII()) > account.MaxEmail || len(e) < account.MaxEmail {
		t.Errorf("got %q, %v", e, err)
	}
}

// TestParseEmail_LocalPartCharacters walks Unicode. No single code point passes that is
// invisible, not a character, or equivalent to another one.
func TestParseEmail_LocalPartCharacters(t *testing.T) {
	t.Parallel()
	for r := range characters() {
		if norm.NFC.String(string(r)) != string(r) {
			continue // equivalent to another character of the walk
		}
		e, err := account.ParseEmail("a" + string(r) + "b@example.org")
		if err != nil {
			continue
		}
		if r > unicode.MaxASCII && !unicode.In(r, unicode.L, unicode.M, unicode.Nd) && !fullWidth(r) && !exceptional(r) {
			t.Errorf("%U is accepted, as %q", r, e)
		}
		for _, r := range string(e) {
			if defaultIgnorable(r) || !unicode.IsGraphic(r) {
				t.Errorf("%U appears in %q", r, e)
			}
		}
		if again, err := account.ParseEmail(string(e)); err != nil || again != e {
			t.Errorf("%q changes to %q, %v", e, again, err)
		}
	}
}

// characters yields every code point except those of planes 4 to 13, which have no
// characters, and most of the private use planes 15 and 16, where all characters are
// alike. With go test -short it also omits most ideographs and syllables.
func characters() iter.Seq[rune] {
	return func(yield func(rune) bool) {
		for r := rune(0); r <= unicode.MaxRune; r++ {
			switch {
			case r == 0x40000:
				r = 0xe0000
			case r == 0xf0100:
				r = 0x10ff00
			case testing.Short() && r == 0x3500:
				r = 0x9f00
			case testing.Short() && r == 0xad00:
				r = 0xd700
			case testing.Short() && r == 0x20100:
				r = 0x3ff00
			}
			if !yield(r) {
				return
			}
		}
	}
}

// fullWidth reports whether r is a full-width variant of an ASCII character.
func fullWidth(r rune) bool { return '\uff01' <= r && r <= '\uff5e' }

// exceptional reports whether RFC 5892 section 2.6 allows r in addition to letters and
// digits.
func exceptional(r rune) bool { return strings.ContainsRune("\u06fd\u06fe\u0f0b\u3007", r) }

func TestParseEmail_ExplainsRejections(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"ada\u200b@example.org":                  "Must not contain, before the @, U+200B, a character that cannot be seen.",
		"ada\u00ad@example.org":                  "Must not contain, before the @, U+00AD, a character that cannot be seen.",
		"ada\u3164@example.org":                  "Must not contain, before the @, U+3164, a character that cannot be seen.",
		"ada\ufe0f@example.org":                  "Must not contain, before the @, U+FE0F, a character that cannot be seen.",
		"ada\ue000@example.org":                  "Must not contain, before the @, U+E000, a character for private use.",
		"ada\u0378@example.org":                  "Must not contain, before the @, U+0378, which is no character.",
		"ada\ufdd0@example.org":                  "Must not contain, before the @, U+FDD0, which is no character.",
		"a\x00@example.org":                      "Must not contain, before the @, U+0000, a control character.",
		"😀@example.org":                          "Must not contain, before the @, U+1F600, a character that is not allowed there.",
		"٣۳@example.org":                         "Must not contain, before the @, U+0663, a character that is not allowed there.",
		"1דוד@example.org":                       "Must not mix writing directions before the @.",
		"ada@ex_ample.org":                       "Must have a valid domain name after the @.",
		"ada@":                                   "Must have a valid domain name after the @.",
		strings.Repeat("a", 65) + "@example.org": "Must be at most 254 bytes long, at most 64 of them before the @, with the domain in its ASCII form.",
		strings.Repeat("a", 1e6):                 "Must be at most 254 bytes long, at most 64 of them before the @, with the domain in its ASCII form.",
		"ada":                                    account.ErrBadEmail.Detail,
	} {
		_, err := account.ParseEmail(in)
		if got := fault.Of(err); got == nil || got.Detail != want || got.Code != "invalid_email" {
			t.Errorf("%.40q: got %+v, want %q", in, got, want)
		}
	}
}

// FuzzParseEmail checks that a parsed address parses to itself and is found by its old
// spelling, its A-form and its capitals, that addresses are equal exactly if their A-forms
// are, and that they cannot break a line of a log or a mail.
func FuzzParseEmail(f *testing.F) {
	for _, s := range []string{
		"Ada@example.org", "rene\u0301@İstanbul.example", "a@b\u0345.c", "bob@xn--bcher-kva.example", "bob@ｂücher。example",
		"ａ＠faß.de", "a@xn--fa-hia.DE", "می\u200cخواهم@نامه\u200cای.com", "a@💩.la", "a@xn--abc-.org", "ΣΑΣ@ΒΌΛΟΣ.com", "a@col·legi.cat",
	} {
		f.Add(s, "bob@bücher.example")
	}
	f.Fuzz(func(t *testing.T, s, other string) {
		e, err := account.ParseEmail(s)
		if err != nil {
			return
		}
		for _, spelling := range []string{string(e), e.ASCII(), " " + string(e), strings.ReplaceAll(string(e), ".", "．")} {
			if again, err := account.ParseEmail(spelling); err != nil || again != e {
				t.Errorf("ParseEmail(%q) = %q; its spelling %q parses to %q, %v", s, e, spelling, again, err)
			}
		}
		if l, err := account.ParseEmailLookup(s); err != nil || l.Email != e || l.Key() != string(e) {
			t.Errorf("ParseLookup(%q) = %+v, %v", s, l, err)
		}
		ascii := e.ASCII()
		if strings.ContainsAny(string(e), "\r\n\x00 \"<>,;") || strings.Count(string(e), "@") != 1 || len(ascii) > account.MaxEmail {
			t.Errorf("ParseEmail(%q) = %q, %q", s, e, ascii)
		}
		if o, err := account.ParseEmail(other); err == nil && (o == e) != (o.ASCII() == ascii) {
			t.Errorf("%q and %q, but %q and %q", e, o, ascii, o.ASCII())
		}
	})
}

func TestParseLookup(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, email, spelled string }{
		{" Bob@XN--BCHER-KVA.example", "bob@bücher.example", "bob@xn--bcher-kva.example"},
		{"ＢＯＢ@bücher.example", "bob@bücher.example", "ｂｏｂ@bücher.example"},
		{"bob＠bücher.example", "bob@bücher.example", "bob@bücher.example"},
		{"😀@example.org", "", "😀@example.org"}, // such an account may exist
		{"a\u200b@example.org", "", "a\u200b@example.org"},
	} {
		got, err := account.ParseEmailLookup(test.in)
		want := account.EmailLookup{Email: account.Email(test.email), Legacy: account.Email(test.spelled)}
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", test.in, got, err, want)
		}
		if subject := got.Key(); subject == "" || test.email != "" && subject != test.email {
			t.Errorf("%q: got subject %q", test.in, subject)
		}
	}
	for _, in := range []string{"", "ada", "a\x00@example.org", "a\xff@example.org", "a\n@example.org", strings.Repeat("a", 255) + "@x"} {
		if got, err := account.ParseEmailLookup(in); !errors.Is(err, account.ErrBadEmail) {
			t.Errorf("%q: got %+v, %v", in, got, err)
		}
	}
}

func ExampleEmail() {
	for _, s := range []string{"Bob@Bücher.example", "bob@xn--bcher-kva.example"} {
		e, err := account.ParseEmail(s)
		fmt.Println(e, e.ASCII(), err)
	}
	// Output:
	// bob@bücher.example bob@xn--bcher-kva.example <nil>
	// bob@bücher.example bob@xn--bcher-kva.example <nil>
}
