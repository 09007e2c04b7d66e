package test_test

import (
	"strings"
	"testing"

	"github.com/voiceassist/gateway/docs/docstest"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestConflicts_AcceptanceScript runs the acceptance script on a database that fails one in
// ten statements that write, and one in ten commits, with a serialization failure.
// Clients notice nothing, and Nextcloud is asked for every account once.
func TestConflicts_AcceptanceScript(t *testing.T) {
	t.Parallel()
	url, cloud, dir := database(t), newNextcloud(t), t.TempDir()
	storetest.Conflicts(t, url, 10)
	env := append(listen(t, cloud), "DATABASE_URL="+url, "JWT_SECRET="+keyring.Generate().Reveal())
	admin(t, dir, env)
	p := start(t, dir, nil, env...)
	g := p.target()
	g.check = docstest.Check
	if played := play(t, g, acceptance(), map[string]string{"admin": "root@example.com"}); len(played) != len(acceptance()) {
		t.Errorf("the script played %d of %d steps", len(played), len(acceptance()))
	}
	created := map[string]int{}
	for _, c := range cloud.Calls() {
		if c.Method == "POST" && strings.HasSuffix(c.Path, "/cloud/users") {
			created[c.Path]++
		}
	}
	for path, n := range created {
		if accounts := len(cloud.Users()) - 1; n < accounts || n > len(acceptance()) {
			t.Errorf("%s was called %d times for %d accounts", path, n, accounts)
		}
	}
	if strings.Contains(p.stdout.String(), `"level":"ERROR"`) {
		t.Error("the log has an error")
	}
}
