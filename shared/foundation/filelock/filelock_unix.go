//go:build unix

// Package filelock lets one process at a time do something, as flock(2) does.
package filelock

import (
	"errors"
	"os"
	"syscall"
)

// TryLock locks f, which may be a directory, until this open file is closed; the end
// of the process closes it. It returns false when another open file has the lock.
func TryLock(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		return false, nil
	}
	return err == nil, err
}
