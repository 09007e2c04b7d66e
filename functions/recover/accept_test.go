package recover_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
	"github.com/voiceassist/gateway/shared/identity/registration"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

const (
	grace     = "grace@example.org"
	accepting = "/api/auth/accept-invitation"
	inviting  = "/api/users/invite"
)

// invited invites [grace] and returns the administrator, her id and the token.
func invited(g *functionstest.Gateway) (admin functionstest.Option, id account.ID, code string) {
	_, root := g.Admin("root@example.org")
	admin = functionstest.Bearer(root.Access)
	id = account.ID(g.Do("POST", inviting, `{"email":"`+grace+`","full_name":"Grace"}`, admin).Want(http.StatusCreated, "").Get("id"))
	return admin, id, g.Mail(mail.Invitation).Code
}

// TestAccept_ActivatesTheAccount accepts an invitation. Before, nobody can log in and
// Nextcloud has no account; afterwards, the user is logged in with a verified address.
func TestAccept_ActivatesTheAccount(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g, _ := functionstest.NewWithNextcloud(t, db, map[string]string{"EMAIL_VERIFICATION": "login"})
		rootID, root := addAdmin(t, g)
		admin := functionstest.Bearer(root)
		id := account.ID(g.Do("POST", inviting, `{"email":"`+grace+`","full_name":"Grace"}`, admin).Want(http.StatusCreated, "").Get("id"))
		code := g.Mail(mail.Invitation).Code
		if _, err := g.Reconciler.RunBatch(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
		if n, err := db.NextcloudAccount(t.Context(), id); err != nil || n.Status != desired.Pending {
			t.Errorf("before: the account in Nextcloud is %s, %v", n.Status, err)
		}
		for _, plain := range []string{fresh, "x"} {
			g.Do("POST", "/api/auth/login", map[string]string{"email": grace, "password": plain}).Want(http.StatusUnauthorized, "incorrect_credentials")
		}
		g.Do("POST", accepting, reset(code, "short")).Want(http.StatusUnprocessableEntity, "validation_failed")
		a := g.Do("POST", accepting, map[string]string{"token": code, "password": fresh, "full_name": "Grace Hopper"}).Want(http.StatusOK, "")
		if a.Get("success") != "true" || a.Get("user", "is_active") != "true" || a.Get("user", "full_name") != "Grace Hopper" ||
			a.Get("user", "email_verified_at") == "" || a.Get("role") != "user" {
			t.Errorf("got %s", a.Body)
		}
		me := g.Do("GET", "/api/users/me", nil, functionstest.Bearer(a.Get("access_token"))).Want(http.StatusOK, "")
		if me.Get("is_active") != "true" || me.Get("full_name") != "Grace Hopper" || me.Get("last_login") == "" {
			t.Errorf("got %s", me.Body)
		}
		g.Do("POST", "/api/auth/refresh", map[string]string{"refresh_token": a.Get("refresh_token")}).Want(http.StatusOK, "")
		g.Login(grace, fresh)
		g.Do("POST", accepting, reset(code, "another passphrase")).Want(http.StatusBadRequest, "bad_token")
		if _, err := g.Reconciler.RunBatch(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
		if n, err := db.NextcloudAccount(t.Context(), id); err != nil || n.Status != desired.Active || n.FullName != "Grace Hopper" {
			t.Errorf("afterwards: the account in Nextcloud is %+v, %v", n, err)
		}
		var names []audit.Name
		events, err := db.AuditOf(t.Context(), id, 10)
		for _, e := range events {
			if names = append(names, e.Name); e.Name == audit.Registered && (e.Actor != rootID || e.Detail != "invited") {
				t.Errorf("got %+v", e)
			}
		}
		slices.Sort(names)
		want := []audit.Name{audit.Registered, audit.InvitationAccepted, audit.LoggedIn, audit.LoggedIn, audit.LoginFailed, audit.LoginFailed}
		if err != nil || !slices.Equal(names, want) {
			t.Errorf("audited %v, %v; want %v", names, err, want)
		}
		if log := g.Log(); strings.Contains(log, code) || strings.Contains(log, fresh) {
			t.Error("the log contains the token or the password")
		}
	})
}

