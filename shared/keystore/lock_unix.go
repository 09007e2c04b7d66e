//go:build unix

package keystore

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks f for this open file until it is closed, by a crash, too; false
// means that somebody else has the lock.
func tryLock(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		return false, nil
	}
	return err == nil, err
}
