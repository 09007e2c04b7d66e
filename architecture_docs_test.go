package gateway_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// TestDocs_EveryPageIsListed checks that readers find every page: the contents
// list it, or the index of decisions does.
func TestDocs_EveryPageIsListed(t *testing.T) {
	t.Parallel()
	listed := []string{"docs/README.md"}
	for _, index := range []string{"docs/README.md", "docs/adr/README.md"} {
		listed = append(listed, linked(t, index)...)
	}
	for _, p := range pages(t) {
		if !slices.Contains(listed, p) {
			t.Errorf("no reader finds %s: list it in docs/README.md and in the nav of mkdocs.yml", p)
		}
	}
}

// TestDocs_NavigationIsTheContents compares the navigation of the site with the
// lists of docs/README.md: sections, titles, pages and their order.
func TestDocs_NavigationIsTheContents(t *testing.T) {
	t.Parallel()
	var config struct {
		Nav []map[string]yaml.Node
	}
	if err := yaml.Unmarshal([]byte(textOf(t, "mkdocs.yml")), &config); err != nil {
		t.Fatal(err)
	}
	var nav []string
	for _, section := range config.Nav {
		for title, node := range section {
			var entries []map[string]string
			if node.Decode(&entries) != nil { // a page, not a section
				nav = append(nav, title+": "+node.Value)
				continue
			}
			nav = append(nav, "## "+title)
			for _, entry := range entries {
				for name, file := range entry {
					nav = append(nav, name+": "+file)
				}
			}
		}
	}
	contents := []string{"Documentation: docs/README.md"}
	line := regexp.MustCompile(`(?m)^(?:(## .+)|- \[(.+?)\]\((.+?)\))`)
	for _, m := range line.FindAllStringSubmatch(textOf(t, "docs/README.md"), -1) {
		switch {
		case m[1] == deliverables: // a table
		case m[1] != "":
			contents = append(contents, m[1])
		default:
			contents = append(contents, m[2]+": "+path.Join("docs", m[3]))
		}
	}
	if diff := cmp.Diff(contents, nav); diff != "" {
		t.Errorf("docs/README.md (-) and the nav of mkdocs.yml (+) differ:\n%s", diff)
	}
}

// deliverables is the heading of the table of what the project delivers.
const deliverables = "## Deliverables"

// TestDocs_TourNamesTheCode checks that each file of the tour has the names that its
// line mentions, and that the tour stays short.
func TestDocs_TourNamesTheCode(t *testing.T) {
	t.Parallel()
	tour := textOf(t, "docs/tour.md")
	if n := strings.Count(tour, "\n"); n > 120 {
		t.Errorf("docs/tour.md has %d lines", n)
	}
	stop := regexp.MustCompile(`\[([\w/.]+\.go)\]\(\.\./([\w/.]+\.go)\)`)
	name := regexp.MustCompile("`(\\w+)`")
	stops := 0
	for line := range strings.Lines(tour) {
		at := stop.FindAllStringSubmatchIndex(line, -1)
		for i, m := range at {
			end := len(line)
			if i+1 < len(at) {
				end = at[i+1][0]
			}
			stops++
			file := line[m[4]:m[5]]
			if line[m[2]:m[3]] != file {
				t.Errorf("the link %s leads to %s", line[m[2]:m[3]], file)
			}
			code := textOf(t, file)
			for _, word := range name.FindAllStringSubmatch(line[m[1]:end], -1) {
				if !regexp.MustCompile(`\b` + word[1] + `\b`).MatchString(code) {
					t.Errorf("docs/tour.md mentions %s, which %s does not have", word[1], file)
				}
			}
		}
	}
	if stops < 20 {
		t.Errorf("docs/tour.md has only %d files", stops)
	}
}

// TestDocs_DeliverablesAreTested checks that the table of deliverables has each
// that the plan asks for, with a file and a test that exist.
func TestDocs_DeliverablesAreTested(t *testing.T) {
	t.Parallel()
	_, table, _ := strings.Cut(textOf(t, "docs/README.md"), deliverables)
	var got []string
	test := regexp.MustCompile("`([a-z0-9/]*)\\.(Test\\w+)(?:/([^`]+))?`")
	for _, row := range regexp.MustCompile(`(?m)^\| ([A-Z][^|]+) \|(.*)\|(.*)\|$`).FindAllStringSubmatch(table, -1) {
		got = append(got, row[1])
		if !strings.Contains(row[2], "](") { // TestLinks_Resolve follows it
			t.Errorf("no file contains %q", row[1])
		}
		tests := test.FindAllStringSubmatch(row[3], -1)
		if len(tests) == 0 {
			t.Errorf("no test runs %q", row[1])
		}
		for _, m := range tests {
			source := testsOf(t, m[1])
			if !strings.Contains(source, "\nfunc "+m[2]+"(") || !strings.Contains(source, `"`+m[3]) {
				t.Errorf("%s not found in %q", m[0], m[1])
			}
		}
	}
	want := []string{
		"API documentation", "Authentication flow", "Nextcloud integration guide", "Environment setup",
		"Testing documentation", "Manual testing checklist", "Postman collection",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the deliverables of docs/README.md differ (-want +got):\n%s", diff)
	}
}

// pages returns the Markdown pages for people: those at the top, of docs and of
// clients.
func pages(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"docs", "clients"} {
		err := filepath.WalkDir(folder, func(file string, d fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil
			}
			if d != nil && d.IsDir() && d.Name() == "node_modules" {
				return fs.SkipDir
			}
			if strings.HasSuffix(file, ".md") {
				found = append(found, filepath.ToSlash(file))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// linked returns what a page of Markdown links to by a relative path.
func linked(t *testing.T, page string) (files []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`\]\(([^)\s:#]+)`).FindAllStringSubmatch(textOf(t, page), -1) {
		files = append(files, path.Join(path.Dir(page), m[1]))
	}
	return files
}

// TestDocs_SharedFoldersHaveDocGo checks that doc.go in each folder directly under shared/
// describes what is in the folder.
func TestDocs_SharedFoldersHaveDocGo(t *testing.T) {
	t.Parallel()
	folders, err := os.ReadDir("shared")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		want := "// Package " + f.Name() + " "
		if doc, err := os.ReadFile(filepath.Join("shared", f.Name(), "doc.go")); err != nil {
			t.Error(err)
		} else if !strings.HasPrefix(string(doc), want) {
			t.Errorf("shared/%s/doc.go does not begin with %q", f.Name(), want)
		}
	}
}
