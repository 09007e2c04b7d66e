package test_test

import (
	"strconv"
	"strings"
)

// acceptance returns the script that exercises the whole gateway, including every kind of
// bad input. It runs against a new gateway. The saved value "admin" is the address of an
// administrator that has the usual password.
func acceptance() []step {
	const (
		register = `{"email":"test@example.com","password":"SecurePass123!","full_name":"Test User"}`
		bearer   = "Authorization: Bearer ${access}"
		app      = "Origin: https://app.example.org"
	)
	tokens := map[string]string{"access": "access_token", "refresh": "refresh_token"}
	return slicesOf(
		// The first four steps are the acceptance criteria of the project.
		step{name: "register", method: "POST", path: "/api/auth/register", body: register, status: 200,
			save: map[string]string{"user": "user.id"}},
		step{name: "log in with form data", method: "POST", path: "/api/auth/login",
			body: "username=test%40example.com&password=SecurePass123%21", status: 200, save: tokens},
		step{name: "me", method: "GET", path: "/api/users/me", header: bearer, status: 200},
		step{name: "me at the other path", method: "GET", path: "/api/auth/me", header: bearer, status: 200},

		step{name: "register a taken address", method: "POST", path: "/api/auth/register", body: register, status: 409, code: "email_taken"},
		step{name: "a wrong password", method: "POST", path: "/api/auth/login",
			body: `{"email":"test@example.com","password":"wrong"}`, status: 401, code: "incorrect_credentials"},
		step{name: "an unknown user", method: "POST", path: "/api/auth/login",
			body: `{"email":"nobody@example.com","password":"wrong"}`, status: 401, code: "incorrect_credentials"},
		step{name: "remaining time of the login", method: "GET", path: "/api/auth/session", header: bearer, status: 200},
		step{name: "remaining time without a token", method: "GET", path: "/api/auth/session", status: 401, code: "missing_token"},
		step{name: "change the name", method: "PATCH", path: "/api/users/me", header: bearer,
			body: `{"full_name":"Tëst","preferences":{"language":"de","volume":0.50}}`, status: 200},
		step{name: "list the logins", method: "GET", path: "/api/users/me/logins", header: bearer, status: 200},
		step{name: "refresh", method: "POST", path: "/api/auth/refresh", body: `{"refresh_token":"${refresh}"}`, status: 200,
			save: map[string]string{"access": "access_token", "next": "refresh_token"}},
		step{name: "refresh again, as after a lost response", method: "POST", path: "/api/auth/refresh",
			body: `{"refresh_token":"${refresh}"}`, status: 200},

		step{name: "no sessions yet", method: "GET", path: "/api/sessions", header: bearer, status: 200},
		step{name: "create a session", method: "POST", path: "/api/sessions", header: bearer,
			body: `{"title":"Weather","context":{"turns":[1,{"said":"ja"}]}}`, status: 201, save: map[string]string{"session": "header:Location"}},
		step{name: "create another session", method: "POST", path: "/api/sessions", header: bearer, body: `{"title":"Music"}`, status: 201},
		step{name: "read the session", method: "GET", path: "${session}", header: bearer, status: 200},
		step{name: "a page of sessions", method: "GET", path: "/api/sessions?skip=0&limit=1", header: bearer, status: 200},
		largeSessions(bearer),
		step{name: "rename the session", method: "PATCH", path: "${session}", header: bearer, body: `{"title":"Climate"}`, status: 200},
		step{name: "delete the session", method: "DELETE", path: "${session}", header: bearer, status: 204},
		step{name: "read the deleted session", method: "GET", path: "${session}", header: bearer, status: 404, code: "not_found"},

		step{name: "log in with a cookie", method: "POST", path: "/api/auth/login", header: app,
			body: `{"email":"test@example.com","password":"SecurePass123!","transport":"cookie"}`, status: 200,
			save: map[string]string{"cookie": "cookie"}},
		step{name: "refresh with the cookie", method: "POST", path: "/api/auth/refresh",
			header: app + "\nCookie: __Secure-refresh_token=${cookie}", status: 200},
		step{name: "refresh from another site", method: "POST", path: "/api/auth/refresh",
			header: "Origin: https://evil.example.com\nSec-Fetch-Site: cross-site\nCookie: __Secure-refresh_token=${cookie}", status: 403, code: "cross_origin"},
		step{name: "preflight", method: "OPTIONS", path: "/api/users/me",
			header: app + "\nAccess-Control-Request-Method: PATCH\nAccess-Control-Request-Headers: authorization", status: 204},
		step{name: "preflight from another site", method: "OPTIONS", path: "/api/users/me",
			header: "Origin: https://evil.example.com\nAccess-Control-Request-Method: PATCH", status: 204},

		step{name: "an administrator logs in", method: "POST", path: "/api/auth/login",
			body: `{"email":"${admin}","password":"correct horse battery staple"}`, status: 200, save: map[string]string{"root": "access_token"}},
		step{name: "list users without being an administrator", method: "GET", path: "/api/users", header: bearer, status: 403, code: "admin_required"},
		step{name: "search users", method: "GET", path: "/api/users?q=TEST%40", header: "Authorization: Bearer ${root}", status: 200},
		step{name: "create a user", method: "POST", path: "/api/users", header: "Authorization: Bearer ${root}",
			body: `{"email":"eve@xn--bcher-kva.example","password":"correct horse battery staple"}`, status: 201, save: map[string]string{"eve": "header:Location"}},
		step{name: "log in with another spelling", method: "POST", path: "/api/auth/login",
			body: `{"email":"Eve@BÜCHER.example","password":"correct horse battery staple"}`, status: 200},
		step{name: "register another spelling of a taken address", method: "POST", path: "/api/auth/register",
			body: `{"email":"eve@bücher。example","password":"correct horse battery staple"}`, status: 409, code: "email_taken"},
		step{name: "disable the user", method: "PATCH", path: "${eve}", header: "Authorization: Bearer ${root}", body: `{"disabled":true}`, status: 200},
		step{name: "log in to a disabled account", method: "POST", path: "/api/auth/login",
			body: `{"email":"eve@bücher.example","password":"correct horse battery staple"}`, status: 401, code: "incorrect_credentials"},
		step{name: "list the Nextcloud accounts in conflict", method: "GET", path: "/api/nextcloud/accounts?status=conflict", header: "Authorization: Bearer ${root}", status: 200},
		step{name: "delete the user", method: "DELETE", path: "${eve}", header: "Authorization: Bearer ${root}", status: 204},

		storage(bearer),
		badInput(bearer),
		accounts(),

		step{name: "change the password", method: "POST", path: "/api/users/change-password", header: bearer,
			body: `{"old_password":"SecurePass123!","new_password":"an entirely new passphrase"}`, status: 200},
		step{name: "change the password at the other path", method: "POST", path: "/api/users/me/change-password", header: bearer,
			body: `{"current_password":"an entirely new passphrase","new_password":"the third passphrase"}`, status: 200},
		step{name: "change the password as VoiceAssist's web app does", method: "PUT", path: "/api/users/me/password", header: bearer,
			body: `{"currentPassword":"the third passphrase","newPassword":"an entirely new passphrase"}`, status: 200},
		step{name: "two current passwords", method: "PUT", path: "/api/users/me/password", header: bearer,
			body: `{"currentPassword":"a","old_password":"b","newPassword":"an entirely new passphrase"}`, status: 422, code: "validation_failed"},
		step{name: "log in with the new password", method: "POST", path: "/api/auth/login",
			body: `{"username":"test@example.com","password":"an entirely new passphrase"}`, status: 200, save: tokens},
		step{name: "log out", method: "POST", path: "/api/auth/logout", header: bearer + "\nContent-Type: application/json", status: 204},
		step{name: "the access token ends with the login", method: "GET", path: "/api/users/me", header: bearer, status: 401, code: "login_revoked"},
		step{name: "log out again", method: "POST", path: "/api/auth/logout", header: bearer, status: 204},

		step{name: "get the keys", method: "GET", path: "/.well-known/jwks.json", status: 200, save: map[string]string{"keys": "header:Etag"}},
		step{name: "get the unchanged keys", method: "GET", path: "/.well-known/jwks.json", header: "If-None-Match: ${keys}", status: 304},
		step{name: "who may register", method: "GET", path: "/api/auth/registration", status: 200},
		step{name: "health", method: "GET", path: "/health", status: 200},
	)
}

