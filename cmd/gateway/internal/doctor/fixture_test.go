package doctor_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/cmd/gateway/internal/doctor"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
)

// What must never show in a finding.
const (
	adminPassword = "the administrator's own password"
	bodyWords     = "words of the server's body"
)

// A fixture is a Nextcloud and the settings that name it.
type fixture struct {
	cloud    *nextcloudtest.Server
	settings reconcile.Settings
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return inFolder(t, "")
}

func inFolder(t *testing.T, folder string) *fixture {
	t.Helper()
	cloud := nextcloudtest.New(nextcloudtest.Options{
		AdminPassword: adminPassword, BasePath: folder, Dir: t.TempDir(),
	})
	return &fixture{cloud, settingsFor(t, serve(t, cloud)+folder)}
}

// serve runs a handler and returns its address.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func settingsFor(t *testing.T, address string) reconcile.Settings {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return reconcile.Settings{Server: nextcloud.Server{URL: u}, Admin: "admin", Password: adminPassword}
}

// A report is what an examination found.
type report []doctor.Finding

// examine runs the doctor and checks what must hold for every report.
func (f *fixture) examine(t *testing.T, change ...func(*doctor.Config)) report {
	t.Helper()
	return examine(t, f.settings, change...)
}

func examine(t *testing.T, s reconcile.Settings, change ...func(*doctor.Config)) report {
	t.Helper()
	c := doctor.Config{Settings: s}
	for _, ch := range change {
		ch(&c)
	}
	r := report(doctor.Examine(t.Context(), c))
	for _, secret := range []string{s.Password.Reveal(), adminPassword, "hunter2", bodyWords} {
		if text := r.String(); len(secret) > 1 && strings.Contains(text, secret) {
			t.Errorf("%q shows in\n%s", secret, text)
		}
	}
	return r
}

// String writes a report, a line for each finding.
func (r report) String() string {
	var b strings.Builder
	for _, f := range r {
		fmt.Fprintf(&b, "%s %s: %s | %s\n", f.Level, f.Check, f.Text, f.Fix)
	}
	return b.String()
}

// want expects a finding whose line begins with check and level, and has those
// words in its text or cure, in that order.
func (r report) want(t *testing.T, level doctor.Level, check string, words ...string) {
	t.Helper()
	for line := range strings.Lines(r.String()) {
		rest, ok := strings.CutPrefix(line, string(level)+" "+check+": ")
		for _, word := range words {
			var found bool
			_, rest, found = strings.Cut(rest, word)
			ok = ok && found
		}
		if ok {
			return
		}
	}
	t.Errorf("no finding %s %s with %q in\n%s", level, check, words, r)
}

// without expects no finding of that level.
func (r report) without(t *testing.T, level doctor.Level) {
	t.Helper()
	for _, f := range r {
		if f.Level == level {
			t.Errorf("%s %s: %s | %s", f.Level, f.Check, f.Text, f.Fix)
		}
	}
}

// only expects exactly one finding that is neither fine nor skipped.
func (r report) only(t *testing.T, level doctor.Level, check string, words ...string) {
	t.Helper()
	r.want(t, level, check, words...)
	n := 0
	for _, f := range r {
		if f.Level == doctor.Failed || f.Level == doctor.Warning {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d findings are bad, want one:\n%s", n, r)
	}
}

// cleared expects that no scratch account and no token is left.
func (f *fixture) cleared(t *testing.T) {
	t.Helper()
	for _, u := range f.cloud.Users() {
		if strings.HasPrefix(u.ID, "va-doctor-") || len(u.AppPasswords) > 0 {
			t.Errorf("left behind: %+v", u)
		}
	}
}

// withCredentials returns how many calls were made in somebody's name.
func (f *fixture) withCredentials(match string) int {
	n := 0
	for _, c := range f.cloud.Calls() {
		if c.User != "" && strings.Contains(c.Method+" "+c.Path, match) {
			n++
		}
	}
	return n
}
