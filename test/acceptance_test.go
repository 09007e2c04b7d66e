package test_test

import "strings"

// acceptance is the way through the whole gateway, with every kind of bad
// input. It plays against a new gateway; "admin" in what is saved is the
// address of an administrator, whose password is the usual one.
func acceptance() []step {
	const (
		register = `{"email":"test@example.com","password":"SecurePass123!","full_name":"Test User"}`
		bearer   = "Authorization: Bearer ${access}"
		app      = "Origin: https://app.example.org"
	)
	tokens := map[string]string{"access": "access_token", "refresh": "refresh_token"}
	return slicesOf(
		// The plan's own acceptance, word for word.
		step{name: "register", method: "POST", path: "/api/auth/register", body: register, status: 200,
			save: map[string]string{"user": "user.id"}},
		step{name: "log in with form data", method: "POST", path: "/api/auth/login",
			body: "username=test%40example.com&password=SecurePass123%21", status: 200, save: tokens},
		step{name: "me", method: "GET", path: "/api/users/me", header: bearer, status: 200},

		step{name: "the address is taken", method: "POST", path: "/api/auth/register", body: register, status: 409, code: "email_taken"},
		step{name: "a wrong password", method: "POST", path: "/api/auth/login",
			body: `{"email":"test@example.com","password":"wrong"}`, status: 401, code: "incorrect_credentials"},
		step{name: "an unknown user", method: "POST", path: "/api/auth/login",
			body: `{"email":"nobody@example.com","password":"wrong"}`, status: 401, code: "incorrect_credentials"},
		step{name: "change the name", method: "PATCH", path: "/api/users/me", header: bearer,
			body: `{"full_name":"Tëst","preferences":{"language":"de","volume":0.50}}`, status: 200},
		step{name: "the logins", method: "GET", path: "/api/users/me/logins", header: bearer, status: 200},
		step{name: "refresh", method: "POST", path: "/api/auth/refresh", body: `{"refresh_token":"${refresh}"}`, status: 200,
			save: map[string]string{"access": "access_token", "next": "refresh_token"}},
		step{name: "refresh again, as if the answer was lost", method: "POST", path: "/api/auth/refresh",
			body: `{"refresh_token":"${refresh}"}`, status: 200},

		step{name: "no sessions yet", method: "GET", path: "/api/sessions", header: bearer, status: 200},
		step{name: "make a session", method: "POST", path: "/api/sessions", header: bearer,
			body: `{"title":"Weather","context":{"turns":[1,{"said":"ja"}]}}`, status: 201, save: map[string]string{"session": "header:Location"}},
		step{name: "another", method: "POST", path: "/api/sessions", header: bearer, body: `{"title":"Music"}`, status: 201},
		step{name: "read it", method: "GET", path: "${session}", header: bearer, status: 200},
		step{name: "a page of sessions", method: "GET", path: "/api/sessions?skip=0&limit=1", header: bearer, status: 200},
		step{name: "rename it", method: "PATCH", path: "${session}", header: bearer, body: `{"title":"Climate"}`, status: 200},
		step{name: "delete it", method: "DELETE", path: "${session}", header: bearer, status: 204},
		step{name: "it is gone", method: "GET", path: "${session}", header: bearer, status: 404, code: "not_found"},

		step{name: "where Nextcloud stands", method: "GET", path: "/api/users/me/nextcloud", header: bearer, status: 200},
		step{name: "log in with a cookie", method: "POST", path: "/api/auth/login", header: app,
			body: `{"email":"test@example.com","password":"SecurePass123!","transport":"cookie"}`, status: 200,
			save: map[string]string{"cookie": "cookie"}},
		step{name: "refresh with it", method: "POST", path: "/api/auth/refresh",
			header: app + "\nCookie: __Secure-refresh_token=${cookie}", status: 200},
		step{name: "another site may not", method: "POST", path: "/api/auth/refresh",
			header: "Origin: https://evil.example.com\nSec-Fetch-Site: cross-site\nCookie: __Secure-refresh_token=${cookie}", status: 403, code: "cross_origin"},
		step{name: "preflight", method: "OPTIONS", path: "/api/users/me",
			header: app + "\nAccess-Control-Request-Method: PATCH\nAccess-Control-Request-Headers: authorization", status: 204},
		step{name: "preflight of another site", method: "OPTIONS", path: "/api/users/me",
			header: "Origin: https://evil.example.com\nAccess-Control-Request-Method: PATCH", status: 204},

		step{name: "an administrator logs in", method: "POST", path: "/api/auth/login",
			body: `{"email":"${admin}","password":"correct horse battery staple"}`, status: 200, save: map[string]string{"root": "access_token"}},
		step{name: "users are for administrators", method: "GET", path: "/api/users", header: bearer, status: 403, code: "admin_required"},
		step{name: "search users", method: "GET", path: "/api/users?q=TEST%40", header: "Authorization: Bearer ${root}", status: 200},
		step{name: "make a user", method: "POST", path: "/api/users", header: "Authorization: Bearer ${root}",
			body: `{"email":"eve@example.com","password":"correct horse battery staple"}`, status: 201, save: map[string]string{"eve": "header:Location"}},
		step{name: "disable the user", method: "PATCH", path: "${eve}", header: "Authorization: Bearer ${root}", body: `{"disabled":true}`, status: 200},
		step{name: "a disabled user", method: "POST", path: "/api/auth/login",
			body: `{"email":"eve@example.com","password":"correct horse battery staple"}`, status: 401, code: "incorrect_credentials"},
		step{name: "accounts in Nextcloud", method: "GET", path: "/api/nextcloud/accounts?status=active", header: "Authorization: Bearer ${root}", status: 200},
		step{name: "delete the user", method: "DELETE", path: "${eve}", header: "Authorization: Bearer ${root}", status: 204},

		badInput(bearer),

		step{name: "change the password", method: "POST", path: "/api/users/change-password", header: bearer,
			body: `{"old_password":"SecurePass123!","new_password":"an entirely new passphrase"}`, status: 200},
		step{name: "log in with the new one", method: "POST", path: "/api/auth/login",
			body: `{"username":"test@example.com","password":"an entirely new passphrase"}`, status: 200, save: tokens},
		step{name: "log out", method: "POST", path: "/api/auth/logout", header: bearer, status: 204},
		step{name: "the token is dead at once", method: "GET", path: "/api/users/me", header: bearer, status: 401, code: "login_revoked"},
		step{name: "log out again", method: "POST", path: "/api/auth/logout", header: bearer, status: 204},

		step{name: "the keys", method: "GET", path: "/.well-known/jwks.json", status: 200},
		step{name: "health", method: "GET", path: "/health", status: 200},
	)
}

