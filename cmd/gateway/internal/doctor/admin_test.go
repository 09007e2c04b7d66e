package doctor_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/voiceassist/gateway/cmd/gateway/internal/doctor"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

func TestAdmin_WrongPasswordIsOneAttempt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.settings.Password = "not the administrator's"
	r := f.examine(t)
	r.only(t, doctor.Failed, "admin", "rejected", "before you try again")
	r.want(t, doctor.Skipped, "scratch-account", "the check admin failed")
	if n := f.withCredentials(""); f.cloud.FailedLogins() != 1 || n != 1 {
		t.Errorf("got %d failed logins by %d calls, want one by one", f.cloud.FailedLogins(), n)
	}
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		failedLogins int
		level        doctor.Level
		words        []string
		logins       bool
	}{
		{"no failed login", 0, doctor.OK, []string{"no delay", "whitelist_1 --value 127.0.0.1/32"}, true},
		{"a few only slow", 6, doctor.Warning, []string{"by 6.4 s", "bruteforce:reset 127.0.0.1", "whitelist_1 --value 127.0.0.1/32"}, true},
		{"near the lock, nothing is tried", 7, doctor.Failed, []string{"by 12.8 s", "bruteforce:reset 127.0.0.1"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.cloud.AddFailedLogins("127.0.0.1", "somebody", c.failedLogins)
			r := f.examine(t)
			r.want(t, c.level, "throttle", c.words...)
			if tried := f.withCredentials("") > 0; tried != c.logins {
				t.Errorf("credentials tried: %t", tried)
			}
			if !c.logins {
				r.want(t, doctor.Skipped, "admin", "the check throttle failed")
			}
		})
	}
}

func TestThrottle_Exempt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.cloud.SetAllowListed(true)
	f.examine(t).want(t, doctor.OK, "throttle", "exempt")
}

func TestThrottle_UnknownSendsNoCredentials(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.cloud.Fail(nextcloudtest.Times(1, nextcloudtest.Answer(http.StatusNotFound, "text/html", bodyWords, 0),
		nextcloudtest.On(http.MethodGet, "/capabilities")))
	f.examine(t).only(t, doctor.Failed, "throttle", "not from Nextcloud (status 404)", "/ocs/")
	if n := f.withCredentials(""); n != 0 {
		t.Errorf("%d calls with credentials", n)
	}
}

func TestAdmin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		arrange func(*testing.T, *fixture)
		level   doctor.Level
		check   string
		words   []string
	}{
		{"other letter case", func(_ *testing.T, f *fixture) { f.settings.Admin = "ADMIN" },
			doctor.Warning, "admin", []string{"upper and lower case", "NEXTCLOUD_ADMIN_USER=admin"}},
		{"the e-mail address instead of the id", func(_ *testing.T, f *fixture) {
			f.cloud.Set("admin", "email", "root@example.com")
			f.settings.Admin = "root@example.com"
		}, doctor.Warning, "admin", []string{`which is "admin"`, "NEXTCLOUD_ADMIN_USER=admin"}},
		{"a server that crashes", func(_ *testing.T, f *fixture) {
			f.cloud.Fail(nextcloudtest.Times(1, nextcloudtest.Crash(), nextcloudtest.On(http.MethodGet, "/cloud/user")))
		}, doctor.Failed, "admin", []string{"no usable response (status 500)"}},
		{"maintenance begins", func(_ *testing.T, f *fixture) {
			f.cloud.Fail(nextcloudtest.Times(1, nextcloudtest.Maintenance(), nextcloudtest.On(http.MethodGet, "/cloud/user")))
		}, doctor.Failed, "admin", []string{"maintenance", "--off"}},
		{"no administrator", func(_ *testing.T, f *fixture) {
			f.cloud.AddUser("bob", adminPassword, "")
			f.settings.Admin = "bob"
		}, doctor.Failed, "admin-rights", []string{"not an administrator", "group:adduser admin bob"}},
		{"an app password", func(t *testing.T, f *fixture) {
			made, err := client(f).AppPassword(t.Context(), "admin", adminPassword)
			if err != nil {
				t.Fatal(err)
			}
			f.settings.Password = made
		}, doctor.Warning, "admin-password", []string{"is an app password", "real password"}},
		{"an app password that cannot be taken back", func(_ *testing.T, f *fixture) {
			f.cloud.Fail(nextcloudtest.Times(1, nextcloudtest.Crash(), nextcloudtest.On(http.MethodDelete, "/apppassword")))
		}, doctor.Warning, "admin-password", []string{`may still have an app password "VoiceAssist doctor"`, "Security"}},
		{"an app password whose answer is lost", func(_ *testing.T, f *fixture) {
			f.cloud.Fail(nextcloudtest.Times(1, nextcloudtest.CutAfter(), nextcloudtest.On(http.MethodGet, "/getapppassword")))
		}, doctor.Warning, "admin-password", []string{`may still have an app password "VoiceAssist doctor"`, "Security"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			c.arrange(t, f)
			f.examine(t).want(t, c.level, c.check, c.words...)
			if f.cloud.FailedLogins() != 0 {
				t.Errorf("got %d failed logins", f.cloud.FailedLogins())
			}
		})
	}
}

func client(f *fixture) *ocs.Client {
	return ocs.New(ocs.Config{
		URL: f.settings.URL, AdminUser: f.settings.Admin, AdminPassword: f.settings.Password, Timeout: time.Minute,
	})
}
