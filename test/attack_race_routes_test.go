package test_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/voiceassist/gateway/shared/foundation/defense"
)

// A writingRoute is a route that writes, and how to race it.
type writingRoute struct {
	route    string // as in the API description
	admin    bool   // an administrator sends it
	storage  bool   // needs an account in Nextcloud
	conflict bool   // needs a Nextcloud account that existed before
	password bool   // confirms a password, and is also held after that
	public   bool   // needs no proof before the body is read
	prepare  func(r *racer)
	request  func(r *racer) (path, body string)

	not   []string // races that leave nothing to act on
	twice []string // races that something else also stops, so no counter-proof gets through
}

// writingRoutes returns every route that writes for a user.
func writingRoutes() []writingRoute {
	at := func(path, body string) func(*racer) (string, string) {
		return func(*racer) (string, string) { return path, body }
	}
	thing := func(prefix, body string) func(*racer) (string, string) {
		return func(r *racer) (string, string) { return prefix + r.thing, body }
	}
	session := func(r *racer) {
		r.thing = r.do("POST", "/api/sessions", `{"title":"x"}`, r.bearer()).get("id")
	}
	file := func(r *racer) {
		r.thing = "/api/files/a.txt"
		r.must(http.StatusCreated, r.do("PUT", r.thing, "content", r.bearer()))
	}
	app := func(r *racer) {
		body := fmt.Sprintf(`{"name":"laptop","password":%q}`, plain)
		r.thing = r.do("POST", "/api/users/me/nextcloud/app-password", body, r.bearer()).get("id")
	}
	key := func(r *racer) {
		r.thing = r.do("POST", "/api/auth/api-keys", `{"name":"x","scopes":["files:read"]}`, r.bearer()).get("id")
	}
	invited := func(r *racer) {
		body := fmt.Sprintf(`{"email":"invited-%s"}`, r.email)
		r.thing = r.root.do("POST", "/api/users/invite", body, r.root.bearer()).get("id")
	}
	setUp := func(r *racer) {
		key := r.do("POST", "/api/auth/2fa/setup", `{}`, r.bearer()).get("manual_entry_key")
		r.thing = r.code(key, 0)
	}
	enrolled := func(r *racer) { r.thing = r.code(r.enroll(), 1) }
	challenged := func(r *racer) {
		code := r.code(r.enroll(), 1)
		r.thing = fmt.Sprintf(`{"user_id":%q,"code":%q}`, r.passwordOnly().get("user_id"), code)
	}
	confirmed := fmt.Sprintf(`{"password":%q}`, plain)
	return []writingRoute{
		{route: "POST /api/users", admin: true, request: func(r *racer) (string, string) {
			return "/api/users", fmt.Sprintf(`{"email":"new-%s","password":%q,"role":"admin"}`, r.email, plain)
		}},
		{route: "PATCH /api/users/{id}", admin: true, request: func(r *racer) (string, string) {
			return "/api/users/" + r.id, `{"disabled":false,"role":"admin"}`
		}},
		{route: "PATCH /api/users/{id}", admin: true, storage: true, request: func(r *racer) (string, string) {
			return "/api/users/" + r.other.id, `{"nextcloud_quota":"1 GB"}`
		}},
		{route: "DELETE /api/users/{id}", admin: true, request: func(r *racer) (string, string) { return "/api/users/" + r.other.id, "" }},
		{route: "POST /api/users/invite", admin: true, request: func(r *racer) (string, string) {
			return "/api/users/invite", fmt.Sprintf(`{"email":"new-%s","role":"admin"}`, r.email)
		}},
		{route: "POST /api/users/{id}/resend-invitation", admin: true, prepare: invited, request: func(r *racer) (string, string) {
			return "/api/users/" + r.thing + "/resend-invitation", ""
		}},
		{route: "POST /api/users/{id}/reset-password", admin: true, request: func(r *racer) (string, string) {
			return "/api/users/" + r.other.id + "/reset-password", ""
		}},
		{route: "POST /api/users/{id}/logout", admin: true, request: func(r *racer) (string, string) {
			return "/api/users/" + r.other.id + "/logout", `{"keep_app_passwords":true}`
		}},
		{route: "POST /api/nextcloud/accounts/{user_id}/retry", admin: true, request: func(r *racer) (string, string) {
			return "/api/nextcloud/accounts/" + r.other.id + "/retry", ""
		}},
		{route: "POST /api/nextcloud/accounts/{user_id}/adopt", admin: true, conflict: true, request: func(r *racer) (string, string) {
			return "/api/nextcloud/accounts/" + r.other.id + "/adopt", fmt.Sprintf(`{"nextcloud_user_id":%q}`, r.other.email)
		}},
		{route: "POST /api/nextcloud/reconcile", admin: true, request: at("/api/nextcloud/reconcile", "")},
		{route: "PUT /api/users/me", request: at("/api/users/me", `{"full_name":"Somebody Else"}`)},
		{route: "PATCH /api/users/me", password: true, request: func(r *racer) (string, string) {
			return "/api/users/me", fmt.Sprintf(`{"email":"new-%s","current_password":%q}`, r.email, plain)
		}},
		{route: "DELETE /api/users/me", password: true, request: at("/api/users/me", confirmed)},
		{route: "POST /api/users/change-password", password: true, request: at("/api/users/change-password",
			fmt.Sprintf(`{"old_password":%q,"new_password":"what a thief remembers"}`, plain))},
		{route: "POST /api/users/me/change-password", password: true, request: at("/api/users/me/change-password",
			fmt.Sprintf(`{"current_password":%q,"new_password":"what a thief remembers"}`, plain))},
		{route: "PUT /api/users/me/password", password: true, request: at("/api/users/me/password",
			fmt.Sprintf(`{"currentPassword":%q,"newPassword":"what a thief remembers"}`, plain))},
		{route: "DELETE /api/users/me/logins/{id}", not: []string{"disabling"}, // which also ends that login
			request: func(r *racer) (string, string) { return "/api/users/me/logins/" + r.login, "" }},
		{route: "POST /api/auth/api-keys", password: true, request: at("/api/auth/api-keys",
			fmt.Sprintf(`{"name":"x","scopes":["files:read"],"password":%q}`, plain))},
		{route: "DELETE /api/auth/api-keys/{id}", prepare: key, request: thing("/api/auth/api-keys/", ""),
			not: []string{"disabling", "change of password"}}, // which revoke it
		{route: "POST /api/auth/2fa/setup", password: true, request: at("/api/auth/2fa/setup", confirmed)},
		{route: "POST /api/auth/2fa/verify", prepare: setUp, request: func(r *racer) (string, string) {
			return "/api/auth/2fa/verify", fmt.Sprintf(`{"code":%q}`, r.thing)
		}},
		// With a second factor, a change of password needs a code of its own.
		{route: "POST /api/auth/2fa/disable", password: true, prepare: enrolled, not: []string{"change of password"},
			request: func(r *racer) (string, string) {
				return "/api/auth/2fa/disable", fmt.Sprintf(`{"password":%q,"code":%q}`, plain, r.thing)
			}},
		{route: "POST /api/auth/2fa/backup-codes", prepare: enrolled, not: []string{"change of password"},
			request: func(r *racer) (string, string) {
				return "/api/auth/2fa/backup-codes", fmt.Sprintf(`{"code":%q}`, r.thing)
			}},
		{route: "POST /api/sessions", request: at("/api/sessions", `{"title":"x"}`)},
		{route: "PATCH /api/sessions/{id}", prepare: session, request: thing("/api/sessions/", `{"title":"y"}`)},
		{route: "DELETE /api/sessions/{id}", prepare: session, request: thing("/api/sessions/", "")},
		// The gateway tells Nextcloud about disabled accounts and changed passwords anyway.
		{route: "POST /api/users/me/nextcloud/app-password", storage: true, password: true, twice: []string{"disabling", "change of password"},
			request: at("/api/users/me/nextcloud/app-password", fmt.Sprintf(`{"name":"laptop","password":%q}`, plain))},
		{route: "POST /api/users/me/nextcloud/claim", conflict: true,
			request: at("/api/users/me/nextcloud/claim", fmt.Sprintf(`{"password":%q}`, fromBefore))},
		{route: "DELETE /api/users/me/nextcloud/app-passwords/{id}", storage: true, prepare: app,
			not:     []string{"change of password"}, // the change revokes it
			request: thing("/api/users/me/nextcloud/app-passwords/", "")},
		{route: "PUT /api/files/{path}", storage: true, twice: []string{"disabling"}, request: at("/api/files/new.txt", "what is stored")},
		{route: "DELETE /api/files/{path}", storage: true, twice: []string{"disabling"}, prepare: file, request: thing("", "")},
		{route: "POST /api/files/{path}", storage: true, twice: []string{"disabling"}, prepare: file, request: thing("", `{"move_to":"b.txt"}`)},

		{route: "POST /api/auth/login", public: true, password: true, not: []string{"logout"}, request: func(r *racer) (string, string) {
			return loginAddress, fmt.Sprintf(`{"email":%q,"password":%q}`, r.email, plain)
		}},
		{route: "POST /api/auth/2fa/verify-login", public: true, prepare: challenged, not: []string{"logout", "change of password"},
			twice:   []string{"disabling"}, // also checked with the challenge
			request: func(r *racer) (string, string) { return "/api/auth/2fa/verify-login", r.thing }},
		{route: "POST /api/auth/refresh", public: true, request: func(r *racer) (string, string) {
			return "/api/auth/refresh", fmt.Sprintf(`{"refresh_token":%q}`, r.refresh)
		}},
		{route: "POST /api/auth/logout", public: true, request: at("/api/auth/logout?all=true", "")},
	}
}

// publicRoutes lists the routes that write without authentication.
var publicRoutes = []string{
	"POST /api/auth/register", "POST /api/auth/request-verify-token", "POST /api/auth/forgot-password",
	// A token in a mail is spent by the statement that acts.
	"POST /api/auth/verify", "POST /api/auth/reset-password", "POST /api/auth/accept-invitation", "POST /api/auth/undo", "POST /api/auth/not-me",
}

func (c writingRoute) has(it race) bool {
	_, body := c.request(&racer{person: &person{}, other: &person{}})
	return !slices.Contains(c.not, it.name) && (c.admin || it.name != "change of role") && (!it.parked || body != "" && !c.public)
}

// stoppedTwice reports whether something else also stops the race.
func (c writingRoute) stoppedTwice(it race) bool {
	return slices.ContainsFunc(c.twice, func(name string) bool { return strings.HasSuffix(it.name, name) })
}

// places returns the places that can hold a request of c.
func (c writingRoute) places(it race) []string {
	switch {
	case it.parked:
		return []string{"body"}
	case c.password && c.public:
		return []string{string(defense.PasswordVerified)}
	case c.password:
		return []string{string(defense.Admitted), string(defense.PasswordVerified)}
	}
	return []string{string(defense.Admitted)}
}
