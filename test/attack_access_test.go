package test_test

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/voiceassist/gateway/docs"
)

// accessAttacks reach for what belongs to other users, or for what is no longer accessible
// to anyone.
func accessAttacks() []attack {
	return []attack{
		{name: "another user's sessions, logins and app passwords (IDOR)", without: "OwnersOnly", run: reachOthers},
		{name: "administrators' calls as a user", without: "AdministratorsOnly", run: administer},
		{name: "set fields that no call accepts (mass assignment)", without: "KnownFields", run: assign},
		{name: "leave the user's folder (path traversal)", without: "FilePaths", settings: unlimited(), run: traverse},
		{name: "use tokens after logout, password change or disabling", without: "LiveLogin", run: useEnded},
		{name: "use an API key beyond its scopes", without: "KeyScopes", run: exceedScopes},
		{name: "sign in to a disabled account", without: "AccountState", run: signInDisabled},
		{name: "sign in before the address is verified", without: "VerifiedAddress", settings: []string{"EMAIL_VERIFICATION=login"}, run: signInUnverified},
	}
}

// reachOthers requests everything that has an ID, using the IDs of another user.
func reachOthers(a *assault) {
	owner, thief := a.person(), a.person()
	made := owner.do("POST", "/api/sessions", `{"title":"a secret"}`, owner.bearer())
	session := made.get("id")
	var login string
	list := owner.do("GET", "/api/users/me/logins", "", owner.bearer()).body
	if _, rest, ok := strings.Cut(list, `"id":"`); ok {
		login, _, _ = strings.Cut(rest, `"`)
	}
	owner.hasStorage()
	thief.hasStorage()
	app := owner.do("POST", "/api/users/me/nextcloud/app-password", fmt.Sprintf(`{"name":"laptop","password":%q}`, plain), owner.bearer()).get("id")
	if session == "" || login == "" || app == "" {
		a.Fatalf("got the session %q, the login %q and the app password %q, want IDs", session, login, app)
	}
	for _, call := range []struct{ method, path, body string }{
		{"GET", "/api/sessions/" + session, ""},
		{"PATCH", "/api/sessions/" + session, `{"title":"mine"}`},
		{"DELETE", "/api/sessions/" + session, ""},
		{"DELETE", "/api/users/me/nextcloud/app-passwords/" + app, ""},
		{"DELETE", "/api/users/me/logins/" + login, ""},
		{"GET", "/api/sessions/" + strings.ToUpper(session), ""},
		{"GET", "/api/sessions/" + session + "?user_id=" + owner.id, ""},
		{"GET", "/api/files/" + owner.email + "/", ""},
		{"GET", "/api/files/" + url.PathEscape(owner.email) + "/welcome.txt", ""},
	} {
		got := thief.do(call.method, call.path, call.body, thief.bearer(), "X-User-ID: "+owner.id)
		a.attempt(got.status != http.StatusNotFound, "%s %s: %d", call.method, call.path, got.status)
	}
	for _, path := range []string{"/api/sessions?user_id=" + owner.id, "/api/sessions?skip=0&limit=200", "/api/users/me/logins", "/api/users/me/nextcloud/app-passwords"} {
		got := thief.do("GET", path, "", thief.bearer())
		a.attempt(strings.Contains(got.body, session) || strings.Contains(got.body, login) || strings.Contains(got.body, app), "GET %s lists it", path)
	}
}

// exceedScopes uses an administrator's key that may only read the profile for everything
// else. The password is known, so only the scopes are in the way.
func exceedScopes(a *assault) {
	p := a.admin()
	session := p.do("POST", "/api/sessions", `{"title":"a secret"}`, p.bearer()).get("id")
	made := p.do("POST", "/api/auth/api-keys", `{"name":"a script","scopes":["profile:read"]}`, p.bearer())
	key := "Authorization: Bearer " + made.get("key")
	if got := p.do("GET", "/api/users/me", "", key); session == "" || !got.ok() {
		a.Fatalf("with the session %q, the key reads its profile: %d %s", session, got.status, made.body)
	}
	for _, call := range []struct{ method, path, body string }{
		{"GET", "/api/sessions", ""},
		{"GET", "/api/sessions/" + session, ""},
		{"POST", "/api/sessions", `{"title":"x"}`},
		{"PATCH", "/api/sessions/" + session, `{"title":"x"}`},
		{"DELETE", "/api/sessions/" + session, ""},
		{"GET", "/api/files/", ""},
		{"GET", "/api/users", ""},
		{"GET", "/api/users/" + p.id, ""},
		{"GET", "/api/users/me/logins", ""},
		{"GET", "/api/audit", ""},
		{"PATCH", "/api/users/me", `{"full_name":"x"}`},
		{"GET", "/api/auth/api-keys", ""},
		{"POST", "/api/auth/api-keys", fmt.Sprintf(`{"name":"more","scopes":["files:write"],"password":%q}`, plain)},
		{"POST", "/api/users/change-password", fmt.Sprintf(`{"current_password":%q,"new_password":"another horse battery staple"}`, plain)},
		{"POST", "/api/auth/logout?all=true", ""},
		{"DELETE", "/api/users/me", fmt.Sprintf(`{"current_password":%q}`, plain)},
	} {
		got := p.do(call.method, call.path, call.body, key)
		a.attempt(got.ok(), "%s %s: %d", call.method, call.path, got.status)
	}
}

