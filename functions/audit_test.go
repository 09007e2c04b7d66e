package functions_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pquerna/otp/totp"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/codes"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// byCommand lists the events that only commands write, and those of settings; they are
// tested elsewhere.
var byCommand = []audit.Name{
	audit.TrailAdopted, audit.KeysRotated, audit.RegistrationRefused, audit.EmailChangeRequested, audit.EmailChangeCanceled,
}

// TestAudit_RecordsEverySecurityEvent makes each event happen, and expects it as a row and as a log
// line with the same facts: correlation ID, address, device.
func TestAudit_RecordsEverySecurityEvent(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g, cloud := functionstest.NewWithNextcloud(t, db, nil)
		happen(t, g, cloud)

		events, err := db.AuditEvents(t.Context(), store.AuditFilter{Since: time.Unix(0, 0), Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		seen, lines := map[audit.Name]bool{}, auditLines(t, g.Log())
		for _, e := range events {
			seen[e.Name] = true
			want := map[string]string{
				"event": string(e.Name), "event_id": e.ID, "user_id": string(e.User), "actor_id": string(e.Actor), "login_id": string(e.Login),
				"detail": e.Detail, "correlation_id": e.Origin.CorrelationID, "address": e.Origin.Address, "device": e.Origin.Device,
			}
			maps.DeleteFunc(want, func(_, v string) bool { return v == "" })
			if diff := cmp.Diff(want, lines[e.ID]); diff != "" {
				t.Errorf("%s: row and log differ (-row +log):\n%s", e.Name, diff)
			}
			if e.Name == audit.IDTaken {
				continue // no request caused it
			}
			if e.Origin.Address != "192.0.2.7" || e.Origin.Device != "test device" || e.Origin.CorrelationID == "" {
				t.Errorf("%s: got origin %+v", e.Name, e.Origin)
			}
			if e.User == "" && e.Detail != audit.UnknownAccount {
				t.Errorf("%s: has no user", e.Name)
			}
		}
		refused := map[string]int{}
		for _, e := range events {
			if e.Name == audit.PasswordRefused && e.Login != "" {
				refused[e.Detail]++
			}
		}
		want := map[string]int{audit.ToChangePassword: 1, audit.ToChangeEmail: 1, audit.ToDelete: 1, audit.ToIssueApp: 1, audit.ToIssueKey: 1}
		if diff := cmp.Diff(want, refused); diff != "" {
			t.Errorf("purposes of refused passwords (-want +got):\n%s", diff)
		}
		if len(lines) != len(events) {
			t.Errorf("got %d log lines for %d events", len(lines), len(events))
		}
		for _, name := range audit.Names() {
			if !seen[name] && !slices.Contains(byCommand, name) {
				t.Errorf("%s was not recorded", name)
			}
		}
	})
}

func auditLines(t *testing.T, log string) map[string]map[string]string {
	t.Helper()
	lines := map[string]map[string]string{}
	for line := range strings.Lines(log) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if fields["msg"] != "audit" {
			continue
		}
		facts := map[string]string{}
		for name, value := range fields {
			if text, ok := value.(string); ok && name != "time" && name != "level" && name != "msg" {
				facts[name] = text
			}
		}
		lines[facts["event_id"]] = facts
	}
	return lines
}

