package account_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/voiceassist/gateway/shared/identity/account"
)

func TestSearchKeys(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		email account.Email
		name  string
		want  []string
	}{
		{"ada@example.org", "", []string{"ada@example.org"}},
		{"ada@example.org", "Ada", []string{"ada", "ada@example.org"}},
		{"ada@example.org", "Ada KING Lovelace", []string{
			"ada king lovelace", "ada@example.org", "king lovelace ada", "lovelace ada king",
		}},
		{"bob@bücher.example", "", []string{"bob@bücher.example", "bob@xn--bcher-kva.example"}},
		{"x@example.org", "Jean-Luc Ó Ｂriain", []string{
			"briain jean-luc ó", "jean-luc ó briain", "luc ó briain jean-", "x@example.org", "ó briain jean-luc",
		}},
		{"x@example.org", "❤️ Ada, 2nd", []string{"2nd ❤ ada,", "ada, 2nd ❤", "x@example.org", "❤ ada, 2nd"}},
		{"x@example.org", "हिन्दी", []string{"x@example.org", "हिन्दी"}}, // vowel signs are no letters
		{"x@example.org", "x@example.org", []string{"example.org x@", "org x@example.", "x@example.org"}},
		{"x@example.org", "a b c d e f g h i j", []string{
			"a b c d e f g h i j", "b c d e f g h i j a", "c d e f g h i j a b", "d e f g h i j a b c", "e f g h i j a b c d",
			"f g h i j a b c d e", "g h i j a b c d e f", "h i j a b c d e f g", "x@example.org",
		}},
	} {
		if got := account.SearchKeys(test.email, test.name); !slices.Equal(got, test.want) {
			t.Errorf("%s %q: got %q, want %q", test.email, test.name, got, test.want)
		}
	}
}

// TestSearchKeys_AreBounded takes a letter that folding makes 18 letters of.
func TestSearchKeys_AreBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ﷺ", account.MaxName)
	keys := account.SearchKeys("x@example.org", long)
	if len(keys) > 10 {
		t.Errorf("got %d keys", len(keys))
	}
	for _, key := range keys {
		if len(key) > 254 || !utf8.ValidString(key) {
			t.Errorf("got key %q of %d bytes", key, len(key))
		}
	}
	if prefix := account.SearchPrefix(long); !slices.Contains(keys, prefix) {
		t.Errorf("the whole name, %q, does not find it", prefix)
	}
}

func FuzzSearchKeys(f *testing.F) {
	f.Add("Ada King Lovelace")
	f.Add("❤️ ﷺ  o'Brien-ß")
	f.Fuzz(func(t *testing.T, name string) {
		prefix := account.SearchPrefix(name)
		if again := account.SearchPrefix(prefix); again != prefix {
			t.Errorf("%q becomes %q, and then %q", name, prefix, again)
		}
		keys := account.SearchKeys("x@example.org", name)
		if prefix != "" && !slices.ContainsFunc(keys, func(key string) bool { return strings.HasPrefix(key, prefix) }) {
			t.Errorf("%q does not find the name %q with the keys %q", prefix, name, keys)
		}
		if len(keys) > 9 || slices.Contains(keys, "") {
			t.Errorf("%q has the keys %q", name, keys)
		}
	})
}
