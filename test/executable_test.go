package test_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// writeExecutable writes a program or a script for the test to run, and creates its parent
// directories.
//
// No process may start meanwhile: a child forked by another test would hold a copy of the
// open file until its own exec, and running the file would fail with "text file busy"
// (golang.org/issue/22315).
func writeExecutable(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}
