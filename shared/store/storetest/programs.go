package storetest

import (
	"cmp"
	"errors"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var errNoPrograms = errors.New("found neither TEST_DATABASE_URL nor the programs initdb and postgres; " +
	"set the variable to a postgres:// URL whose user may create databases, " +
	"or install a server (apt-get install postgresql)")

// programs returns the directory that holds initdb and postgres: the one on
// PATH, otherwise the one of pg_config, otherwise the newest in a usual place.
func programs() (dir string, err error) {
	for _, dir := range candidates() {
		if runs(filepath.Join(dir, "initdb")) && runs(filepath.Join(dir, "postgres")) {
			return dir, nil
		}
	}
	return "", errNoPrograms
}

func candidates() []string {
	var dirs []string
	if path, err := exec.LookPath("initdb"); err == nil {
		// Behind a link lie the other programs, which initdb needs beside it.
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	var packaged []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
		"/usr/pgsql-*/bin",                  // PostgreSQL's own RPMs
		"/usr/libexec/postgresql*",          // Alpine
		"/opt/homebrew/opt/postgresql*/bin", // macOS on ARM
		"/usr/local/opt/postgresql*/bin",    // macOS on Intel
	} {
		found, _ := filepath.Glob(pattern) // fails on bad patterns only
		packaged = append(packaged, found...)
	}
	slices.SortStableFunc(packaged, func(a, b string) int { return cmp.Compare(major(b), major(a)) })
	return append(dirs, packaged...)
}

var digits = regexp.MustCompile(`\d+`)

// major returns the first number in the path, which is PostgreSQL's version.
func major(path string) int {
	n, _ := strconv.Atoi(digits.FindString(path)) // 0 sorts paths without a version last
	return n
}

func runs(path string) bool {
	_, err := exec.LookPath(path)
	return err == nil
}