// hasStorage waits until the person's Nextcloud account exists.
func (p *person) hasStorage() {
	p.a.Helper()
	way := p.a.gate
	saved := map[string]string{"access": p.access}
	ready := hasStorage
	ready.header += "\nX-Forwarded-For: " + p.address
	play(p.a.T, way, []step{ready}, saved)
}

// administer makes every call that the API description reserves for administrators, as a
// user and without authentication.
func administer(a *assault) {
	p, victim := a.person(), a.person()
	for _, operation := range docs.Operations() {
		method, path, _ := strings.Cut(operation, " ")
		if path != "/api/users" && path != "/api/audit" && !strings.HasPrefix(path, "/api/users/{id}") && !strings.HasPrefix(path, "/api/nextcloud/") {
			continue
		}
		path = strings.NewReplacer("{id}", victim.id, "{user_id}", victim.id).Replace(path)
		body := map[string]string{
			"PATCH": `{"full_name":"changed"}`, "POST": `{"email":"new@example.org","password":"` + plain + `","role":"admin"}`,
		}[method]
		if strings.HasPrefix(path, "/api/nextcloud/") {
			body = ""
		}
		got := p.do(method, path, body, p.bearer(), "X-Role: admin", "X-Admin: true", "X-Original-URL: /api/users/me")
		a.attempt(got.status != http.StatusForbidden, "%s %s as a user: %d", method, path, got.status)
		nobody := a.newVisitor().do(method, path, body)
		a.attempt(nobody.status != http.StatusUnauthorized, "%s %s as nobody: %d", method, path, nobody.status)
	}
}

// assign sends fields that accounts have but that calls must not accept. An attempt gets
// through if the call succeeds or the account has changed.
func assign(a *assault) {
	p := a.person()
	p.hasStorage() // which changes the account
	for _, field := range []string{
		`"role":"admin"`, `"is_admin":true`, `"admin":true`, `"disabled":false`, `"is_active":true`, `"id":"019ce000-0000-7000-8000-000000000000"`,
		`"password_hash":"x"`, `"password":"another password"`, `"nextcloud_user_id":"admin"`, `"created_at":"2000-01-01T00:00:00Z"`,
	} {
		for _, method := range []string{"PATCH", "PUT"} {
			before := p.do("GET", "/api/users/me", "", p.bearer())
			got := p.do(method, "/api/users/me", "{"+field+"}", p.bearer())
			after := p.do("GET", "/api/users/me", "", p.bearer())
			a.attempt(got.ok() || after.body != before.body, "%s %s: %d %s", method, field, got.status, after.body)
		}
		c := a.newVisitor()
		made := c.do("POST", "/api/auth/register", fmt.Sprintf(`{"email":"a%s@example.org","password":%q,%s}`, c.address, plain, field))
		a.attempt(made.ok(), "register with %s: %d", field, made.status)
		session := p.do("POST", "/api/sessions", `{"title":"x","user_id":"019ce000-0000-7000-8000-000000000000",`+field+`}`, p.bearer())
		a.attempt(session.ok(), "a session with %s: %d", field, session.status)
	}
}

// traverse attempts to leave the folder with every way to write a path. An attempt gets
// through if the request reaches Nextcloud outside the folder.
func traverse(a *assault) {
	p, victim := a.person(), a.person()
	p.hasStorage()
	victim.hasStorage()
	a.cloud.taken()
	var paths []string
	for _, up := range []string{
		"..", "%2e%2e", ".%2e", "%2E.", "..%2f..", "..%5c..", "..\\..", "%2e%2e%2f%2e%2e", "%252e%252e", "..%252f..", "..;", "....//..", "..%00", "%c0%ae%c0%ae",
		"%u002e%u002e", "..%ef%bc%8f..", "x/../..", "./..", "..%0a", "",
	} {
		paths = append(paths, up+"/"+victim.email+"/welcome.txt", "Documents/"+up+"/"+up+"/"+victim.email+"/welcome.txt", "/"+up)
	}
	paths = append(paths, "/etc/passwd", "%2fetc%2fpasswd", "//evil.example.com/x", "http:%2f%2fevil.example.com/", "C:%5cwindows", "x%00.txt", "%00")
	for _, sent := range paths {
		a.leaves(p, sent, func() answer { return p.raw("GET", "/api/files/"+sent, "") })
		a.leaves(p, sent, func() answer { return p.raw("PUT", "/api/files/"+sent, "x") })
		plain := sent
		if u, err := url.PathUnescape(sent); err == nil {
			plain = u
		}
		a.leaves(p, "move to "+plain, func() answer {
			body := fmt.Sprintf(`{"copy_to":%q,"overwrite":true}`, plain)
			return p.raw("POST", "/api/files/welcome.txt", strings.ReplaceAll(body, `\x`, `\u00`))
		})
	}
}

