package conversation_test

import (
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/conversation"
)

func TestParseTitle(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		" Weather ": "Weather", "rene\u0301": "rené", strings.Repeat("é", 200): strings.Repeat("é", 200),
	} {
		if got, err := conversation.ParseTitle(in); got != want || err != nil {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "  ", strings.Repeat("a", 201), "a\nb", "a\x00", "a\xff"} {
		if got, err := conversation.ParseTitle(in); err == nil {
			t.Errorf("%q passes as %q", in, got)
		}
	}
}
