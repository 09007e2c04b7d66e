package functions_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/mail"
)

// listed is how many accounts, sessions and logins lists contain.
const listed = 20

// unlimited returns settings with rate limits that are counted but never reached.
func unlimited() map[string]string {
	const high = "100000"
	return map[string]string{
		"RATE_LIMIT_PER_MINUTE": high, "LOGIN_RATE_LIMIT_PER_MINUTE": high, "REGISTER_RATE_LIMIT_PER_MINUTE": high,
		"REFRESH_RATE_LIMIT_PER_MINUTE": high, "PASSWORD_RATE_LIMIT_PER_MINUTE": high, "SESSIONS_PER_USER": high,
		"ACCESS_TOKEN_EXPIRE_MINUTES": "1440",
	}
}

// plainGateway returns a gateway without Nextcloud, and its scenarios.
func plainGateway(tb testing.TB, db *meteredDB) *metered {
	tb.Helper()
	m := newMetered(tb, db, unlimited())
	_, ada := m.Person()
	_, admin := m.Admin("admin@example.org")
	for range listed {
		m.createSession(ada.Access)
	}
	m.scenarios = append(m.loginScenarios(), m.userScenarios(ada.Access, admin.Access)...)
	m.scenarios = append(m.scenarios, m.sessionScenarios(ada.Access)...)
	m.scenarios = append(m.scenarios, m.recoveryScenarios(admin.Access)...)
	for range listed + 1 { // the last accounts, in front of lists
		m.Register(m.newEmail(), functionstest.Password)
	}
	return m
}

// newEmail returns another address of the same length. So lists cost the same, no matter
// which scenarios have added accounts.
func (m *metered) newEmail() string {
	m.emails++
	return fmt.Sprintf("person-%03d@example.org", m.emails)
}

// limitedGateway returns a gateway whose client has made too many requests.
func limitedGateway(tb testing.TB, db *meteredDB) *metered {
	tb.Helper()
	vars := unlimited()
	vars["RATE_LIMIT_PER_MINUTE"] = "1"
	m := newMetered(tb, db, vars)
	m.scenarios = []scenario{{"over-the-limit", 429, func() []byte {
		m.Do("GET", "/api/users/me", nil, functionstest.From("127.0.0.1")) // that of the client
		return get("/api/users/me", "")
	}}}
	return m
}

func (m *metered) loginScenarios() []scenario {
	const refresh = "/api/auth/refresh"
	forged := m.Login(functionstest.Email, functionstest.Password)
	return []scenario{
		{"health", 200, always(get("/health", ""))},
		{"ready", 200, always(get("/ready", ""))},
		{"keys", 200, always(get("/.well-known/jwks.json", ""))},
		{"no-token", 401, always(get("/api/users/me", ""))},
		{"forged-token", 401, always(get("/api/users/me", forged.Access+"x"))},
		{"not-found", 404, always(get("/nothing", ""))},
		{"login", 200, always(logIn(functionstest.Email, functionstest.Password))},
		{"login-form", 200, always(send("POST", loginPath, "", "application/x-www-form-urlencoded",
			"username=ada%40example.org&password=correct+horse+battery+staple"))},
		{"login-unknown-account", 401, always(logIn("nobody@example.org", "x"))},
		{"login-wrong-password", 401, func() []byte {
			email := m.newEmail()
			m.Register(email, functionstest.Password)
			return logIn(email, "x")
		}},
		{"refresh", 200, func() []byte { return m.refreshed(refresh) }},
		{"refresh-again", 200, func() []byte { // as after a lost response
			request := m.refreshed(refresh)
			c := dial(m.tb, m.address)
			defer c.Close()
			c.send(m.tb, scenario{"refresh", 200, nil}, [][]byte{request})
			return request
		}},
		{"refresh-forged", 401, always(post(refresh, "", map[string]string{"refresh_token": forged.Refresh[:79] + "!"}))},
		{"logout", 204, func() []byte { return m.refreshed("/api/auth/logout") }},
	}
}

func logIn(email, password string) []byte {
	return post(loginPath, "", map[string]string{"email": email, "password": password})
}

// refreshed returns a request with the refresh token of a new login.
func (m *metered) refreshed(path string) []byte {
	p := m.Login(functionstest.Email, functionstest.Password)
	return post(path, p.Access, map[string]string{"refresh_token": p.Refresh})
}

func (m *metered) userScenarios(ada, admin string) []scenario {
	_, traveller := m.Admin("traveller@example.org")
	for range listed {
		m.Login("traveller@example.org", functionstest.Password)
	}
	n := 0
	id := m.Do("GET", "/api/users/me", nil, functionstest.Bearer(ada)).Get("id")
	return []scenario{
		{"register", 200, func() []byte {
			return post("/api/auth/register", "", map[string]string{
				"email": m.newEmail(), "password": functionstest.Password, "full_name": "Ada Lovelace",
			})
		}},
		{"who-am-i", 200, always(get("/api/users/me", ada))},
		{"who-am-i-new-token", 200, func() []byte {
			return get("/api/users/me", m.Login(functionstest.Email, functionstest.Password).Access)
		}},
		{"session-of-the-login", 200, always(get("/api/auth/session", ada))},
		{"logins-list", 200, always(get("/api/users/me/logins?limit="+strconv.Itoa(listed), traveller.Access))},
		{"profile-change", 200, func() []byte {
			n++
			return send("PATCH", "/api/users/me", ada, "application/json", fmt.Sprintf(`{"full_name":"Ada %03d"}`, n))
		}},
		{"users-list", 200, always(get("/api/users?limit="+strconv.Itoa(listed), admin))},
		{"users-search", 200, always(get("/api/users?q=person&limit="+strconv.Itoa(listed), admin))},
		{"audit-list", 200, always(get("/api/audit?limit="+strconv.Itoa(listed), admin))},
		{"users-get", 200, always(get("/api/users/"+id, admin))},
	}
}