// storage returns steps that use the user's Nextcloud folder and give other clients access
// to it.
func storage(bearer string) []step {
	const (
		root    = "Authorization: Bearer ${root}"
		files   = "/api/files/"
		apps    = "/api/users/me/nextcloud/app-password"
		strange = "a%20b%25%23%3F%2B%3B%F0%9F%8E%A7%C3%A4.txt"
	)
	do := func(name, method, path, body string, status int, code string, headers ...string) step {
		return step{name: name, method: method, path: files + path, header: strings.Join(append(headers, bearer), "\n"),
			body: body, status: status, code: code}
	}
	saving := func(s step, name, from string) step {
		s.save = map[string]string{name: from}
		return s
	}
	return slicesOf(
		step{name: "reconcile now", method: "POST", path: "/api/nextcloud/reconcile", header: root, status: 200},
		hasStorage,

		do("create a folder", "PUT", "Documents/", "", 201, ""),
		do("create the folder again", "PUT", "Documents/", "", 204, ""),
		do("list an empty folder", "GET", "Documents/", "", 200, ""),
		saving(do("store a file", "PUT", "Documents/"+strange, "0123456789", 201, ""), "etag", "header:Etag"),
		do("list the folder", "GET", "Documents/", "", 200, ""),
		do("read the file", "GET", "Documents/"+strange, "", 200, ""),
		do("get the headers of the file", "HEAD", "Documents/"+strange, "", 200, ""),
		do("read a range", "GET", "Documents/"+strange, "", 206, "", "Range: bytes=2-4"),
		do("read a range after the end", "GET", "Documents/"+strange, "", 416, "range_not_satisfiable", "Range: bytes=10-"),
		do("read the unchanged file", "GET", "Documents/"+strange, "", 304, "", "If-None-Match: ${etag}"),
		do("create a file that exists", "PUT", "Documents/"+strange, "x", 412, "precondition_failed", "If-None-Match: *"),
		do("replace another version", "PUT", "Documents/"+strange, "x", 412, "precondition_failed", `If-Match: "other"`),
		do("replace the file", "PUT", "Documents/"+strange, "abc", 204, "", "If-Match: ${etag}"),
		do("read the new version", "GET", "Documents/"+strange, "", 200, ""),
		do("store an empty file", "PUT", "empty", "", 201, ""),
		do("read the empty file", "GET", "empty", "", 200, ""),
		do("a name of 200 bytes", "PUT", strings.Repeat("n", 200), "x", 201, ""),
		do("a name of 201 bytes", "PUT", strings.Repeat("n", 201), "x", 422, "name_too_long"),
		do("store a decomposed name", "PUT", "a%CC%88", "x", 201, ""),
		do("read it under the composed name", "GET", "%C3%A4", "", 200, ""),
		do("copy a file", "POST", "empty", `{"copy_to":"Documents/copy"}`, 201, ""),
		do("move onto a file", "POST", "empty", `{"move_to":"Documents/copy"}`, 412, "file_exists"),
		do("move onto a file and overwrite it", "POST", "empty", `{"move_to":"Documents/copy","overwrite":true}`, 204, ""),
		do("move a folder into itself", "POST", "Documents", `{"move_to":"Documents/x"}`, 422, "invalid_destination"),
		do("move and copy at once", "POST", "Documents", `{"move_to":"a","copy_to":"b"}`, 422, "required"),
		do("read a moved file", "GET", "empty", "", 404, "file_not_found"),
		do("store a file in a missing folder", "PUT", "no/file", "x", 409, "parent_missing"),
		do("read a folder as a file", "GET", "Documents", "", 409, "is_folder"),
		do("list a file as a folder", "GET", "Documents/copy/", "", 409, "is_file"),
		do("leave the folder", "GET", "%2e%2e%2froot@example.com/welcome.txt", "", 400, "bad_path"),
		do("leave the folder with a backslash", "PUT", "..%5cx", "x", 422, "invalid_path"),
		do("a NUL in a name", "PUT", "x%00y", "x", 422, "invalid_path"),
		do("read another user's file", "GET", "root@example.com/welcome.txt", "", 404, "file_not_found"),
		do("delete the root folder", "DELETE", "", "", 422, "whole_folder"),
		do("delete the folder", "DELETE", "Documents/", "", 204, ""),
		do("delete the deleted folder", "DELETE", "Documents/", "", 404, "file_not_found"),
		step{name: "list files without a token", method: "GET", path: files, status: 401, code: "missing_token"},

		step{name: "create an app password without the password", method: "POST", path: apps, header: bearer,
			body: `{"name":"laptop"}`, status: 422, code: "validation_failed"},
		step{name: "create an app password with a wrong password", method: "POST", path: apps, header: bearer,
			body: `{"name":"laptop","password":"wrong"}`, status: 400, code: "incorrect_password"},
		step{name: "create an app password", method: "POST", path: apps, header: bearer,
			body: `{"name":"laptop","current_password":"SecurePass123!"}`, status: 201, save: map[string]string{"app": "header:Location"}},
		step{name: "list the app passwords", method: "GET", path: apps + "s", header: bearer, status: 200},
		step{name: "revoke the app password", method: "DELETE", path: "${app}", header: bearer, status: 204},
		step{name: "revoke the revoked app password", method: "DELETE", path: "${app}", header: bearer, status: 404, code: "not_found"},
	)
}

