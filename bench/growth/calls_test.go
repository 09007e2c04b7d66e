package growth_test

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/voiceassist/gateway/bench/seed"
	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/mail"
)

// withoutDatabase lists the operations that use no database.
var withoutDatabase = []string{"GET /.well-known/jwks.json", "GET /api/auth/registration", "GET /health"}

// A call is a request that is measured, each time for another user.
type call struct {
	operation string // as in the API description
	variant   string // distinguishes it from others of the operation
	request   func(d *deployment) request
}

func (c call) String() string {
	if c.variant == "" {
		return c.operation
	}
	return c.operation + ", " + c.variant
}

type request struct {
	method, path string
	body         any
	by           functionstest.Option
	status       int
}

type fields = map[string]any

func password() fields { return fields{"password": functionstest.Password} }

// calls returns all calls. The first ones find no account that waits for Nextcloud, which
// others leave behind. Those that move the clock are the last ones.
func calls() []call {
	all := append(nextcloudCalls(), fileCalls()...)
	all = append(all, loginCalls()...)
	all = append(all, profileCalls()...)
	all = append(all, mailCalls()...)
	all = append(all, adminCalls()...)
	all = append(all, auditCalls()...)
	all = append(all, sessionCalls()...)
	all = append(all, keyCalls()...)
	return append(all, secondFactorCalls()...)
}

// simple returns a call without a body.
func simple(method, path string, by func(*deployment) functionstest.Option) call {
	return call{operation: method + " " + path, request: func(d *deployment) request {
		return request{method, path, nil, by(d), http.StatusOK}
	}}
}

func anyone(d *deployment) functionstest.Option { return d.user() }
func admin(d *deployment) functionstest.Option  { return d.admin }

func nextcloudCalls() []call {
	const accounts, apps = "/api/nextcloud/accounts", "/api/users/me/nextcloud/app-passwords"
	return []call{
		simple("POST", "/api/nextcloud/reconcile", admin),
		{"POST /api/users/me/nextcloud/claim", "", func(d *deployment) request {
			_, by := d.conflict()
			return request{"POST", "/api/users/me/nextcloud/claim", fields{"password": functionstest.Password + "!"}, by, http.StatusOK}
		}},
		{"POST /api/nextcloud/accounts/{user_id}/adopt", "", func(d *deployment) request {
			id, _ := d.conflict()
			return request{"POST", accounts + "/" + id + "/adopt", nil, d.admin, http.StatusOK}
		}},
		simple("GET", accounts, admin),
		{"GET " + accounts, "of a status", func(d *deployment) request {
			return request{"GET", accounts + "?status=active", nil, d.admin, http.StatusOK}
		}},
		{"GET /api/nextcloud/accounts/{user_id}", "", func(d *deployment) request {
			return request{"GET", accounts + "/" + d.id(), nil, d.admin, http.StatusOK}
		}},
		{"POST /api/nextcloud/accounts/{user_id}/retry", "", func(d *deployment) request {
			return request{"POST", accounts + "/" + d.id() + "/retry", nil, d.admin, http.StatusOK}
		}},
		simple("GET", "/api/users/me/nextcloud", anyone),
		simple("GET", apps, anyone),
		{"POST /api/users/me/nextcloud/app-password", "", func(d *deployment) request {
			d.removeApps(apps)
			return request{"POST", "/api/users/me/nextcloud/app-password", fields{"name": "x", "password": functionstest.Password}, d.stored, http.StatusCreated}
		}},
		{"DELETE " + apps + "/{id}", "", func(d *deployment) request {
			d.removeApps(apps)
			a := d.Do("POST", "/api/users/me/nextcloud/app-password", fields{"name": "x", "password": functionstest.Password}, d.stored)
			return request{"DELETE", apps + "/" + a.Want(http.StatusCreated, "").Get("id"), nil, d.stored, http.StatusNoContent}
		}},
	}
}

// removeApps deletes the app passwords of the user with files.
func (d *deployment) removeApps(path string) {
	var list []struct{ ID string }
	d.Do("GET", path, nil, d.stored).Want(http.StatusOK, "").Into(&list)
	for _, app := range list {
		d.Do("DELETE", path+"/"+app.ID, nil, d.stored).Want(http.StatusNoContent, "")
	}
}

