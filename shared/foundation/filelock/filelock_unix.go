//go:build unix

// Package filelock locks files against other processes, with flock(2).
package filelock

import (
	"errors"
	"os"
	"syscall"
)

// TryLock locks f, which may be a directory, until f is closed or the process ends.
// It returns false if another open file holds the lock.
func TryLock(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		return false, nil
	}
	return err == nil, err
}