// hasStorage waits until the account exists in Nextcloud.
var hasStorage = step{name: "Nextcloud has the account", method: "GET", path: "/api/users/me/nextcloud",
	header: "Authorization: Bearer ${access}", status: 200, until: `"status":"active"`}

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

// largeSessions creates more sessions than fit on a page and lists them all.
func largeSessions(bearer string) []step {
	filler := strings.Repeat(".", 65_000) // no letters, which could be a token to mask
	var steps []step
	for range 17 {
		steps = append(steps, step{name: "create a large session", method: "POST", path: "/api/sessions", header: bearer, status: 201,
			body: `{"title":"Large","context":{"a":"` + filler + `"}}`})
	}
	return append(steps, step{name: "a full page", method: "GET", path: "/api/sessions?limit=200", header: bearer, status: 200})
}

// badInput returns every kind of unacceptable request.
func badInput(bearer string) []step {
	post := func(name, path, body string, status int, code string) step {
		return step{name: name, method: "POST", path: path, header: bearer, body: body, status: status, code: code}
	}
	const register = "/api/auth/register"
	headed := func(name, header, body string, status int, code string) step {
		s := post(name, register, body, status, code)
		s.header = header
		return s
	}
	typed := func(name, contentType, body string, status int, code string) step {
		return headed(name, "Content-Type: "+contentType, body, status, code)
	}
	var unknown strings.Builder
	for i := range 100_000 {
		unknown.WriteString(`,"` + strconv.Itoa(i+1) + `":0`)
	}
	return []step{
		post("not JSON", register, `{"email"`, 400, "malformed_json"),
		post("two JSON documents", register, `{} {}`, 400, "malformed_json"),
		post("a duplicate member", register, `{"email":"a","email":"b"}`, 400, "malformed_json"),
		post("nested too deeply", "/api/sessions", `{"context":`+strings.Repeat("[", 200)+strings.Repeat("]", 200)+`}`, 400, "malformed_json"),
		typed("an array", "application/json", `[]`, 400, "malformed_json"),
		typed("not UTF-8", "application/json", "{\"email\":\"\xff\"}", 400, "malformed_json"),
		post("half a surrogate pair", register, `{"email":"a@example.com","password":"correct horse\ud800"}`, 400, "malformed_json"),
		post("half a surrogate pair in nested JSON", "/api/sessions", `{"title":"a","context":{"a":[{"\udfff":1}]}}`, 400, "malformed_json"),
		post("100,000 unknown fields", register, `{"0":0`+unknown.String()+`}`, 422, "validation_failed"),
		headed("a gzip body", "Content-Encoding: gzip", "\x1f\x8b\x08", 415, "unsupported_encoding"),
		headed("a Brotli body after identity", "Content-Encoding: identity, br", `{}`, 415, "unsupported_encoding"),
		typed("XML", "application/xml", `<x/>`, 415, "unsupported_media_type"),
		typed("a form instead of JSON", "application/x-www-form-urlencoded", `email=a`, 415, "unsupported_media_type"),
		typed("another charset", "application/json; charset=latin1", `{}`, 415, "unsupported_media_type"),
		post("an unknown field", register, `{"email":"a@example.com","password":"correct horse","admin":true}`, 422, "validation_failed"),
		post("a wrong type", register, `{"email":7,"password":"correct horse"}`, 422, "validation_failed"),
		post("an empty object", register, `{}`, 422, "validation_failed"),
		typed("an empty body of an accepted type", "application/json", "", 422, "validation_failed"),
		typed("an empty body of an unsupported type", "application/xml", "", 422, "validation_failed"),
		post("invalid values", register, `{"email":"a","password":"b","full_name":"c\u0000"}`, 422, "validation_failed"),
		post("20,000 nested arrays", "/api/sessions", `{"context":`+strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)+`}`, 400, "malformed_json"),
		post("a password of 73 bytes", register, `{"email":"a@example.com","password":"`+strings.Repeat("aB3$", 18)+`x"}`, 422, "validation_failed"),
		post("NUL in a password", register, `{"email":"a@example.com","password":"correct\u0000horse"}`, 422, "validation_failed"),
		post("2 MiB", register, `{"email":"`+strings.Repeat("a", 2<<20)+`"}`, 413, "body_too_large"),
		post("2 MiB in a session", "/api/sessions", `{"title":"`+strings.Repeat("a", 2<<20)+`"}`, 413, "body_too_large"),
		post("slightly more than 1 MiB", register, `{"email":"`+strings.Repeat("a", 1<<20)+`"}`, 413, "body_too_large"),
		{name: "no token", method: "GET", path: "/api/users/me", status: 401, code: "missing_token"},
		{name: "a bad token", method: "GET", path: "/api/users/me", header: "Authorization: Bearer x.y.z", status: 401, code: "invalid_token"},
		{name: "a bad refresh token", method: "POST", path: "/api/auth/refresh", body: `{"refresh_token":"x"}`, status: 401, code: "invalid_token"},
		{name: "no refresh token", method: "POST", path: "/api/auth/refresh", status: 401, code: "missing_token"},
		{name: "an invalid ID", method: "GET", path: "/api/sessions/1", header: bearer, status: 404, code: "not_found"},
		{name: "another user's session", method: "GET", path: "/api/sessions/019ce000-0000-7000-8000-000000000000", header: bearer, status: 404, code: "not_found"},
		{name: "a bad page", method: "GET", path: "/api/sessions?limit=0", header: bearer, status: 422, code: "validation_failed"},
		{name: "100,000 rows", method: "GET", path: "/api/sessions?limit=100000", header: bearer, status: 422, code: "validation_failed"},
		{name: "change another user's session", method: "PATCH", path: "/api/sessions/019ce000-0000-7000-8000-000000000000", header: bearer, body: `{"title":"x"}`, status: 404, code: "not_found"},
		{name: "delete another user's session", method: "DELETE", path: "/api/sessions/019ce000-0000-7000-8000-000000000000", header: bearer, status: 404, code: "not_found"},
		{name: "end another user's login", method: "DELETE", path: "/api/users/me/logins/019ce000-0000-7000-8000-000000000000", header: bearer, status: 404, code: "not_found"},
		{name: "change the own role", method: "PATCH", path: "/api/users/me", header: bearer, body: `{"role":"admin"}`, status: 422, code: "validation_failed"},
		{name: "an unsupported method", method: "PUT", path: "/api/sessions", header: bearer, body: `{}`, status: 405, code: "method_not_allowed"},
	}
}
