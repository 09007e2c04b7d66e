package test_test

import (
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/store/storetest"
)

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
	t.Helper()
	given.clients, given.between = 8, 100
	server := storetest.NewKillable(t)
	p := start(t, t.TempDir(), nil, "DATABASE_URL="+server.URL())
	clients := newCrowd(given, p, allowance{})
	for n := range 10 {
		given.await(given.between)
		given.during(func() {
			if n%3 == 2 {
				server.KillSession()
				return
			}
			server.Kill()
			server.Start()
		})
	}
	given.await(given.between)
	clients.leave()
	hasNoError(t, p)
}

// postgresFailsOver ends the primary and promotes its standby, or makes the primary
// read-only before: it then keeps its connections, which must not be used any more.
func postgresFailsOver(t *testing.T, given *answers, whole bool) {
	t.Helper()
	pair := storetest.NewPair(t)
	p := start(t, t.TempDir(), nil, "DATABASE_URL="+pair.URL())
	clients := newCrowd(given, p, allowance{})
	times := 2
	if whole {
		times = 6
	}
	for n := range times {
		given.await(given.between)
		given.during(func() {
			if n%2 == 0 {
				pair.Kill()
			} else {
				pair.SetReadOnly()
				given.awaitFailures(given.between / 2)
			}
			pair.Promote()
		})
		given.await(given.between)
		pair.Rejoin()
	}
	clients.leave()
	hasNoError(t, p)
}

// poolerIsRestarted ends PgBouncer, and starts it again.
func poolerIsRestarted(t *testing.T, given *answers, whole bool) {
	t.Helper()
	pooler := storetest.NewKillablePooler(t, database(t))
	p := start(t, t.TempDir(), nil, "DATABASE_URL="+pooler.URL())
	clients := newCrowd(given, p, allowance{})
	times := 3
	if whole {
		times = 10
	}
	for range times {
		given.await(given.between)
		given.during(func() {
			pooler.Kill()
			pooler.Start()
		})
	}
	given.await(given.between)
	clients.leave()
	hasNoError(t, p)
}