// happen makes every event of a request happen.
func happen(t *testing.T, g *functionstest.Gateway, cloud *nextcloudtest.Server) {
	t.Helper()
	cloud.AddUser("eve@example.org", "somebody else's", "")
	cloud.AddUser("zoe@example.org", "a password from before", "")
	id, p := g.Person()
	_, root := g.Admin("root@example.org")
	ada, admin := functionstest.Bearer(p.Access), functionstest.Bearer(root.Access)
	eve := string(g.Register("eve@example.org", functionstest.Password))
	zoe := string(g.Register("zoe@example.org", functionstest.Password))
	if _, err := g.Reconciler.RunBatch(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	login := func(email, password string, status int) {
		t.Helper()
		g.Do("POST", "/api/auth/login", map[string]string{"email": email, "password": password}).Want(status, "")
	}
	login("nobody@example.org", "my password, by mistake", http.StatusUnauthorized)
	login(functionstest.Email, "wrong", http.StatusUnauthorized)
	for _, change := range []string{`{"role":"admin"}`, `{"role":"user"}`, `{"nextcloud_quota":"20 GB"}`, `{"disabled":true}`} {
		g.Do("PATCH", "/api/users/"+eve, change, admin).Want(http.StatusOK, "")
	}
	login("eve@example.org", functionstest.Password, http.StatusUnauthorized)
	g.Do("PATCH", "/api/users/"+eve, `{"disabled":false}`, admin).Want(http.StatusOK, "")
	g.Do("POST", "/api/users/"+eve+"/reset-password", nil, admin).Want(http.StatusAccepted, "")
	g.Do("DELETE", "/api/users/"+eve, nil, admin).Want(http.StatusNoContent, "")
	invite(g, admin)

	const claim = "/api/users/me/nextcloud/claim"
	owner := functionstest.Bearer(g.Login("zoe@example.org", functionstest.Password).Access)
	g.Do("POST", claim, `{"password":"a guess"}`, owner).Want(http.StatusConflict, "wrong_nextcloud_password")
	g.Do("POST", "/api/nextcloud/accounts/"+zoe+"/adopt", nil, admin).Want(http.StatusOK, "")
	g.Do("POST", claim, `{"password":"a password from before"}`, owner).Want(http.StatusOK, "")

	for _, wrong := range []struct{ method, path, body string }{
		{"POST", "/api/users/me/nextcloud/app-password", `{"name":"x","password":"wrong"}`},
		{"PATCH", "/api/users/me", `{"email":"ada2@example.org","current_password":"wrong"}`},
		{"POST", "/api/users/change-password", `{"old_password":"wrong","new_password":"another horse battery staple"}`},
		{"DELETE", "/api/users/me", `{"password":"wrong"}`},
		{"POST", "/api/auth/api-keys", `{"name":"x","scopes":["files:read"],"password":"wrong"}`},
	} {
		g.Do(wrong.method, wrong.path, wrong.body, ada).Want(http.StatusBadRequest, "incorrect_password")
	}
	issued := g.Do("POST", "/api/users/me/nextcloud/app-password", map[string]string{"name": "x", "password": functionstest.Password}, ada).
		Want(http.StatusCreated, "")
	g.Do("DELETE", "/api/users/me/nextcloud/app-passwords/"+issued.Get("id"), nil, ada).Want(http.StatusNoContent, "")
	key := g.Do("POST", "/api/auth/api-keys", `{"name":"x","scopes":["files:read"]}`, ada).Want(http.StatusCreated, "")
	g.Do("DELETE", "/api/auth/api-keys/"+key.Get("id"), nil, ada).Want(http.StatusNoContent, "")
	const next = "another horse battery staple"
	g.Do("PATCH", "/api/users/me", map[string]string{"email": "ada2@example.org", "current_password": functionstest.Password}, ada).Want(http.StatusOK, "")
	g.Do("POST", "/api/users/change-password", map[string]string{"old_password": functionstest.Password, "new_password": next}, ada).Want(http.StatusOK, "")

	g.Login("ada2@example.org", next)
	var live []struct {
		ID      string
		Current bool
	}
	g.Do("GET", "/api/users/me/logins", nil, ada).Want(http.StatusOK, "").Into(&live)
	for _, l := range live {
		if !l.Current {
			g.Do("DELETE", "/api/users/me/logins/"+l.ID, nil, ada).Want(http.StatusNoContent, "")
		}
	}
	stolen := g.Login("ada2@example.org", next)
	var fresh functionstest.Pair
	g.Do("POST", "/api/auth/refresh", map[string]string{"refresh_token": stolen.Refresh}).Want(http.StatusOK, "").Into(&fresh)
	g.Advance(time.Minute)
	g.Do("POST", "/api/auth/refresh", map[string]string{"refresh_token": stolen.Refresh}).Want(http.StatusUnauthorized, "token_reused")
	secondFactor(t, g, ada, next)
	g.Do("POST", "/api/auth/logout", nil, ada).Want(http.StatusNoContent, "")
	g.Do("POST", "/api/auth/logout?all=true", nil, functionstest.Bearer(g.Login("ada2@example.org", next).Access)).Want(http.StatusNoContent, "")
	recoverAccount(t, g, id)
	disown(t, g, id)
	if a, err := g.DB.Account(t.Context(), id); err != nil || a.Email != account.Email("ada2@example.org") {
		t.Fatal(a, err)
	}
}

// invite invites a user twice, who accepts.
func invite(g *functionstest.Gateway, admin functionstest.Option) {
	id := g.Do("POST", "/api/users/invite", `{"email":"grace@example.org"}`, admin).Want(http.StatusCreated, "").Get("id")
	g.Do("POST", "/api/users/"+id+"/resend-invitation", nil, admin).Want(http.StatusAccepted, "")
	mails := g.Mails()
	last := map[string]string{"token": mails[len(mails)-1].Code, "password": functionstest.Password}
	g.Do("POST", "/api/auth/accept-invitation", last).Want(http.StatusOK, "")
}

// recoverAccount verifies the address of the user, undoes a change of it and resets the
// password.
func recoverAccount(t *testing.T, g *functionstest.Gateway, id account.ID) {
	t.Helper()
	var last string // token
	post := func(path string, body map[string]string, status int) {
		t.Helper()
		g.Do("POST", "/api/auth/"+path, body).Want(status, "")
		for _, m := range g.Mails() {
			last = m.Code
		}
	}
	post("request-verify-token", map[string]string{"email": "ada2@example.org"}, http.StatusAccepted)
	post("verify", map[string]string{"token": last}, http.StatusOK)
	err := g.DB.Update(t.Context(), func(tx *store.Tx) error {
		a, err := tx.Account(t.Context(), id)
		if err != nil {
			return err
		}
		changed := store.Changes{Email: new(account.Email("ada3@example.org")), Confirm: true}
		if a, err = tx.ChangeAccount(t.Context(), tx.Operator(), a, changed, g.Now()); err != nil {
			return err
		}
		return g.Outbox.ChangeAddress(t.Context(), tx, a, g.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range g.Mails() {
		if m.Kind == mail.AddressChange {
			last = m.Code
		}
	}
	post("undo", map[string]string{"token": last}, http.StatusOK)
	post("reset-password", map[string]string{"token": last, "password": functionstest.Password}, http.StatusOK)
	post("forgot-password", map[string]string{"email": "ada2@example.org"}, http.StatusAccepted)
}

// disown tells the user of a new API key, and follows the link of that mail.
func disown(t *testing.T, g *functionstest.Gateway, id account.ID) {
	t.Helper()
	g.Mails()
	if err := g.DB.Update(t.Context(), func(tx *store.Tx) error {
		a, err := tx.Account(t.Context(), id)
		if err != nil {
			return err
		}
		notices := mail.Outbox{Notices: true}
		return notices.Notice(t.Context(), tx, mail.APIKeyCreated, a, audit.New(audit.KeyIssued, id, audit.Origin{}, g.Now()))
	}); err != nil {
		t.Fatal(err)
	}
	g.Do("POST", "/api/auth/not-me", map[string]string{"token": g.Mail(mail.APIKeyCreated).Code}).Want(http.StatusOK, "")
}

// secondFactor enables a second factor of the user, replaces its backup codes and
// disables it.
func secondFactor(t *testing.T, g *functionstest.Gateway, user functionstest.Option, plain string) {
	t.Helper()
	const prefix = "/api/auth/2fa/"
	key := g.Do("POST", prefix+"setup", map[string]string{"password": plain}, user).Want(http.StatusOK, "").Get("manual_entry_key")
	code, err := totp.GenerateCode(key, g.Now())
	if err != nil {
		t.Fatal(err)
	}
	g.Do("POST", prefix+"verify", map[string]string{"code": "none"}, user).Want(http.StatusBadRequest, "bad_code")
	g.Do("POST", prefix+"verify", map[string]string{"code": code}, user).Want(http.StatusOK, "")
	g.Advance(codes.Period)
	if code, err = totp.GenerateCode(key, g.Now()); err != nil {
		t.Fatal(err)
	}
	var fresh struct {
		Codes []string `json:"backup_codes"`
	}
	g.Do("POST", prefix+"backup-codes", map[string]string{"code": code}, user).Want(http.StatusOK, "").Into(&fresh)
	g.Do("POST", prefix+"disable", map[string]string{"password": plain, "code": fresh.Codes[0]}, user).Want(http.StatusOK, "")
}

// TestFailedLogins_AreBounded floods the login. Each failure is in the log, and the number
// of rows per minute is bounded, whatever the attacker varies.
func TestFailedLogins_AreBounded(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	const tries, perMinute = 100, 60
	flood := func() {
		for range tries {
			g.Do("POST", "/api/auth/login", functionstest.Form{"username": {"x@example.org"}, "password": {"x"}}).Want(http.StatusUnauthorized, "")
		}
	}
	rows := func() []audit.Event {
		events, err := g.DB.AuditEvents(t.Context(), store.AuditFilter{Names: []audit.Name{audit.LoginFailed}, Since: time.Unix(0, 0), Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		return events
	}
	flood()
	if n := len(rows()); n != perMinute {
		t.Errorf("%d failures created %d rows, want %d", tries, n, perMinute)
	}
	if n := strings.Count(g.Log(), `"event":"login_failed"`); n != tries {
		t.Errorf("%d failures are in the log, want all %d", n, tries)
	}
	g.Advance(time.Minute)
	flood()
	after := rows()
	if len(after) != 2*perMinute {
		t.Errorf("after a minute: got %d rows, want %d", len(after), 2*perMinute)
	}
	if want := "unknown account; before it, 40 failed logins were only logged"; after[perMinute-1].Detail != want {
		t.Errorf("first row of the next minute: got %q, want %q", after[perMinute-1].Detail, want)
	}
}
