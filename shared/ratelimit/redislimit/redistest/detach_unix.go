//go:build unix

package redistest

import (
	"os/exec"
	"syscall"
)

// detach runs the command in its own session, so that an interrupt at the terminal reaches
// the tests but not the server.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
