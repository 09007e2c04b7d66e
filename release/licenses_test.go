package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestLicenses_AreAllowed checks the license of every module that is linked into the
// gateway, on any system of a release, or into a function.
func TestLicenses_AreAllowed(t *testing.T) {
	t.Parallel()
	packages, err := filepath.Glob("../functions/*/bootstrap")
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range packages {
		packages[i] = strings.TrimPrefix(filepath.ToSlash(p), ".")
	}
	var paths []string
	for _, goos := range []string{"linux", "darwin", "windows"} {
		args := append([]string{"GOOS=" + goos, "CGO_ENABLED=0", "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}",
			"./cmd/gateway"}, packages...)
		printed, err := run(t.Context(), "..", "env", args...)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, strings.Fields(printed)...)
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	if len(paths) < 40 {
		t.Fatalf("found only the modules %q", paths)
	}
	found, err := describe(t.Context(), "..", append(paths, rootsModule))
	if err != nil {
		t.Fatal(err)
	}
	for path, components := range found {
		for _, c := range components {
			if !slices.Contains(allowedLicenses, c.license) || len(c.texts) == 0 {
				t.Errorf("%s: %s has the license %q and %d texts", path, c.name, c.license, len(c.texts))
			}
		}
	}
	if _, err := readPage(".."); err != nil {
		t.Error(err)
	}
	if _, err := standardLibrary(t.Context(), "..", "go1.26.0"); err != nil {
		t.Error(err)
	}
}

func TestIdentify_RefusesOtherLicenses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, file, text, want, failure string }{
		{"a license in several lines", "LICENSE", "Permission is hereby granted,\n   free of charge, to any\nperson obtaining a copy", "MIT", ""},
		{"a copyleft license", "LICENSE.md", "GNU AFFERO GENERAL PUBLIC LICENSE\nVersion 3", "", "none of the allowed licenses"},
		{"a notice alone", "NOTICE", "Copyright", "", "no license file"},
	} {
		got, err := identify([]entry{{name: test.file, data: []byte(test.text)}})
		if got != test.want || (err == nil) != (test.failure == "") || err != nil && !strings.Contains(err.Error(), test.failure) {
			t.Errorf("%s: got %q, %v", test.name, got, err)
		}
	}
}
