package test_test

// accounts returns steps with links from mails, a second factor and API keys.
func accounts() []step {
	const (
		user   = `{"email":"factor@example.com","password":"correct horse battery staple"}`
		bearer = "Authorization: Bearer ${factor}"
		key    = "Authorization: Bearer ${key}"
		root   = "Authorization: Bearer ${root}"
		keys   = "/api/auth/api-keys"
		forged = `{"token":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"`
	)
	post := func(name, path, header, body string, status int, code string) step {
		return step{name: name, method: "POST", path: path, header: header, body: body, status: status, code: code}
	}
	saving := func(s step, save map[string]string) step {
		s.save = save
		return s
	}
	challenge := map[string]string{"challenge": "user_id"}
	return slicesOf(
		post("register for a second factor", "/api/auth/register", "", user, 200, ""),
		saving(post("log in without a second factor", "/api/auth/login", "", user, 200, ""), map[string]string{"factor": "access_token"}),

		post("request a link for an address", "/api/auth/request-verify-token", "", `{"email":"factor@example.com"}`, 202, ""),
		post("request a link for an unknown address", "/api/auth/request-verify-token", "", `{"email":"nobody@example.com"}`, 202, ""),
		post("forget the password", "/api/auth/forgot-password", "", `{"email":"factor@example.com"}`, 202, ""),
		post("forget the password of an unknown address", "/api/auth/forgot-password", "", `{"email":"nobody@example.com"}`, 202, ""),
		post("verify with a forged token", "/api/auth/verify", "", forged+`}`, 400, "bad_token"),
		post("reset with a forged token", "/api/auth/reset-password", "", forged+`,"password":"an entirely new passphrase"}`, 400, "bad_token"),
		post("reset without a password", "/api/auth/reset-password", "", forged+`}`, 422, "validation_failed"),
		post("undo with a forged token", "/api/auth/undo", "", forged+`}`, 400, "bad_token"),
		post("disown with a forged token", "/api/auth/not-me", "", forged+`}`, 400, "bad_token"),
		step{name: "the page for a new password", method: "GET", path: "/reset-password", status: 200},
		step{name: "the page to verify an address, in German", method: "GET", path: "/verify", header: "Accept-Language: de", status: 200},
		step{name: "the page to undo a change", method: "GET", path: "/undo", status: 200},
		step{name: "the page to disown", method: "GET", path: "/not-me", status: 200},

		saving(post("invite a user", "/api/users/invite", root, `{"email":"guest@example.com","full_name":"Guest"}`, 201, ""),
			map[string]string{"guest": "id"}),
		post("invite the user again", "/api/users/invite", root, `{"email":"guest@example.com"}`, 409, "email_taken"),
		post("send the invitation again", "/api/users/${guest}/resend-invitation", root, "", 202, ""),
		post("invite without being an administrator", "/api/users/invite", bearer, `{"email":"other@example.com"}`, 403, "admin_required"),
		post("accept a forged invitation", "/api/auth/accept-invitation", "", forged+`,"password":"an entirely new passphrase"}`, 400, "bad_token"),
		post("log in before the invitation is accepted", "/api/auth/login", "",
			`{"email":"guest@example.com","password":"correct horse battery staple"}`, 401, "incorrect_credentials"),
		step{name: "the page for an invitation", method: "GET", path: "/accept-invitation", status: 200},
		step{name: "delete the invited user", method: "DELETE", path: "/api/users/${guest}", header: root, status: 204},

		step{name: "no second factor", method: "GET", path: "/api/auth/2fa/status", header: bearer, status: 200},
		post("a code without a setup", "/api/auth/2fa/verify", bearer, `{"code":"123456"}`, 409, ""),
		saving(post("set up a second factor", "/api/auth/2fa/setup", bearer, `{}`, 200, ""),
			map[string]string{"totp": "manual_entry_key", "backup": "backup_codes.0", "spare": "backup_codes.1"}),
		post("a wrong code", "/api/auth/2fa/verify", bearer, `{"code":"abcdef"}`, 400, "bad_code"),
		post("turn the second factor on", "/api/auth/2fa/verify", bearer, `{"code":"${totp:0}"}`, 200, ""),
		post("set up another second factor", "/api/auth/2fa/setup", bearer, `{}`, 409, "already_enabled"),

		saving(post("log in with the password alone", "/api/auth/login", "", user, 200, ""), challenge),
		post("a forged challenge", "/api/auth/2fa/verify-login", "", `{"user_id":"x","code":"123456"}`, 401, "challenge_expired"),
		post("log in with a code", "/api/auth/2fa/verify-login", "", `{"user_id":"${challenge}","code":"${totp:1}"}`, 200, ""),
		post("log in with the same challenge", "/api/auth/2fa/verify-login", "", `{"user_id":"${challenge}","code":"${totp:1}"}`, 401, "challenge_expired"),
		saving(post("log in with the password again", "/api/auth/login", "", user, 200, ""), challenge),
		saving(post("log in with a backup code", "/api/auth/2fa/verify-login", "",
			`{"user_id":"${challenge}","code":"${backup}","is_backup_code":true}`, 200, ""), map[string]string{"factor": "access_token"}),
		step{name: "a backup code is used", method: "GET", path: "/api/auth/2fa/status", header: bearer, status: 200},

		post("create an API key without a code", keys, bearer,
			`{"name":"reader","scopes":["sessions:read"],"current_password":"correct horse battery staple"}`, 403, "code_required"),
		saving(post("create an API key", keys, bearer,
			`{"name":"reader","scopes":["sessions:read","profile:read"],"current_password":"correct horse battery staple","code":"${spare}"}`, 201, ""),
			map[string]string{"key": "key", "keyID": "id"}),
		step{name: "list sessions with the key", method: "GET", path: "/api/sessions", header: key, status: 200},
		step{name: "read the profile with the key", method: "GET", path: "/api/users/me", header: key, status: 200},
		post("create a session with the key", "/api/sessions", key, `{"title":"x"}`, 403, ""),
		post("change the password with the key", "/api/users/change-password", key,
			`{"old_password":"correct horse battery staple","new_password":"an entirely new passphrase"}`, 403, ""),
		step{name: "list the keys", method: "GET", path: keys, header: bearer, status: 200},
		step{name: "delete the key", method: "DELETE", path: keys + "/${keyID}", header: bearer, status: 204},
		step{name: "use the deleted key", method: "GET", path: "/api/sessions", header: key, status: 401},
	)
}
