package main

import (
	"strings"
	"testing"
)

// TestExitCodes checks the exit codes that the help topic "exit-codes" documents.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.do(0, "migrate", "up")
	c.recordEvents("", 2)
	c.do(0, "audit", "verify")
	c.do(exitFailed, "audit", "adopt")
	c.env["HTTP_ADDR"] = "127.0.0.1:1"
	c.do(exitFailed, "healthcheck")
	c.do(exitUsage, "audit", "verify", "now")
	c.do(exitFailed, "nextcloud", "reconcile")
	c.do(exitFailed, "nextcloud", "doctor") // a missing address is a finding
	c.env["NEXTCLOUD_URL"] = "ftp://cloud.example.org"
	c.do(exitNotChecked, "nextcloud", "doctor")
	delete(c.env, "NEXTCLOUD_URL")
	c.env["JWT_SECRET"] = "short"
	c.do(exitNotChecked, "audit", "verify")
	c.do(exitFailed, "keys", "reseal")
	delete(c.env, "JWT_SECRET")
	c.env["DATABASE_URL"] = "postgres://u@127.0.0.1:1/x"
	c.do(exitNotChecked, "audit", "verify")
	c.do(exitFailed, "audit", "list")
}

func TestServe_PrintsTheDevelopmentNextcloud(t *testing.T) {
	t.Parallel()
	_, problems := newConsole(t).do(exitUsage, "serve", "--dev-nextcloud")
	if !strings.Contains(problems, `"make run" starts one beside it`) {
		t.Errorf("got %q, want a hint at make run", problems)
	}
}
