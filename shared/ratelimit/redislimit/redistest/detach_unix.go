//go:build unix

package redistest

import (
	"os/exec"
	"syscall"
)

// detach gives the command a session of its own, so that an interrupt at the
// terminal reaches the tests and not the server under them.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