func fileCalls() []call {
	const path, copied = "/api/files/{path}", "/api/files/copy.txt"
	return []call{
		{"GET " + path, "", func(d *deployment) request { return request{"GET", filePath, nil, d.stored, http.StatusOK} }},
		{"PUT " + path, "", func(d *deployment) request {
			return request{"PUT", filePath, "content", d.stored, http.StatusNoContent}
		}},
		{"POST " + path, "", func(d *deployment) request {
			d.Do("DELETE", copied, nil, d.stored)
			return request{"POST", filePath, fields{"copy_to": "copy.txt"}, d.stored, http.StatusCreated}
		}},
		{"DELETE " + path, "", func(d *deployment) request {
			d.Do("PUT", copied, "content", d.stored)
			return request{"DELETE", copied, nil, d.stored, http.StatusNoContent}
		}},
	}
}

func loginCalls() []call {
	const login = "/api/auth/login"
	return []call{
		simple("GET", "/ready", func(*deployment) functionstest.Option { return functionstest.From("192.0.2.7") }),
		{"POST " + login, "", func(d *deployment) request {
			return request{"POST", login, fields{"email": seed.Email(d.next()), "password": functionstest.Password}, anybody, http.StatusOK}
		}},
		{"POST " + login, "unknown address", func(d *deployment) request {
			return request{"POST", login, fields{"email": "un" + seed.Email(d.next()), "password": functionstest.Password}, anybody, http.StatusUnauthorized}
		}},
		{"POST /api/auth/refresh", "", func(d *deployment) request {
			return request{"POST", "/api/auth/refresh", fields{"refresh_token": d.login().Refresh}, anybody, http.StatusOK}
		}},
		{"POST /api/auth/logout", "", func(d *deployment) request {
			return request{"POST", "/api/auth/logout", nil, d.user(), http.StatusNoContent}
		}},
		{"POST /api/auth/logout", "of all logins", func(d *deployment) request {
			return request{"POST", "/api/auth/logout?all=true", nil, d.user(), http.StatusNoContent}
		}},
		simple("GET", "/api/auth/me", anyone),
		simple("GET", "/api/auth/session", anyone),
		{"POST /api/auth/register", "", func(d *deployment) request {
			body := fields{"email": d.newEmail(), "password": functionstest.Password, "full_name": "Ada Lovelace"}
			return request{"POST", "/api/auth/register", body, anybody, http.StatusOK}
		}},
		{"POST /api/auth/register", "address taken", func(d *deployment) request {
			return request{"POST", "/api/auth/register", fields{"email": seed.Email(d.next()), "password": functionstest.Password}, anybody, http.StatusConflict}
		}},
	}
}

// anybody sends nothing that tells who the client is.
func anybody(*http.Request) {}

func profileCalls() []call {
	const me, changed = "/api/users/me", functionstest.Password + "?"
	changePassword := func(method, path, present, next string) call {
		return call{method + " " + path, "", func(d *deployment) request {
			return request{method, path, fields{present: functionstest.Password, next: changed}, d.fresh(), http.StatusOK}
		}}
	}
	rename := func(method string) call {
		return call{method + " " + me, "", func(d *deployment) request {
			d.turn++
			return request{method, me, fields{"full_name": fmt.Sprintf("given%d family%d", d.turn, d.turn)}, d.user(), http.StatusOK}
		}}
	}
	return []call{
		simple("GET", me, anyone),
		rename("PUT"),
		rename("PATCH"),
		{"PATCH " + me, "another address", func(d *deployment) request {
			body := fields{"email": d.newEmail(), "current_password": functionstest.Password}
			return request{"PATCH", me, body, d.fresh(), http.StatusOK}
		}},
		{"DELETE " + me, "", func(d *deployment) request { return request{"DELETE", me, password(), d.fresh(), http.StatusNoContent} }},
		changePassword("POST", "/api/users/change-password", "old_password", "new_password"),
		changePassword("POST", "/api/users/me/change-password", "current_password", "new_password"),
		changePassword("PUT", "/api/users/me/password", "currentPassword", "newPassword"),
		simple("GET", me+"/logins", anyone),
		{"DELETE " + me + "/logins/{id}", "", func(d *deployment) request {
			by := d.user()
			var list []struct{ ID string }
			d.Do("GET", me+"/logins", nil, by).Want(http.StatusOK, "").Into(&list)
			return request{"DELETE", me + "/logins/" + list[0].ID, nil, by, http.StatusNoContent}
		}},
	}
}