// addAdmin creates an administrator whom no rule about registrations concerns.
func addAdmin(t *testing.T, g *functionstest.Gateway) (account.ID, string) {
	t.Helper()
	p, err := registration.Parse("root@example.org", "", string(account.Admin), functionstest.Password)
	if err != nil {
		t.Fatal(err)
	}
	a, err := g.Registrar().Create(t.Context(), p, signin.Proof{}, audit.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	return a.ID, g.Login("root@example.org", functionstest.Password).Access
}

// TestAccept_OneOfSeveralWins accepts an invitation several times at once.
func TestAccept_OneOfSeveralWins(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		_, id, code := invited(g)
		won := redeemAtOnce(t, g, accepting, code)
		logins, err := db.Logins(t.Context(), id, store.Page{Limit: 10}, g.Now())
		if won != 1 || err != nil || len(logins) != 1 {
			t.Errorf("%d acceptances succeeded and %d logins began, %v; want 1", won, len(logins), err)
		}
	})
}

// TestAccept_RefusesWhatIsNoLongerAnInvitation changes what an invitation depends on.
func TestAccept_RefusesWhatIsNoLongerAnInvitation(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(g *functionstest.Gateway, admin functionstest.Option, at string){
		"expired": func(g *functionstest.Gateway, _ functionstest.Option, _ string) { g.Advance(linktoken.InviteLifetime) },
		"disabled": func(g *functionstest.Gateway, admin functionstest.Option, at string) {
			g.Do("PATCH", at, `{"disabled":true}`, admin).Want(http.StatusOK, "")
		},
		"deleted": func(g *functionstest.Gateway, admin functionstest.Option, at string) {
			g.Do("DELETE", at, nil, admin).Want(http.StatusNoContent, "")
		},
		"sent again": func(g *functionstest.Gateway, admin functionstest.Option, at string) {
			g.Do("POST", at+"/resend-invitation", nil, admin).Want(http.StatusAccepted, "")
		},
		"reset": func(g *functionstest.Gateway, _ functionstest.Option, _ string) {
			g.Do("POST", forgot, email(grace)).Want(http.StatusAccepted, "")
			g.Do("POST", resetting, reset(g.Mail(mail.ResetPassword).Code, "another passphrase")).Want(http.StatusOK, "")
		},
		"reset and disowned": func(g *functionstest.Gateway, _ functionstest.Option, _ string) {
			g.Outbox.Notices = true
			g.Do("POST", forgot, email(grace)).Want(http.StatusAccepted, "")
			g.Do("POST", resetting, reset(g.Mail(mail.ResetPassword).Code, "another passphrase")).Want(http.StatusOK, "")
			g.Do("POST", "/api/auth/not-me", token(g.Mail(mail.PasswordChanged).Code)).Want(http.StatusOK, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				g := functionstest.New(t, db)
				admin, id, code := invited(g)
				change(g, admin, "/api/users/"+string(id))
				g.Do("POST", accepting, reset(code, fresh)).Want(http.StatusBadRequest, "bad_token")
			})
		})
	}
}

// TestAccept_InvitedAdministratorNeedsASecondFactor checks that the login of an invited
// administrator reaches only the setup of a second factor where administrators need one.
func TestAccept_InvitedAdministratorNeedsASecondFactor(t *testing.T) {
	t.Parallel()
	g := functionstest.NewWith(t, storetest.SQLite(t), map[string]string{"REQUIRE_2FA_FOR_ADMINS": "true"})
	p, err := registration.ParseInvited(grace, "", string(account.Admin))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Registrar().Invite(t.Context(), p, registration.Sender{}); err != nil {
		t.Fatal(err)
	}
	a := g.Do("POST", accepting, reset(g.Mail(mail.Invitation).Code, fresh)).Want(http.StatusOK, "")
	her := functionstest.Bearer(a.Get("access_token"))
	if a.Get("role") != "admin" {
		t.Errorf("got %s", a.Body)
	}
	g.Do("GET", "/api/users", nil, her).Want(http.StatusForbidden, "second_factor_required")
	g.Do("POST", inviting, `{"email":"eve@example.org"}`, her).Want(http.StatusForbidden, "second_factor_required")
	g.Do("POST", "/api/auth/2fa/setup", nil, her).Want(http.StatusOK, "")
	g.Do("POST", "/api/auth/logout", nil, her).Want(http.StatusNoContent, "")
}

