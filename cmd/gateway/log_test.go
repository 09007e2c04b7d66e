package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestCommand_LogsAtLogLevel runs a command with an unreachable Nextcloud, which a package
// reports as a warning through the default logger.
func TestCommand_LogsAtLogLevel(t *testing.T) {
	t.Parallel()
	for level, want := range map[string]bool{"warn": true, "error": false} {
		shell := exampleShell{dir: t.TempDir(), env: []string{
			"PATH=" + gatewayOnPath(t) + ":" + os.Getenv("PATH"), "BCRYPT_COST=10", "LOG_LEVEL=" + level,
			"NEXTCLOUD_URL=http://127.0.0.1:1", "NEXTCLOUD_ADMIN_USER=admin", "NEXTCLOUD_ADMIN_PASSWORD=x",
		}}
		_, _, logs := shell.run(t, `echo 'a password of some length' | gateway user create ada@example.org; timeout 10 gateway nextcloud reconcile`)
		logged := false
		for line := range strings.Lines(logs) {
			var entry struct{ Level, Msg string }
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Level == "WARN" {
				logged = true
			} else if strings.Contains(line, " WARN ") {
				t.Errorf("LOG_LEVEL=%s: the line is not in the gateway's log format: %s", level, line)
			}
		}
		if logged != want {
			t.Errorf("LOG_LEVEL=%s: logged the warning: %t, want %t\n%s", level, logged, want, logs)
		}
	}
}
