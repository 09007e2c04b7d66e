package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestScale measures a small database for a moment, and writes the page.
func TestScale(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	results := filepath.Join(dir, "scale.json")
	err := command(t.Context(), []string{"scale", "-users=200", "-engine=postgres", "-t=100ms", "-most=5s", "-o", results}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(results)
	var s scaleRun
	if err != nil || json.Unmarshal(text, &s) != nil || len(s.Sizes) != 1 {
		t.Fatalf("got %s, %v; want one measurement", text, err)
	}
	for _, x := range s.Sizes {
		for _, v := range []float64{
			x.Fill, x.Size, x.Memory, x.Backup, x.BackupSize, x.Imported, x.Provisioned, x.Deletion, x.Swept, x.SweptLongest, x.LoggedOut, x.LoggedOutTime,
		} {
			if v <= 0 {
				t.Errorf("%+v lacks a measurement", x)
				break
			}
		}
		for _, name := range scaleScenarios() {
			if r := x.request(name); r.Requests == 0 || r.P99 == 0 {
				t.Errorf("%s: %s was not measured: %+v", x.Engine, name, r)
			}
		}
	}
	page := filepath.Join(dir, scalePageFile)
	if err := os.WriteFile(page, []byte("before\n"+scaleBegin+"old\n"+scaleEnd+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeScalePage(dir, results); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(page)
	if err != nil || !strings.HasPrefix(string(got), "before\n"+scaleBegin) || !strings.HasSuffix(string(got), scaleEnd+"after\n") ||
		strings.Contains(string(got), "old\n") || strings.Count(string(got), "| `login` |") != 2 {
		t.Errorf("the page is\n%s\n%v", got, err)
	}
	if strings.Contains(string(got), "Inf") || strings.Contains(string(got), "NaN") {
		t.Errorf("the page has a number that is none:\n%s", got)
	}
}
