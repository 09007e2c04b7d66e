package gateway_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDecisions_AreNumberedAndHaveAStatus verifies that the pages of docs/adr are
// numbered without gaps, that each has its number in the title and a status, and
// that the index lists it with both.
func TestDecisions_AreNumberedAndHaveAStatus(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("docs/adr/[0-9]*.md")
	if err != nil || len(pages) < 30 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	index := textOf(t, "docs/adr/README.md")
	head := regexp.MustCompile(`\A# (\d+)\. .+\n\nStatus: (?:Accepted|Superseded by \[ADR (\d+)\]\([^)]+\))(?:\.|, [^\n]+\.)\n\n`)
	for i, page := range pages {
		name := filepath.Base(page)
		if want := fmt.Sprintf("%04d-", i+1); !strings.HasPrefix(name, want) {
			t.Fatalf("%s follows page %d", name, i)
		}
		text := textOf(t, page)
		m := head.FindStringSubmatch(text)
		if m == nil || m[1] != fmt.Sprint(i+1) {
			t.Errorf("%s has no title with its number, or no line with its status", name)
			continue
		}
		title, _, _ := strings.Cut(strings.TrimPrefix(text, "# "), "\n")
		entry := fmt.Sprintf("- [%s](%s)", title, name)
		if m[2] != "" {
			entry += fmt.Sprintf(" (superseded by %s)", m[2])
		}
		if !strings.Contains(index, entry+"\n") {
			t.Errorf("docs/adr/README.md does not list %s", entry)
		}
	}
}
