package apikey_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/identity/apikey"
)

// TestNew checks the documented form, which secret scanners know.
func TestNew(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^va_[0-9A-Za-z]{49}$`)
	seen := map[string]bool{}
	for range 1000 {
		plain, digest, prefix := apikey.New()
		text := plain.Reveal()
		if !form.MatchString(text) || !strings.HasPrefix(text, prefix) || len(prefix) != 11 || seen[text] || !apikey.Is(text) {
			t.Fatalf("New: %q, prefix %q", text, prefix)
		}
		seen[text] = true
		if got, err := apikey.Parse(text); err != nil || got != digest {
			t.Fatalf("Parse(New) = %x, %v; want %x", got, err, digest)
		}
	}
}

// TestParse_RejectsTypos changes, swaps and removes every character of a key.
func TestParse_RejectsTypos(t *testing.T) {
	t.Parallel()
	plain, _, _ := apikey.New()
	text := plain.Reveal()
	typos := []string{"", "va_", text + "0", " " + text, strings.ToUpper(text[:3]) + text[3:]}
	for i := range text {
		typos = append(typos, text[:i]+text[i+1:])
		other := "0"
		if text[i] == '0' {
			other = "1"
		}
		typos = append(typos, text[:i]+other+text[i+1:])
		if i > 0 && text[i] != text[i-1] {
			typos = append(typos, text[:i-1]+text[i:i+1]+text[i-1:i]+text[i+1:])
		}
	}
	for _, typo := range typos {
		if _, err := apikey.Parse(typo); !errors.Is(err, apikey.ErrInvalid) {
			t.Errorf("Parse(%q) for %q: %v", typo, text, err)
		}
	}
}

func TestParseScopes(t *testing.T) {
	t.Parallel()
	got, err := apikey.ParseScopes([]string{"sessions:read", "files:read", "sessions:read"})
	if err != nil || got.String() != "files:read sessions:read" || apikey.ScopesOf(got.String()).String() != got.String() {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range [][]string{nil, {}, {"admin"}, {"files:read", ""}, {"files:read sessions:read"}, {"FILES:READ"}} {
		if _, err := apikey.ParseScopes(bad); !errors.Is(err, apikey.ErrBadScopes) {
			t.Errorf("ParseScopes(%q) = %v", bad, err)
		}
	}
}
