package doctor_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/voiceassist/gateway/cmd/gateway/internal/doctor"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

// page answers everything with a status, a type and a text.
func page(status int, kind, text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	})
}

func TestHTTP_NotANextcloud(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		handler http.Handler
		check   string
		words   []string
	}{
		{"another site", page(200, "text/html", bodyWords), "http", []string{"not a Nextcloud (status 200)", "NEXTCLOUD_URL"}},
		{"JSON of something else", page(200, "application/json", `{"x":"`+bodyWords+`"}`), "http", []string{"not a Nextcloud"}},
		{"nothing there", http.NotFoundHandler(), "http", []string{"not a Nextcloud (status 404)"}},
		{"a proxy that asks for a password", page(401, "text/html", bodyWords), "http", []string{"rejected status.php (status 401)", "Authorization"}},
		{"a proxy whose server is down", page(502, "text/html", bodyWords), "http", []string{"failed (status 502)", "log"}},
		{"too many calls", page(429, "text/html", bodyWords), "http", []string{"429", "Wait"}},
		{"an untrusted host name", page(400, "application/json", `{"error":"Trusted domain error.","code":15}`), "trusted-domain",
			[]string{"does not trust the host name 127.0.0.1", "occ config:system:set trusted_domains N --value 127.0.0.1,"}},
		{"an untrusted host name in HTML", page(400, "text/html", bodyWords), "trusted-domain",
			[]string{"probably", "occ config:system:set trusted_domains N --value 127.0.0.1,"}},
		{"nginx that was to be spoken to over TLS", page(400, "text/html", "<h1>The plain HTTP request was sent to HTTPS port</h1>"),
			"http", []string{"requires TLS", "https"}},
		{"a login page before it", http.RedirectHandler("https://hunter2@sso.example.org/login?token=hunter2#hunter2", http.StatusFound), "http",
			[]string{"redirects to https://sso.example.org/login (status 302)", "login page"}},
		{"a redirect to itself", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}), "http", []string{"the same address", "overwriteprotocol"}},
		{"to https at another host", http.RedirectHandler("https://cloud.example.org/nc/status.php?hunter2", http.StatusMovedPermanently), "http",
			[]string{"redirects to https://cloud.example.org/nc", "Set NEXTCLOUD_URL=https://cloud.example.org/nc"}},
		{"to no address", http.RedirectHandler("mailto:hunter2", http.StatusMovedPermanently), "http", []string{"invalid address"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := examine(t, settingsFor(t, serve(t, c.handler)))
			r.only(t, doctor.Failed, c.check, c.words...)
			r.want(t, doctor.Skipped, "admin", "the check "+c.check+" failed")
		})
	}
}

func TestHTTP_FindsTheFolder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ installed, configured string }{
		{"/nextcloud", ""},
		{"/nextcloud", "/cloud"},
		{"/nextcloud", "/nextcloud/index.php/login"},
		{"", "/remote.php/dav/files/admin"},
		{"/a/nextcloud", "/a"},
	} {
		t.Run(c.installed+" for "+c.configured, func(t *testing.T) {
			t.Parallel()
			f := inFolder(t, c.installed)
			right := f.settings.URL.String()
			f.settings.URL.Path = c.configured
			f.examine(t).only(t, doctor.Failed, "http", "no Nextcloud at "+f.settings.URL.String(), "Set NEXTCLOUD_URL="+right+"\n")
			if f.withCredentials("") != 0 {
				t.Error("credentials were sent")
			}
		})
	}
}

func TestHTTP_FindsTheFolderBehindARedirectToTheLogin(t *testing.T) {
	t.Parallel()
	f := inFolder(t, "/nextcloud")
	right := f.settings.URL.String()
	f.settings.URL.Path = "/nextcloud/apps"
	f.cloud.Fail(func(r *http.Request) nextcloudtest.Fault {
		if r.URL.Path != "/nextcloud/apps/status.php" {
			return nil
		}
		return func(rw http.ResponseWriter, r *http.Request, _ http.Handler) {
			http.Redirect(rw, r, "/nextcloud/login", http.StatusFound)
		}
	})
	f.examine(t).only(t, doctor.Failed, "http", "no Nextcloud at", "Set NEXTCLOUD_URL="+right+"\n")
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status string
		level  doctor.Level
		words  []string
	}{
		{"the oldest", `{"installed":true,"version":"27.0.0.1"}`, doctor.OK, []string{"Nextcloud 27.0.0.1"}},
		{"the newest", `{"installed":true,"version":"34.0.2.1"}`, doctor.OK, []string{"Nextcloud 34.0.2.1"}},
		{"too old", `{"installed":true,"version":"26.0.13.1"}`, doctor.Warning, []string{"26.0.13.1 is older", "Upgrade"}},
		{"not measured", `{"installed":true,"version":"35.0.0.1"}`, doctor.Warning, []string{"35.0.0.1 is newer", "27 to 34"}},
		{"untold", `{"installed":true,"version":"` + bodyWords + `"}`, doctor.Warning, []string{"does not report"}},
		{"not installed", `{"installed":false,"version":"27.1.0.7"}`, doctor.Failed, []string{"not installed", "maintenance:install"}},
		{"in maintenance", `{"installed":true,"maintenance":true,"version":"27.1.0.7"}`, doctor.Failed, []string{"maintenance", "occ maintenance:mode --off"}},
		{"before its upgrade", `{"installed":true,"needsDbUpgrade":true,"version":"27.1.0.7"}`, doctor.Failed, []string{"upgrade", "occ upgrade"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.cloud.Fail(nextcloudtest.Times(1, nextcloudtest.Answer(200, "application/json", c.status, 0),
				nextcloudtest.On(http.MethodGet, "/status.php")))
			r := f.examine(t)
			r.want(t, c.level, "version", c.words...)
			if tried := f.withCredentials("") > 0; tried != (c.level != doctor.Failed) {
				t.Errorf("credentials tried: %t", tried)
			}
		})
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		ahead time.Duration // our clock, of the server's
		slow  time.Duration // what the answer took
		level doctor.Level
		words []string
	}{
		{"together", 0, 0, doctor.OK, []string{"agree"}},
		{"a little behind", 25 * time.Second, 0, doctor.OK, nil},
		{"behind", 40 * time.Second, 0, doctor.Warning, []string{"40.0 s behind", "NTP"}},
		{"ahead", -40 * time.Second, 0, doctor.Warning, []string{"ahead of", "NTP"}},
		{"half of a slow answer is allowed for", 0, 80 * time.Second, doctor.OK, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var late atomic.Int64
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
				late.Add(int64(c.slow))
				_, _ = w.Write([]byte(`{"installed":true,"maintenance":true}`))
			}))
			t.Cleanup(s.Close)
			examine(t, settingsFor(t, s.URL), func(d *doctor.Config) {
				d.Now = func() time.Time { return time.Now().Add(c.ahead - c.slow + time.Duration(late.Load())) }
			}).want(t, c.level, "clock", c.words...)
		})
	}
}