// slicesOf flattens steps and lists of steps.
func slicesOf(parts ...any) []step {
	var all []step
	for _, p := range parts {
		switch p := p.(type) {
		case step:
			all = append(all, p)
		case []step:
			all = append(all, p...)
		}
	}
	return all
}

// badInput is every kind of request that is not acceptable.
func badInput(bearer string) []step {
	post := func(name, path, body string, status int, code string) step {
		return step{name: name, method: "POST", path: path, header: bearer, body: body, status: status, code: code}
	}
	const register = "/api/auth/register"
	typed := func(name, contentType, body string, status int, code string) step {
		s := post(name, register, body, status, code)
		s.header = "Content-Type: " + contentType
		return s
	}
	return []step{
		post("not JSON", register, `{"email"`, 400, "malformed_json"),
		post("JSON and more", register, `{} {}`, 400, "malformed_json"),
		post("a member twice", register, `{"email":"a","email":"b"}`, 400, "malformed_json"),
		post("nested too deeply", "/api/sessions", `{"context":`+strings.Repeat("[", 200)+strings.Repeat("]", 200)+`}`, 400, "malformed_json"),
		typed("an array", "application/json", `[]`, 400, "malformed_json"),
		typed("not UTF-8", "application/json", "{\"email\":\"\xff\"}", 400, "malformed_json"),
		typed("XML", "application/xml", `<x/>`, 415, "unsupported_media_type"),
		typed("a form where JSON is taken", "application/x-www-form-urlencoded", `email=a`, 415, "unsupported_media_type"),
		typed("another charset", "application/json; charset=latin1", `{}`, 415, "unsupported_media_type"),
		post("an unknown field", register, `{"email":"a@example.com","password":"correct horse","admin":true}`, 422, "validation_failed"),
		post("a wrong type", register, `{"email":7,"password":"correct horse"}`, 422, "validation_failed"),
		post("nothing in it", register, `{}`, 422, "validation_failed"),
		post("values that are not acceptable", register, `{"email":"a","password":"b","full_name":"c\u0000"}`, 422, "validation_failed"),
		post("20,000 arrays in each other", "/api/sessions", `{"context":`+strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)+`}`, 400, "malformed_json"),
		post("a password of 73 bytes", register, `{"email":"a@example.com","password":"`+strings.Repeat("aB3$", 18)+`x"}`, 422, "validation_failed"),
		post("NUL in a password", register, `{"email":"a@example.com","password":"correct\u0000horse"}`, 422, "validation_failed"),
		post("2 MiB", register, `{"email":"`+strings.Repeat("a", 2<<20)+`"}`, 413, "body_too_large"),
		post("2 MiB for a session", "/api/sessions", `{"title":"`+strings.Repeat("a", 2<<20)+`"}`, 413, "body_too_large"),
		post("a megabyte too much", register, `{"email":"`+strings.Repeat("a", 1<<20)+`"}`, 413, "body_too_large"),
		{name: "no token", method: "GET", path: "/api/users/me", status: 401, code: "missing_token"},
		{name: "a bad token", method: "GET", path: "/api/users/me", header: "Authorization: Bearer x.y.z", status: 401, code: "invalid_token"},
		{name: "a bad refresh token", method: "POST", path: "/api/auth/refresh", body: `{"refresh_token":"x"}`, status: 401, code: "invalid_token"},
		{name: "no refresh token", method: "POST", path: "/api/auth/refresh", status: 401, code: "missing_token"},
		{name: "an id that is none", method: "GET", path: "/api/sessions/1", header: bearer, status: 404, code: "not_found"},
		{name: "somebody else's session", method: "GET", path: "/api/sessions/019ce000-0000-7000-8000-000000000000", header: bearer, status: 404, code: "not_found"},
		{name: "a bad page", method: "GET", path: "/api/sessions?limit=0", header: bearer, status: 422, code: "validation_failed"},
		{name: "100,000 rows", method: "GET", path: "/api/sessions?limit=100000", header: bearer, status: 422, code: "validation_failed"},
		{name: "change somebody else's session", method: "PATCH", path: "/api/sessions/019ce000-0000-7000-8000-000000000000", header: bearer, body: `{"title":"x"}`, status: 404, code: "not_found"},
		{name: "delete somebody else's session", method: "DELETE", path: "/api/sessions/019ce000-0000-7000-8000-000000000000", header: bearer, status: 404, code: "not_found"},
		{name: "end somebody else's login", method: "DELETE", path: "/api/users/me/logins/019ce000-0000-7000-8000-000000000000", header: bearer, status: 404, code: "not_found"},
		{name: "a user's own role", method: "PATCH", path: "/api/users/me", header: bearer, body: `{"role":"admin"}`, status: 422, code: "validation_failed"},
		{name: "a method that does not fit", method: "PUT", path: "/api/sessions", header: bearer, body: `{}`, status: 405, code: "method_not_allowed"},
	}
}
