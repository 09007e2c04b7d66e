package test_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/faas/faastest"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

const cloudPassword = "the administrator's own password"

// newNextcloud returns a test server that has no address yet.
func newNextcloud(t *testing.T) *nextcloudtest.Server {
	t.Helper()
	cloud := nextcloudtest.New(nextcloudtest.Options{AdminPassword: cloudPassword})
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	return cloud
}

// listen serves a Nextcloud on an address and returns the settings of a gateway that uses
// it.
func listen(t *testing.T, cloud http.Handler) []string {
	t.Helper()
	server := httptest.NewServer(cloud)
	t.Cleanup(server.Close)
	return settings(server)
}

func settings(server *httptest.Server) []string {
	return []string{"NEXTCLOUD_URL=" + server.URL, "NEXTCLOUD_ADMIN_USER=admin", "NEXTCLOUD_ADMIN_PASSWORD=" + cloudPassword}
}

// TestSchedule_ReconcilesOnLambda registers through one function, and has the scheduled
// event create the Nextcloud account through another.
func TestSchedule_ReconcilesOnLambda(t *testing.T) {
	t.Parallel()
	cloud := newNextcloud(t)
	env := append(listen(t, cloud),
		"DATABASE_URL="+database(t), "JWT_SECRET="+keyring.Generate().Reveal(), "BCRYPT_COST=10")
	g := target{client: &http.Client{Transport: deploy(t, env...)}, url: public}
	saved := map[string]string{}
	play(t, g, acceptance()[:2], saved) // register, log in
	mine := step{name: "status of the Nextcloud account", method: "GET", path: "/api/users/me/nextcloud",
		header: "Authorization: Bearer ${access}", status: 200}
	if before := play(t, g, []step{mine}, saved)[0].Body; !strings.Contains(before, `"status":"pending"`) {
		t.Errorf("before the event, got %s, want pending", before)
	}

	event, err := os.ReadFile("../events/schedule.json")
	if err != nil {
		t.Fatal(err)
	}
	job := faastest.Start(t, faastest.Build(t, "../functions/ncprovision/bootstrap"), env...)
	if out, err := job.Invoke(t.Context(), event); err != nil || string(out) != "null" {
		t.Fatalf("the job returned %s, %v", out, err)
	}
	job.Shutdown() // the log is complete after this
	if log := job.Log(); !strings.Contains(log, `"OldestUnprovisionedSeconds":0`) ||
		!strings.Contains(log, `"AccountsRemaining":0`) || !strings.Contains(log, `"NextcloudAllowed":1`) || !strings.Contains(log, `"_aws":{`) {
		t.Errorf("the log has no metric OldestUnprovisionedSeconds:\n%s", log)
	}
	if after := play(t, g, []step{mine}, saved)[0].Body; !strings.Contains(after, `"status":"active"`) ||
		!strings.Contains(after, `"total":5368709120`) {
		t.Errorf("after the event, got %s, want active and the quota", after)
	}
	if !cloud.ValidCredentials("test@example.com", "SecurePass123!") {
		t.Error("the user cannot sign in to Nextcloud with the gateway's password")
	}
	if strings.Contains(job.Log(), "SecurePass123!") || strings.Contains(job.Log(), cloudPassword) {
		t.Errorf("the log contains a password:\n%s", job.Log())
	}
}

// TestReconcileCommand does manually what the loop does in the background.
func TestReconcileCommand(t *testing.T) {
	t.Parallel()
	cloud := newNextcloud(t)
	dir := t.TempDir()
	env := listen(t, cloud)
	admin(t, dir, env)
	out, code := command(t, dir, "", env, "nextcloud", "reconcile")
	if code != 0 || !strings.Contains(out, "done 1, failed 0, left 0, ") {
		t.Errorf("nextcloud reconcile: exit code %d, want 0 and one account done\n%s", code, out)
	}
	if u, ok := cloud.User("root@example.com"); !ok || u.Quota != "5 GB" {
		t.Errorf("Nextcloud has the account %+v, want the quota 5 GB", u)
	}
	if out, code := command(t, dir, "", nil, "nextcloud", "reconcile"); code != 1 || !strings.Contains(out, "NEXTCLOUD_URL is not set") {
		t.Errorf("without a Nextcloud: exit code %d, want 1\n%s", code, out)
	}
}

// TestNextcloudOutage_SlowsNoOtherRequest registers and logs in alternately at a gateway with a
// Nextcloud that accepts connections but never answers, and at one without any. When
// Nextcloud answers again, every user gets an account.
func TestNextcloudOutage_SlowsNoOtherRequest(t *testing.T) {
	t.Parallel()
	cloud := newNextcloud(t)
	var back atomic.Bool
	cloud.Fail(func(*http.Request) nextcloudtest.Fault {
		if back.Load() {
			return nil
		}
		return func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		}
	})
	down := start(t, t.TempDir(), nil, append(listen(t, cloud), "JWT_SECRET="+keyring.Generate().Reveal())...).target()
	without := start(t, t.TempDir(), nil, "JWT_SECRET="+keyring.Generate().Reveal()).target()
	took := map[bool][]time.Duration{}
	saved := map[string]string{}
	for i := range 9 {
		body := fmt.Sprintf(`{"email":"user%d@example.com","password":"SecurePass123!"}`, i)
		for _, isDown := range []bool{true, false} {
			g, token := without, "other"
			if isDown {
				g, token = down, "access"
			}
			began := time.Now()
			play(t, g, []step{
				{name: "register", method: "POST", path: "/api/auth/register", body: body, status: 200},
				{name: "log in", method: "POST", path: "/api/auth/login", body: body, status: 200, save: map[string]string{token: "access_token"}},
			}, saved)
			took[isDown] = append(took[isDown], time.Since(began))
		}
	}
	for _, times := range took {
		slices.Sort(times)
	}
	with, alone := took[true][4], took[false][4]
	t.Logf("register and log in: %v with Nextcloud down, %v without any (medians of 9)", with, alone)
	// Either alone may happen on a busy machine. A gateway that waits for Nextcloud always
	// shows both.
	if always := functionstest.Longer(took[true], took[false]) == 1; always && with > 2*alone {
		t.Errorf("with Nextcloud down, registering and logging in take %v, and %v without any", with, alone)
	}
	back.Store(true)
	play(t, down, []step{hasStorage}, saved)
}
