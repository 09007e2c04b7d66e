package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

const cloudPassword = "the administrator's own password"

// doctorOutput runs gateway nextcloud doctor with only the given settings: it needs neither
// a database nor a secret.
func doctorOutput(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	code = run(t.Context(), append([]string{"nextcloud", "doctor"}, args...),
		func(name string) (string, bool) { v, ok := env[name]; return v, ok }, &out, &problems)
	for _, text := range []string{out.String(), problems.String()} {
		if strings.Contains(text, cloudPassword) || strings.Contains(text, "hunter2") {
			t.Errorf("the output contains a secret:\n%s", text)
		}
	}
	return code, out.String(), problems.String()
}

func cloud(t *testing.T) (*nextcloudtest.Server, map[string]string) {
	t.Helper()
	c := nextcloudtest.New(nextcloudtest.Options{AdminPassword: cloudPassword, Dir: t.TempDir()})
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return c, map[string]string{
		"NEXTCLOUD_URL": server.URL, "NEXTCLOUD_ADMIN_USER": "admin", "NEXTCLOUD_ADMIN_PASSWORD": cloudPassword,
	}
}

func TestDoctor_ReportsEachCheck(t *testing.T) {
	t.Parallel()
	_, env := cloud(t)
	code, out, problems := doctorOutput(t, env, "--read-only")
	if code != 0 || problems != "" {
		t.Errorf("exit code %d and %q on stderr, want 0 and nothing", code, problems)
	}
	for _, want := range []string{
		"ok       version: Nextcloud 27.1.0.7\n",
		"ok       throttle: no delay after failed logins\n         This machine is not exempt",
		"ok       admin-rights: \"admin\" is in the group admin\n",
		"skipped  admin-password, leftovers, scratch-account, scratch-login, dav-list, dav-put, dav-get, dav-delete, " +
			"scratch-removal: not checked, because the run is read-only\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("got no %q in\n%s", want, out)
		}
	}
}

func TestDoctor_CreatesAndRemovesAnAccount(t *testing.T) {
	t.Parallel()
	c, env := cloud(t)
	code, out, problems := doctorOutput(t, env)
	if code != 0 || problems != "" || !strings.Contains(out, "ok       dav-get: the file can be read\n") {
		t.Errorf("exit code %d and %q on stderr, want 0 and nothing\n%s", code, problems, out)
	}
	if all := c.Users(); len(all) != 1 || len(all[0].AppPasswords) != 0 {
		t.Errorf("Nextcloud has the accounts %+v, want only the administrator without app passwords", all)
	}
}

func TestDoctor_WarningsDoNotFail(t *testing.T) {
	t.Parallel()
	_, env := cloud(t)
	env["NEXTCLOUD_ADMIN_USER"] = "ADMIN"
	code, out, _ := doctorOutput(t, env, "--read-only")
	if code != 0 || !strings.Contains(out, "warning  admin: ") {
		t.Errorf("exit code %d, want 0 and a warning\n%s", code, out)
	}
}

func TestDoctor_FailuresSetTheExitCode(t *testing.T) {
	t.Parallel()
	c, env := cloud(t)
	env["NEXTCLOUD_ADMIN_PASSWORD"] = "hunter2"
	code, out, problems := doctorOutput(t, env)
	if code != 1 || !strings.Contains(out, "failed   admin: ") || problems != "the gateway cannot use this Nextcloud; failures: 1\n" {
		t.Errorf("exit code %d and %q on stderr, want 1 and one failure\n%s", code, problems, out)
	}
	if c.FailedLogins() != 1 {
		t.Errorf("Nextcloud counts %d failed logins, want 1", c.FailedLogins())
	}
}

func TestDoctor_JSON(t *testing.T) {
	t.Parallel()
	c, env := cloud(t)
	c.Fail(nextcloudtest.Times(1, nextcloudtest.Answer(http.StatusBadRequest, "application/json", `{"code":15}`, 0),
		nextcloudtest.On(http.MethodGet, "/status.php")))
	code, out, _ := doctorOutput(t, env, "--json")
	var doc struct {
		Failed   int
		Findings []struct {
			Check, Level, Text, Cure string
			Took                     *float64 `json:"took_ms"`
		}
	}
	dec := json.NewDecoder(strings.NewReader(out))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil || dec.More() {
		t.Fatalf("%v in\n%s", err, out)
	}
	if code != 1 || doc.Failed != 1 || len(doc.Findings) != 21 {
		t.Fatalf("exit code %d, want 1 and 21 findings, one of them failed\n%s", code, out)
	}
	f := doc.Findings[6]
	if f.Check != "trusted-domain" || f.Level != "failed" || f.Took == nil ||
		!strings.Contains(f.Cure, "occ config:system:set trusted_domains N --value 127.0.0.1") {
		t.Errorf("got %+v, want that trusted-domain failed, with a cure", f)
	}
	if last := doc.Findings[20]; last.Check != "scratch-removal" || last.Level != "skipped" {
		t.Errorf("got %+v, want that scratch-removal was skipped", last)
	}
}

func TestDoctor_ReportsEachWrongSetting(t *testing.T) {
	t.Parallel()
	code, out, problems := doctorOutput(t, map[string]string{
		"NEXTCLOUD_URL": "ftp://root:hunter2@cloud", "NEXTCLOUD_CA_FILE": "/nowhere", "NEXTCLOUD_ON_DELETE": "forget",
	})
	problems, hint, _ := strings.Cut(problems, "Run `gateway config check`")
	if code != exitNotChecked || out != "" || strings.Count(problems, "\n") != 3 || hint == "" {
		t.Errorf("exit code %d, %q and %q, want %d and three mistakes", code, out, problems, exitNotChecked)
	}
	for line := range strings.Lines(problems) {
		if !strings.HasPrefix(line, "NEXTCLOUD_") || !strings.Contains(line, "; it must be ") {
			t.Errorf("got %q, want a setting and what it must be", line)
		}
	}
}

func TestDoctor_WithoutANextcloud(t *testing.T) {
	t.Parallel()
	code, out, _ := doctorOutput(t, nil)
	if code != 1 || !strings.Contains(out, "failed   address: NEXTCLOUD_URL is not set\n         Set NEXTCLOUD_URL") {
		t.Errorf("exit code %d, want 1 and a failed check of the address\n%s", code, out)
	}
}
