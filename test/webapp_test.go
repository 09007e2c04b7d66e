package test_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/docs/docstest"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
)

const correlation = "web-7f3a2c"

// tracing holds what VoiceAssist's web app adds to every request, with the headers of the
// Sentry and OpenTelemetry SDKs. It also sends Content-Type on requests without a body.
const tracing = "X-Correlation-ID: " + correlation + "\n" +
	"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n" +
	"tracestate: vendor=t61rcWkgMzE\n" +
	"sentry-trace: 4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1\n" +
	"baggage: sentry-environment=production,sentry-release=web%401.0\n" +
	"X-Client-Env: production\n" +
	"Content-Type: application/json"

// webApp returns the calls of VoiceAssist's web app. Any 401 would sign its user out.
func webApp() []step {
	const signedIn = tracing + "\nAuthorization: Bearer ${access}"
	tokens := map[string]string{"access": "access_token", "refresh": "refresh_token"}
	return []step{
		{name: "register", method: "POST", path: "/api/auth/register", header: tracing, status: 200,
			body: `{"email":"grace@example.org","password":"correct horse battery staple","full_name":"Grace Hopper"}`},
		{name: "sign in", method: "POST", path: "/api/auth/login", header: tracing, status: 200, save: tokens,
			body: `{"email":"grace@example.org","password":"correct horse battery staple"}`},
		{name: "who am I", method: "GET", path: "/api/users/me", header: signedIn, status: 200},
		{name: "session", method: "GET", path: "/api/auth/session", header: signedIn, status: 200},
		{name: "refresh", method: "POST", path: "/api/auth/refresh", header: signedIn, status: 200, save: tokens,
			body: `{"refresh_token":"${refresh}"}`},
		{name: "change the password", method: "PUT", path: "/api/users/me/password", header: signedIn, status: 200,
			body: `{"currentPassword":"correct horse battery staple","newPassword":"an entirely new passphrase"}`},
		{name: "sign out", method: "POST", path: "/api/auth/logout", header: signedIn, status: 204}, // no bytes
	}
}

// webAppReads returns the members that the web app reads from some responses.
func webAppReads() map[string][]string {
	return map[string][]string{
		"sign in": {"access_token", "refresh_token", "expires_in", "role"},
		"who am I": {"id", "email", "full_name", "role", "is_active", "is_admin", "nextcloud_user_id", "created_at",
			"last_login"},
		"session": {"absolute_timeout_hours", "inactivity_timeout_minutes", "absolute_remaining_seconds",
			"inactivity_remaining_seconds", "session_started_at", "last_activity_at"},
	}
}

// fits logs the response to a step, and fails the test if it is not what the web app
// expects, or lacks a member that it reads.
func fits(t *testing.T, s step, status int, body string) {
	t.Helper()
	t.Logf("%-4s %-24s %d %s", s.method, s.path, status, mask(body))
	if status != s.status {
		t.Errorf("%s: got %d %s, want %d", s.name, status, body, s.status)
	}
	members := map[string]json.RawMessage{}
	if body != "" {
		if err := json.Unmarshal([]byte(body), &members); err != nil {
			t.Errorf("%s: %v in %s", s.name, err, body)
		}
	}
	for _, member := range webAppReads()[s.name] {
		if _, there := members[member]; !there {
			t.Errorf("%s: no %s in %s", s.name, member, body)
		}
	}
}

// TestWebApp runs the calls of VoiceAssist's web app against each form of the gateway,
// each after the preflight that a browser would send for its headers.
func TestWebApp(t *testing.T) {
	t.Parallel()
	t.Run("binary", func(t *testing.T) {
		t.Parallel()
		playWebApp(t, start(t, t.TempDir(), nil, "ALLOWED_ORIGINS="+app).target())
	})
	t.Run("functions", func(t *testing.T) {
		t.Parallel()
		env := append(unlimited(), "DATABASE_URL="+database(t), "JWT_SECRET="+keyring.Generate().Reveal(),
			"ALLOWED_ORIGINS="+app, "BCRYPT_COST=10")
		playWebApp(t, target{client: &http.Client{Transport: deploy(t, env...)}, url: public})
	})
}

