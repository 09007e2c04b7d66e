package test_test

import (
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/store/storetest"
)

// between is how many requests succeed between two faults.
const between = 100

// hasNoError fails if the gateway logged an error: a fault of something else is a warning.
func hasNoError(t *testing.T, p *process) {
	t.Helper()
	if strings.Contains(p.stdout.String(), `"level":"ERROR"`) {
		t.Error("the log has an error")
	}
}

// postgresIsKilled ends all of PostgreSQL, or the process of one session, as the system does
// when memory runs out.
func postgresIsKilled(t *testing.T, given *answers, _ bool) {
	server := storetest.NewKillable(t)
	p := start(t, t.TempDir(), nil, "DATABASE_URL="+server.URL())
	clients := newCrowd(given, p, 8, allowance{})
	for n := range 10 {
		given.await(between)
		given.during(func() {
			if n%3 == 2 {
				server.KillSession()
				return
			}
			server.Kill()
			server.Start()
		})
	}
	given.await(between)
	clients.leave()
	hasNoError(t, p)
}
