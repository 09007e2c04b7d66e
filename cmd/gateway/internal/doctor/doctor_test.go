package doctor_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/cmd/gateway/internal/doctor"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

func TestExamine_HealthyServerHasNoFindings(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"", "/nextcloud"} {
		f := inFolder(t, folder)
		r := f.examine(t)
		r.without(t, doctor.Failed)
		r.without(t, doctor.Warning)
		r.without(t, doctor.Skipped)
		if len(r) != 21 {
			t.Errorf("%d findings, want one for each of 21 checks:\n%s", len(r), r)
		}
		f.cleared(t)
		if n := f.withCredentials("/cloud/user"); f.cloud.FailedLogins() != 0 || n == 0 {
			t.Errorf("got %d failed logins, %d calls", f.cloud.FailedLogins(), n)
		}
	}
}

func TestExamine_ReportsFindingsImmediately(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var reported []doctor.Finding
	r := f.examine(t, func(c *doctor.Config) {
		c.Report = func(finding doctor.Finding) {
			if finding.Check == "http" && f.withCredentials("") > 0 {
				t.Error("reported only after calls with credentials")
			}
			reported = append(reported, finding)
		}
	})
	if diff := cmp.Diff([]doctor.Finding(r), reported); diff != "" {
		t.Errorf("findings (-returned +reported):\n%s", diff)
	}
}

func TestExamine_ReadOnlyChangesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := f.examine(t, func(c *doctor.Config) { c.ReadOnly = true })
	r.without(t, doctor.Failed)
	r.want(t, doctor.OK, "admin-rights")
	for _, check := range []string{"admin-password", "leftovers", "scratch-account", "dav-put", "scratch-removal"} {
		r.want(t, doctor.Skipped, check, "read-only")
	}
	for _, c := range f.cloud.Calls() {
		if c.Method != http.MethodGet || strings.HasSuffix(c.Path, "/getapppassword") {
			t.Errorf("%s %s", c.Method, c.Path)
		}
	}
}

func TestExamine_WarnsOfASlowCall(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var late atomic.Int64
	f.cloud.Fail(nextcloudtest.Times(1, func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
		late.Add(int64(3 * time.Second))
		next.ServeHTTP(rw, r)
	}, nextcloudtest.On(http.MethodPut, ".txt")))
	f.examine(t, func(c *doctor.Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
	}).only(t, doctor.Warning, "dav-put", "a file can be stored; slow: it took 3.", "load")
	f.cleared(t)
}

func TestExamine_CleansUpAfterAnInterrupt(t *testing.T) {
	t.Parallel()
	for _, at := range []struct{ method, suffix string }{
		{http.MethodGet, "/status.php"},
		{http.MethodGet, "/cloud/user"},
		{http.MethodGet, "/core/getapppassword"},
		{http.MethodPost, "/cloud/users"},
		{"PROPFIND", ""},
		{http.MethodPut, ".txt"},
	} {
		t.Run(at.method+at.suffix, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			f.cloud.Fail(nextcloudtest.Times(1, func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
				interrupt()
				body, _ := io.ReadAll(r.Body) // until it is read, nobody notices that the client went
				r.Body = io.NopCloser(bytes.NewReader(body))
				if r.Method != http.MethodPost && !strings.HasSuffix(r.URL.Path, "password") {
					<-r.Context().Done() // the client must not wait for the answer
				}
				next.ServeHTTP(rw, r)
			}, nextcloudtest.On(at.method, at.suffix)))
			r := report(doctor.Examine(ctx, doctor.Config{Settings: f.settings}))
			if !strings.Contains(r.String(), "interrupted") || doctor.Failures(r) > 1 {
				t.Errorf("%d failures in\n%s", doctor.Failures(r), r)
			}
			f.cleared(t)
			switch at.method {
			case http.MethodPost:
				r.want(t, doctor.OK, "scratch-account") // its answer is waited for
			case http.MethodPut:
				r.want(t, doctor.Failed, "dav-put", "was interrupted")
				r.want(t, doctor.OK, "scratch-removal", "removed the account")
			}
		})
	}
}

func TestFailures_IgnoresWarnings(t *testing.T) {
	t.Parallel()
	all := []doctor.Finding{
		{Level: doctor.OK}, {Level: doctor.Warning}, {Level: doctor.Failed}, {Level: doctor.Skipped}, {Level: doctor.Failed},
	}
	if got := doctor.Failures(all); got != 2 {
		t.Errorf("%d, want 2", got)
	}
}