// leaves sends a request and checks which path it reached in Nextcloud.
func (a *assault) leaves(p *person, what string, send func() answer) {
	a.Helper()
	got := send()
	var out []string
	for _, at := range a.cloud.taken() {
		at, err := url.PathUnescape(at)
		clean := path.Clean(strings.ReplaceAll(at, `\`, "/"))
		inside := false
		for _, folder := range []string{"/remote.php/dav/files/", "/remote.php/dav/uploads/"} {
			inside = inside || clean == folder+p.email || strings.HasPrefix(clean, folder+p.email+"/")
		}
		if err != nil || !inside && !strings.HasPrefix(clean, "/ocs/") && !strings.HasPrefix(clean, "/status.php") || strings.ContainsAny(at, "\x00\n") {
			out = append(out, at)
		}
	}
	a.attempt(len(out) > 0, "%q (%d) led to %q", what, got.status, out)
}

// raw is [visitor.do] with the person's token, for paths that may be malformed.
func (p *person) raw(method, path, body string) answer {
	p.a.Helper()
	if _, err := url.PathUnescape(path); err != nil {
		return answer{} // no client sends this
	}
	return p.do(method, path, body, p.bearer())
}

// useEnded uses the tokens of ended logins at every call that takes one.
func useEnded(a *assault) {
	root := a.admin()
	for name, end := range map[string]func(p *person, bearer string) answer{
		"logout": func(p *person, bearer string) answer { return p.do("POST", "/api/auth/logout", "", bearer) },
		"logout of all": func(p *person, bearer string) answer {
			p.login(plain)
			return p.do("POST", "/api/auth/logout?all=true", "", p.bearer())
		},
		"a new password": func(p *person, _ string) answer {
			p.login(plain)
			return p.do("POST", "/api/users/change-password", fmt.Sprintf(`{"old_password":%q,"new_password":"an entirely new passphrase"}`, plain), p.bearer())
		},
		"disabling": func(p *person, _ string) answer {
			return root.do("PATCH", "/api/users/"+p.id, `{"disabled":true}`, root.bearer())
		},
		"deletion": func(p *person, _ string) answer {
			return root.do("DELETE", "/api/users/"+p.id, "", root.bearer())
		},
	} {
		p := a.person()
		access, refresh := p.access, p.refresh
		if got := end(p, p.bearer()); !got.ok() {
			a.Fatalf("%s: %d %s", name, got.status, got.body)
		}
		c := a.newVisitor()
		for _, path := range []string{"/api/users/me", "/api/sessions", "/api/users/me/logins"} {
			got := c.do("GET", path, "", "Authorization: Bearer "+access)
			a.attempt(got.status != http.StatusUnauthorized, "after %s, GET %s: %d", name, path, got.status)
		}
		got := c.do("POST", "/api/auth/refresh", `{"refresh_token":"`+refresh+`"}`)
		a.attempt(got.ok(), "after %s, the refresh token gives another: %d", name, got.status)
	}
}

// signInDisabled signs in with the password of a disabled account.
func signInDisabled(a *assault) {
	p, root := a.person(), a.admin()
	if got := root.do("PATCH", "/api/users/"+p.id, `{"disabled":true}`, root.bearer()); !got.ok() {
		a.Fatalf("disable: %d %s", got.status, got.body)
	}
	for _, body := range []string{
		fmt.Sprintf(`{"email":%q,"password":%q}`, p.email, plain),
		fmt.Sprintf(`{"username":%q,"password":%q,"transport":"cookie"}`, strings.ToUpper(p.email), plain),
		fmt.Sprintf("username=%s&password=%s&grant_type=password", p.email, strings.ReplaceAll(plain, " ", "+")),
	} {
		got := p.do("POST", loginAddress, body)
		a.attempt(got.status != http.StatusUnauthorized, "%d", got.status)
	}
	again := p.do("POST", "/api/auth/register", fmt.Sprintf(`{"email":%q,"password":"an entirely new passphrase"}`, p.email))
	in := p.do("POST", loginAddress, fmt.Sprintf(`{"email":%q,"password":"an entirely new passphrase"}`, p.email))
	a.attempt(in.ok(), "it is registered anew (%d) and opened", again.status)
}

// signInUnverified registers with an address whose mail somebody else reads, and signs in.
func signInUnverified(a *assault) {
	c := a.newVisitor()
	const email = "somebody.else@example.org"
	if made := c.do("POST", "/api/auth/register", fmt.Sprintf(`{"email":%q,"password":%q}`, email, plain)); !made.ok() {
		a.Fatalf("register: %d %s", made.status, made.body)
	}
	for _, body := range []string{
		fmt.Sprintf(`{"email":%q,"password":%q}`, email, plain),
		fmt.Sprintf(`{"username":%q,"password":%q,"transport":"cookie"}`, strings.ToUpper(email), plain),
		fmt.Sprintf("username=%s&password=%s&grant_type=password", email, strings.ReplaceAll(plain, " ", "+")),
	} {
		got := c.do("POST", loginAddress, body)
		a.attempt(got.status != http.StatusForbidden, "%d", got.status)
	}
}