func (m *metered) sessionScenarios(ada string) []scenario {
	_, creator := m.Admin("creator@example.org") // whose list is not measured
	n := 0
	title := func() string { n++; return fmt.Sprintf(`{"title":"Kitchen %03d"}`, n) }
	at := m.createSession(ada)
	return []scenario{
		{"sessions-list", 200, always(get("/api/sessions?limit="+strconv.Itoa(listed), ada))},
		{"sessions-create", 201, func() []byte {
			return send("POST", "/api/sessions", creator.Access, "application/json", title())
		}},
		{"sessions-get", 200, always(get(at, ada))},
		{"sessions-change", 200, func() []byte { return send("PATCH", at, ada, "application/json", title()) }},
		{"sessions-delete", 204, func() []byte {
			return send("DELETE", m.createSession(creator.Access), creator.Access, "", "")
		}},
	}
}

// createSession returns the path of a new session.
func (m *metered) createSession(access string) string {
	return m.Do("POST", "/api/sessions", `{"title":"Kitchen"}`, functionstest.Bearer(access)).Want(201, "").Header.Get("Location")
}

// recoveryScenarios are the requests for a mail, which must not reveal whether there is an
// account, and what the link in it does.
func (m *metered) recoveryScenarios(admin string) []scenario {
	const forgot = "/api/auth/forgot-password"
	// Each request is for another mailbox, so that none is over the limit of mails.
	mailbox := func() string { return "owner-of-" + m.newEmail() }
	known := func() string {
		email := mailbox()
		m.Register(email, functionstest.Password)
		return email
	}
	request := func(email func() string) func() []byte {
		return func() []byte { return post(forgot, "", map[string]string{"email": email()}) }
	}
	return []scenario{
		{"forgot-password", 202, request(known)},
		{"forgot-unknown-email", 202, request(mailbox)},
		{"reset-password", 200, func() []byte {
			m.Mails()
			m.Do("POST", forgot, map[string]string{"email": known()}).Want(202, "")
			return post("/api/auth/reset-password", "", map[string]string{
				"token": m.Mail(mail.ResetPassword).Code, "password": "an entirely new passphrase",
			})
		}},
		{"users-invite", 201, func() []byte { return post("/api/users/invite", admin, map[string]string{"email": mailbox()}) }},
		{"accept-invitation", 200, func() []byte {
			m.Mails()
			m.Do("POST", "/api/users/invite", map[string]string{"email": mailbox()}, functionstest.Bearer(admin)).Want(201, "")
			return post("/api/auth/accept-invitation", "", map[string]string{
				"token": m.Mail(mail.Invitation).Code, "password": "an entirely new passphrase",
			})
		}},
	}
}

// nextcloudGateway returns a gateway with a Nextcloud in another process, and the
// scenarios of files.
func nextcloudGateway(tb testing.TB, db *meteredDB) *metered {
	tb.Helper()
	const size, path = 16 << 10, "/api/files/notes.txt"
	cloud := newRelay(tb, startNextcloud(tb))
	vars := unlimited()
	vars["NEXTCLOUD_URL"], vars["NEXTCLOUD_ADMIN_USER"] = "http://"+cloud.address, "admin"
	vars["NEXTCLOUD_ADMIN_PASSWORD"] = functionstest.Password
	m := newMetered(tb, db, vars)
	m.calls = cloud.trips.Load
	_, ada := m.Person()
	if res, err := m.Reconciler.RunBatch(tb.Context(), 1); err != nil || res.Failed > 0 {
		tb.Fatalf("%+v, %v", res, err)
	}
	content := strings.Repeat("0123456789abcde\n", size/16)
	for i := range listed - 1 {
		m.Do("PUT", fmt.Sprintf("/api/files/notes-%02d.txt", i), "x", functionstest.Bearer(ada.Access)).Want(201, "")
	}
	m.Do("PUT", path, content, functionstest.Bearer(ada.Access)).Want(201, "")
	m.scenarios = []scenario{
		{"nextcloud-account", 200, always(get("/api/users/me/nextcloud", ada.Access))},
		{"files-list", 200, always(get("/api/files/", ada.Access))},
		{"files-download", 200, always(get(path, ada.Access))},
		{"files-upload", 204, always(send("PUT", path, ada.Access, "application/octet-stream", content))},
	}
	return m
}

func always(request []byte) func() []byte { return func() []byte { return request } }

func get(path, access string) []byte { return send("GET", path, access, "", "") }

func post(path, access string, body map[string]string) []byte {
	text, _ := json.Marshal(body) // strings cannot fail
	return send("POST", path, access, "application/json", string(text))
}

// send returns the bytes of a request. An empty token or body is left out.
func send(method, path, access, contentType, body string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: test device\r\n", method, path)
	if access != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", access)
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Type: %s\r\nContent-Length: %d\r\n", contentType, len(body))
	}
	fmt.Fprintf(&b, "\r\n%s", body)
	return []byte(b.String())
}
