package correlation_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/foundation/correlation"
)

func TestID(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("x", 128)
	for _, tt := range []struct{ name, sent, want string }{
		{"none", "", ""},
		{"every allowed character", "azAZ09._-", "azAZ09._-"},
		{"the longest", longest, longest},
		{"too long", longest + "x", ""},
		{"a space", "a b", ""},
		{"a line break, which could forge a log line", "a\nb", ""},
		{"a letter outside ASCII", "ä", ""},
	} {
		if got := correlation.ID(http.Header{"X-Correlation-Id": {tt.sent}}); got != tt.want {
			t.Errorf("%s: ID = %q, want %q", tt.name, got, tt.want)
		}
	}
}
