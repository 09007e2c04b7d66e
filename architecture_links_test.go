package gateway_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestLinks_Resolve checks that every link of a Markdown page to a file of the
// project leads to a file, and every fragment to a heading.
func TestLinks_Resolve(t *testing.T) {
	t.Parallel()
	links := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	checked := 0
	for _, page := range pages(t) {
		for _, found := range links.FindAllStringSubmatch(codeBlocks.ReplaceAllString(textOf(t, page), ""), -1) {
			path, fragment, _ := strings.Cut(found[1], "#")
			if strings.Contains(path, "://") || strings.HasPrefix(path, "mailto:") {
				continue
			}
			checked++
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			if info, err := os.Stat(target); err != nil || info.IsDir() {
				t.Errorf("%s links to %s, which is not a file", page, found[1])
			} else if fragment != "" && !slices.Contains(anchors(textOf(t, target)), fragment) {
				t.Errorf("%s links to %s, which has no such heading", page, found[1])
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d links were found", checked)
	}
}

func textOf(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// codeBlocks matches the blocks of code of a page of Markdown, and code within
// lines.
var codeBlocks = regexp.MustCompile("(?ms)^ *```.*?^ *```$|`[^`\n]+`")

// anchors returns what the headings of a page of Markdown may be linked by, as
// GitHub and the site make it.
func anchors(page string) []string {
	var all []string
	page = regexp.MustCompile("(?ms)^ *```.*?^ *```$").ReplaceAllString(page, "")
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(page, -1) {
		kept := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(kept, " ", "-"))
	}
	return all
}