func mailCalls() []call {
	const forgot, verify, undo = "/api/auth/forgot-password", "/api/auth/request-verify-token", "/api/auth/undo"
	// newcomer asks for a mail for a new user, and returns the token in it.
	newcomer := func(d *deployment, path string, k mail.Kind) string {
		email := d.newEmail()
		d.register(email)
		d.Do("POST", path, fields{"email": email}).Want(http.StatusAccepted, "")
		return d.code(k, email)
	}
	ask := func(path string) call {
		return call{"POST " + path, "", func(d *deployment) request {
			return request{"POST", path, fields{"email": seed.Email(d.next())}, anybody, http.StatusAccepted}
		}}
	}
	return []call{
		ask(forgot),
		{"POST /api/auth/reset-password", "", func(d *deployment) request {
			body := fields{"token": newcomer(d, forgot, mail.ResetPassword), "password": functionstest.Password + "?"}
			return request{"POST", "/api/auth/reset-password", body, anybody, http.StatusOK}
		}},
		ask(verify),
		{"POST /api/auth/verify", "", func(d *deployment) request {
			return request{"POST", "/api/auth/verify", fields{"token": newcomer(d, verify, mail.VerifyAddress)}, anybody, http.StatusOK}
		}},
		{"POST " + undo, "", func(d *deployment) request {
			return request{"POST", undo, fields{"token": d.changeAddress()}, anybody, http.StatusOK}
		}},
		{"POST /api/auth/accept-invitation", "", func(d *deployment) request {
			_, token := d.invite()
			return request{"POST", "/api/auth/accept-invitation", fields{"token": token, "password": functionstest.Password}, anybody, http.StatusOK}
		}},
		{"POST /api/auth/not-me", "", func(d *deployment) request {
			return request{"POST", "/api/auth/not-me", fields{"token": d.changePassword()}, anybody, http.StatusOK}
		}},
	}
}

func adminCalls() []call {
	const users = "/api/users"
	list := func(variant, query string) call {
		return call{"GET " + users, variant, func(d *deployment) request {
			return request{"GET", users + query, nil, d.admin, http.StatusOK}
		}}
	}
	return []call{
		list("", ""),
		list("search that finds all", "?q=given"),
		list("search that finds many", "?q=family1&limit=20"),
		{"GET " + users, "search that finds one", func(d *deployment) request {
			return request{"GET", users + "?q=" + seed.Email(d.next()), nil, d.admin, http.StatusOK}
		}},
		list("search that finds none", "?q=nobody"),
		{"POST " + users, "", func(d *deployment) request {
			return request{"POST", users, fields{"email": d.newEmail(), "password": functionstest.Password}, d.admin, http.StatusCreated}
		}},
		{"POST " + users + "/invite", "", func(d *deployment) request {
			return request{"POST", users + "/invite", fields{"email": d.newEmail()}, d.admin, http.StatusCreated}
		}},
		{"POST " + users + "/{id}/resend-invitation", "", func(d *deployment) request {
			id, _ := d.invite()
			return request{"POST", users + "/" + id + "/resend-invitation", nil, d.admin, http.StatusAccepted}
		}},
		{"GET " + users + "/{id}", "", func(d *deployment) request { return request{"GET", users + "/" + d.id(), nil, d.admin, http.StatusOK} }},
		{"PATCH " + users + "/{id}", "", func(d *deployment) request {
			id, _ := d.register(d.newEmail())
			return request{"PATCH", users + "/" + id, fields{"role": "admin"}, d.admin, http.StatusOK}
		}},
		{"PATCH " + users + "/{id}", "disabled", func(d *deployment) request {
			id, _ := d.register(d.newEmail())
			return request{"PATCH", users + "/" + id, fields{"disabled": true}, d.admin, http.StatusOK}
		}},
		{"POST " + users + "/{id}/logout", "", func(d *deployment) request {
			return request{"POST", users + "/" + d.id() + "/logout", nil, d.admin, http.StatusNoContent}
		}},
		{"POST " + users + "/{id}/reset-password", "", func(d *deployment) request {
			return request{"POST", users + "/" + d.id() + "/reset-password", nil, d.admin, http.StatusAccepted}
		}},
		{"DELETE " + users + "/{id}", "", func(d *deployment) request {
			id, _ := d.register(d.newEmail())
			return request{"DELETE", users + "/" + id, nil, d.admin, http.StatusNoContent}
		}},
	}
}

