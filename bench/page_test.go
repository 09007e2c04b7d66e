package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the expected page and plots")

// TestPage compares what a file of results becomes with testdata.
func TestPage(t *testing.T) {
	t.Parallel()
	r, err := readRun("testdata/run.json")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, pageFile)
	const above, below = "# Performance\n\nBefore.\n\n", "\n## Behind\n"
	if err := os.WriteFile(file, []byte(above+beginMark+"former results\n"+endMark+below), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // again changes nothing
		if err := r.writePage(dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{pageFile, floorPlot, timePlot, floodPlot} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestPage_NeedsItsMarks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, pageFile), []byte("# Performance\n"+beginMark), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (run{}).writePage(dir); err == nil {
		t.Error("a page without marks was rewritten")
	}
}

// A page of a partial run has no empty tables.
func TestPage_WithoutFloods(t *testing.T) {
	t.Parallel()
	r := run{Results: []result{{Scenario: "who-am-i", Engine: sqlite, Clients: 4, PerSecond: 10}}}
	want := "\n### Memory\n"
	if got := r.page(); len(r.charts()) != 2 || !strings.Contains(got, want) || strings.Contains(got, "flood") || strings.Contains(got, "other products") {
		t.Errorf("the page is\n%s", got)
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{
		0: "0", 0.051: "0.05", 9.994: "9.99", 10: "10.0", 99.94: "99.9", 100: "100", 999.4: "999", 1000: "1,000", 12345.6: "12,346", 1234567: "1,234,567",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %s, want %s", v, got, want)
		}
	}
}
