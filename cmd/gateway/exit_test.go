package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/foundation/fault"
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

func TestExplain(t *testing.T) {
	t.Parallel()
	down := fault.New(fault.Unavailable, "down", "The database is not available.")
	taken := fault.New(fault.Conflict, "taken", "The address is taken.")
	refused := errors.New("connection refused")
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"an error without a kind", refused, "connection refused"},
		{"a failure with its cause", down.Because(refused), "The database is not available. (connection refused)"},
		{"a failure without a cause", down, "The database is not available."},
		{"a refusal, whose cause is private", taken.Because(refused), "The address is taken."},
	} {
		if got := explain(test.err).Error(); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