func auditCalls() []call {
	const trail = "/api/audit"
	of := func(what, query string) call {
		return call{"GET " + trail, what, func(d *deployment) request {
			return request{"GET", trail + "?" + strings.ReplaceAll(query, "ID", d.id()), nil, d.admin, http.StatusOK}
		}}
	}
	return []call{
		simple("GET", trail, admin),
		of("of a user", "user_id=ID"),
		of("of two names", "event=login_failed,logged_in"),
		of("of a user and a name", "user_id=ID&event=logged_in"),
	}
}

func sessionCalls() []call {
	const sessions = "/api/sessions"
	one := func(method string, body any, status int) call {
		return call{method + " " + sessions + "/{id}", "", func(d *deployment) request {
			by := d.user()
			return request{method, d.create(sessions, fields{"title": "Kitchen"}, by), body, by, status}
		}}
	}
	return []call{
		simple("GET", sessions, anyone),
		{"POST " + sessions, "", func(d *deployment) request {
			return request{"POST", sessions, fields{"title": "Kitchen"}, d.user(), http.StatusCreated}
		}},
		one("GET", nil, http.StatusOK),
		one("PATCH", fields{"title": "Garden"}, http.StatusOK),
		one("DELETE", nil, http.StatusNoContent),
	}
}

func keyCalls() []call {
	const keys = "/api/auth/api-keys"
	body := fields{"name": "x", "scopes": []string{"sessions:read"}, "password": functionstest.Password}
	return []call{
		simple("GET", keys, anyone),
		{"POST " + keys, "", func(d *deployment) request { return request{"POST", keys, body, d.fresh(), http.StatusCreated} }},
		{"DELETE " + keys + "/{id}", "", func(d *deployment) request {
			by := d.fresh()
			return request{"DELETE", d.create(keys, body, by), nil, by, http.StatusNoContent}
		}},
		{"GET /api/sessions", "with an API key", func(d *deployment) request {
			key := d.Do("POST", keys, body, d.fresh()).Want(http.StatusCreated, "").Get("key")
			return request{"GET", "/api/sessions", nil, functionstest.Bearer(key), http.StatusOK}
		}},
	}
}

func secondFactorCalls() []call {
	const path = "/api/auth/2fa/"
	enrolled := func(name string, status int) call {
		return call{"POST " + path + name, "", func(d *deployment) request {
			_, by, code := d.enrol(true)
			return request{"POST", path + name, fields{"password": functionstest.Password, "code": code()}, by, status}
		}}
	}
	return []call{
		simple("GET", path+"status", anyone),
		{"POST " + path + "setup", "", func(d *deployment) request {
			return request{"POST", path + "setup", password(), d.fresh(), http.StatusOK}
		}},
		{"POST " + path + "verify", "", func(d *deployment) request {
			_, by, code := d.enrol(false)
			return request{"POST", path + "verify", fields{"code": code()}, by, http.StatusOK}
		}},
		{"POST " + path + "verify-login", "", func(d *deployment) request {
			email, _, code := d.enrol(true)
			challenge := d.Do("POST", "/api/auth/login", fields{"email": email, "password": functionstest.Password}).Want(http.StatusOK, "").Get("user_id")
			return request{"POST", path + "verify-login", fields{"user_id": challenge, "code": code()}, anybody, http.StatusOK}
		}},
		{"POST " + path + "backup-codes", "", func(d *deployment) request {
			_, by, code := d.enrol(true)
			return request{"POST", path + "backup-codes", fields{"code": code()}, by, http.StatusOK}
		}},
		enrolled("disable", http.StatusOK),
	}
}
