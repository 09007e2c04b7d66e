package gateway_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// asvsSections are the numbers of requirements in the sections of ASVS 5.0.0 that
// docs/asvs.md goes through: chapters 4, 6, 7 and 9.
var asvsSections = map[string]int{
	"4.1": 5, "4.2": 5, "4.3": 2, "4.4": 4,
	"6.1": 3, "6.2": 12, "6.3": 8, "6.4": 6, "6.5": 8, "6.6": 4, "6.7": 2, "6.8": 4,
	"7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 3, "7.6": 2,
	"9.1": 3, "9.2": 4,
}

// A requirement is one row of docs/asvs.md.
type requirement struct{ id, verdict, text string }

// requirements reads the rows of docs/asvs.md.
func requirements(t *testing.T) (page string, rows []requirement) {
	t.Helper()
	b, err := os.ReadFile("docs/asvs.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| (\d+\.\d+\.\d+) \| [123] \| [^|]+ \| ([a-z ]+): ([^|]+) \|$`)
	for _, m := range row.FindAllStringSubmatch(string(b), -1) {
		rows = append(rows, requirement{m[1], m[2], m[3]})
	}
	return string(b), rows
}

// TestASVS_ListsEveryRequirementOnce checks that each of the standard's chapters is
// answered, once, and that the page counts its answers right.
func TestASVS_ListsEveryRequirementOnce(t *testing.T) {
	t.Parallel()
	var want, got []string
	for section, n := range asvsSections {
		for i := range n {
			want = append(want, section+"."+strconv.Itoa(i+1))
		}
	}
	page, rows := requirements(t)
	counts := map[string]int{"met": 0, "partly met": 0, "documented": 0, "not met": 0, "out of scope": 0}
	for _, r := range rows {
		got = append(got, r.id)
		if _, known := counts[r.verdict]; !known {
			t.Errorf("%s is %q, which is no verdict", r.id, r.verdict)
		}
		counts[r.verdict]++
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the rows of docs/asvs.md differ (-want +got):\n%s", diff)
	}
	for verdict, n := range counts {
		if line := fmt.Sprintf("| %s | %d |", verdict, n); !strings.Contains(page, line) {
			t.Errorf("docs/asvs.md does not have the line that begins %q", line)
		}
	}
}

// TestASVS_NamesExistingTests checks that every requirement that is met names
// tests that exist, and that every documented one names its page.
func TestASVS_NamesExistingTests(t *testing.T) {
	t.Parallel()
	_, rows := requirements(t)
	name := regexp.MustCompile("`(?:([a-z0-9/]+)\\.)?((?:Test|Fuzz)\\w+)(?:/([^`]+))?`")
	for _, r := range rows {
		names := name.FindAllStringSubmatch(r.text, -1)
		switch r.verdict {
		case "met", "partly met":
			if len(names) == 0 {
				t.Errorf("%s is %s, but no test is named", r.id, r.verdict)
			}
		case "documented":
			if !strings.Contains(r.text, "](") {
				t.Errorf("%s is documented nowhere", r.id)
			}
		}
		for _, m := range names {
			source := testsOf(t, m[1])
			if !strings.Contains(source, "\nfunc "+m[2]+"(") {
				t.Errorf("%s: there is no %s in %q", r.id, m[2], m[1])
			}
			for part := range strings.SplitSeq(m[3], "/") {
				if part != "" && !strings.Contains(source, strconv.Quote(part)) {
					t.Errorf("%s: there is no %q of %s", r.id, part, m[2])
				}
			}
		}
	}
}

// testsOf returns the tests of a package, all in one.
func testsOf(t *testing.T, pkg string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(".", pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}