func playWebApp(t *testing.T, g target) {
	t.Helper()
	g.check = docstest.Check
	saved := map[string]string{}
	for _, s := range webApp() {
		asked := askedHeaders(s)
		allowed, _ := g.send(t, step{name: "preflight of " + s.name, method: "OPTIONS", path: s.path, header: "Origin: " + app +
			"\nAccess-Control-Request-Method: " + s.method + "\nAccess-Control-Request-Headers: " + asked}, saved)
		if h := allowed.Header; allowed.StatusCode != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != app ||
			strings.ReplaceAll(h.Get("Access-Control-Allow-Headers"), " ", "") != asked {
			t.Errorf("the preflight of %s got %d %v", s.name, allowed.StatusCode, h)
		}
		s.header += "\nOrigin: " + app
		resp, body := g.send(t, s, saved)
		fits(t, s, resp.StatusCode, body)
		if h := resp.Header; h.Get("Access-Control-Allow-Origin") != app || h.Get("X-Correlation-ID") != correlation {
			t.Errorf("%s: got the headers %v", s.name, h)
		}
		for name, from := range s.save {
			saved[name] = pick(t, s, resp, body, from)
		}
	}
	play(t, g, []step{{name: "signed out", method: "GET", path: "/api/users/me", header: "Authorization: Bearer ${access}",
		status: http.StatusUnauthorized, code: "login_revoked"}}, saved)
}

// askedHeaders returns the headers of a step as a preflight names them.
func askedHeaders(s step) string {
	var names []string
	for line := range strings.SplitSeq(s.header, "\n") {
		name, _, _ := strings.Cut(line, ":")
		names = append(names, strings.ToLower(name))
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}

// player runs steps in a page, as axios sends them, and returns a promise of the
// responses.
const player = `(async () => {
	const saved = {}, answers = []
	const fill = text => text.replace(/\$\{(\w+)\}/g, (_, name) => saved[name])
	const send = step => new Promise(done => {
		const request = new XMLHttpRequest()
		request.open(step.method, api + step.path)
		for (const line of fill(step.header).split("\n")) {
			const [name, value] = line.split(": ")
			request.setRequestHeader(name, value)
		}
		request.onload = () => done({status: request.status, body: request.responseText,
			correlation: request.getResponseHeader("X-Correlation-ID")})
		request.onerror = () => done({status: 0, body: "", correlation: ""})
		request.send(step.body ? fill(step.body) : null)
	})
	for (const step of steps) {
		const answer = await send(step)
		answers.push(answer)
		for (const [name, from] of Object.entries(step.save ?? {})) saved[name] = JSON.parse(answer.body)[from]
	}
	return JSON.stringify(answers)
})()`

// TestWebApp_InABrowser runs the web app in a page of another site than the gateway's,
// with the browser's own preflights.
func TestWebApp_InABrowser(t *testing.T) {
	t.Parallel()
	f := newBrowserFixture(t)
	page := f.visit(t, foreign)
	f.since()
	type call struct {
		Method string            `json:"method"`
		Path   string            `json:"path"`
		Header string            `json:"header"`
		Body   string            `json:"body"`
		Save   map[string]string `json:"save"`
	}
	var calls []call
	var want []string
	for _, s := range webApp() {
		calls = append(calls, call{s.method, s.path, s.header, s.body, s.save})
		answer := map[int]string{200: "200", 204: "204 and a cookie less"}[s.status]
		want = append(want, "OPTIONS "+s.path+": 204 for 7200 s", s.method+" "+s.path+": "+answer)
	}
	steps, err := json.Marshal(calls)
	if err != nil {
		t.Fatal(err)
	}
	var got []struct {
		Status      int
		Body        string
		Correlation string
	}
	returned := page.runs(t, open, `(steps => `+player+`)(`+string(steps)+`)`)
	if err := json.Unmarshal([]byte(returned), &got); err != nil || len(got) != len(calls) {
		t.Fatalf("the page returned %q, %v", returned, err)
	}
	if diff := cmp.Diff(want, f.since()); diff != "" {
		t.Errorf("at the gateway (-want +got):\n%s", diff)
	}
	for i, s := range webApp() {
		fits(t, s, got[i].Status, got[i].Body)
		if got[i].Correlation != correlation {
			t.Errorf("%s: the page reads the correlation id %q, want its own", s.name, got[i].Correlation)
		}
	}
}