// TestAccept_Cookie sends the refresh token in a cookie, but not to pages of other
// origins.
func TestAccept_Cookie(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	_, _, code := invited(g)
	body := map[string]string{"token": code, "password": fresh, "transport": "cookie"}
	g.Do("POST", accepting, body, functionstest.Header("Origin", "https://evil.example")).Want(http.StatusForbidden, "")
	a := g.Do("POST", accepting, body, functionstest.Header("Origin", functionstest.Origin)).Want(http.StatusOK, "")
	if cookie, ok := a.RefreshCookie(); !ok || cookie == "" || a.Get("refresh_token") != "" {
		t.Errorf("got %v %s", a.Header, a.Body)
	}
}

// TestAccept_WhereRegistrationIsClosed changes the setting after an invitation.
func TestAccept_WhereRegistrationIsClosed(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	secret := keyring.Generate().Reveal()
	open := functionstest.NewWith(t, db, map[string]string{keyring.Variable: secret})
	admin, id, code := invited(open)
	closed := functionstest.NewWith(t, db, map[string]string{"REGISTRATION": "closed", keyring.Variable: secret})
	closed.Do("POST", accepting, reset(code, fresh)).Want(http.StatusForbidden, "registration_closed")
	closed.Do("POST", "/accept-invitation", functionstest.Form{"token": {code}, "password": {fresh}}).Want(http.StatusForbidden, "")
	closed.Do("POST", inviting, `{"email":"eve@example.org"}`, admin).Want(http.StatusForbidden, "registration_closed")
	closed.Do("POST", "/api/users", `{"email":"eve@example.org"}`, admin).Want(http.StatusForbidden, "registration_closed")
	closed.Do("POST", "/api/users/"+string(id)+"/resend-invitation", nil, admin).Want(http.StatusForbidden, "registration_closed")
	closed.Do("POST", "/api/users", `{"email":"eve@example.org","password":"`+fresh+`"}`, admin).Want(http.StatusCreated, "")
	open.Do("POST", accepting, reset(code, fresh)).Want(http.StatusOK, "")
}

// TestPages_AcceptAnInvitation uses the page, first with a password that is too short.
func TestPages_AcceptAnInvitation(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	_, id, code := invited(g)
	if page := g.Do("GET", "/accept-invitation", nil, functionstest.Header("Accept-Language", "de")).Want(http.StatusOK, "").Body; !strings.Contains(page, "Ihr Name") {
		t.Errorf("got %s", page)
	}
	send := func(plain, name string, status int) string {
		t.Helper()
		return g.Do("POST", "/accept-invitation", functionstest.Form{"token": {code}, "password": {plain}, "name": {name}}).Want(status, "").Body
	}
	if page := send("short", `"><b>Grace`, http.StatusUnprocessableEntity); !strings.Contains(page, "at least 8 characters") ||
		!strings.Contains(page, `value="&#34;&gt;&lt;b&gt;Grace"`) {
		t.Errorf("the page has not the reason and the name:\n%s", page)
	}
	if page := send(fresh, strings.Repeat("x", 200), http.StatusUnprocessableEntity); !strings.Contains(page, "The name is too long") {
		t.Errorf("got %s", page)
	}
	if !stored(t, g, id).Pending {
		t.Fatal("the account is active")
	}
	if page := send(fresh, " ", http.StatusOK); !strings.Contains(page, "Your account is ready.") {
		t.Errorf("got %s", page)
	}
	if a := stored(t, g, id); a.Pending || a.FullName != "Grace" {
		t.Errorf("got %+v", a)
	}
	if logins, err := g.DB.Logins(t.Context(), id, store.Page{Limit: 10}, g.Now()); err != nil || len(logins) != 0 {
		t.Errorf("the page began %d logins, %v", len(logins), err)
	}
	g.Login(grace, fresh)
}

// TestAccept_NotTheUserOfAVoidPassword has a token of an invitation for an account that
// was in use and has no password any more. It would go around the second factor.
func TestAccept_NotTheUserOfAVoidPassword(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	id, _ := g.Person()
	_, hash, err := g.DB.AccountAndHash(t.Context(), id)
	if err == nil {
		err = g.DB.ReplaceHash(t.Context(), id, hash, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	var invitation linktoken.ID
	err = g.DB.Update(t.Context(), func(tx *store.Tx) error {
		a, err := tx.Account(t.Context(), id)
		if err == nil {
			invitation, err = mail.PutInvitation(t.Context(), tx, a, g.Now())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	code := g.Links.Encode(invitation, linktoken.Invite, g.Now().Add(linktoken.InviteLifetime)).Reveal()
	g.Do("POST", accepting, reset(code, fresh)).Want(http.StatusBadRequest, "bad_token")
}
