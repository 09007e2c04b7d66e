package test_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// diskIsFull fills the file system of the embedded database until changes fail, and frees it
// again. The gateway goes on without a restart.
func diskIsFull(t *testing.T, given *answers, whole bool) {
	t.Helper()
	dir := smallDisk(t)
	p := start(t, dir, nil)
	clients := newCrowd(given, p, allowance{})
	times := 1
	if whole {
		times = 5
	}
	for range times {
		given.await(given.between)
		given.during(func() {
			free := fillDisk(t, filepath.Join(dir, "ballast"))
			given.awaitFailures(given.between)
			awaitReady(given, p, "unavailable", "database", "failed")
			free()
		})
		awaitReady(given, p, "ready", "database", "ok")
	}
	given.await(given.between)
	clients.leave()
	hasNoError(t, p)
}

// smallDisk returns a folder on a file system of its own.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small file system") //nolint:forbidigo // CI runs as root
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16m,mode=0700"); err != nil {
		t.Fatalf("mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fillDisk writes to the file until there is no room left. free removes it.
func fillDisk(t *testing.T, path string) (free func()) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for size := 1 << 20; size > 0; {
		if _, err = file.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("fill the disk: %v", err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}
