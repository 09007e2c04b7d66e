package users_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

const invitePath = usersPath + "/invite"

// TestInvite checks both calls that invite, the account that they create, and that only
// the last mail counts.
func TestInvite(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		rootID, root := g.Admin("root@example.org")
		_, p := g.Person()
		admin, ada := functionstest.Bearer(root.Access), functionstest.Bearer(p.Access)
		g.Do("PATCH", mePath, `{"preferences":{"language":"de"}}`, admin).Want(http.StatusOK, "")
		woken := 0
		g.Outbox.Notify = func() { woken++ }

		for path, email := range map[string]string{invitePath: "eve@example.org", usersPath: "grace@example.org"} {
			body := `{"email":"` + email + `","role":"admin"}`
			g.Do("POST", path, body).Want(http.StatusUnauthorized, "missing_token")
			g.Do("POST", path, body, ada).Want(http.StatusForbidden, "admin_required")
			made := g.Do("POST", path, body, admin).Want(http.StatusCreated, "")
			at := made.Header.Get("Location")
			if at != usersPath+"/"+made.Get("id") || made.Get("is_active") != "false" || made.Get("role") != "admin" || made.Get("disabled") != "" {
				t.Errorf("Location %q, %s", at, made.Body)
			}
			if got := g.Do("GET", at, nil, admin).Want(http.StatusOK, ""); got.Body != made.Body {
				t.Errorf("GET: got %s, want the response to POST, %s", got.Body, made.Body)
			}
			if m := g.Mail(mail.Invitation); string(m.Recipient) != email || m.Language != "de" {
				t.Errorf("got %+v", m)
			}
			g.Do("POST", path, body, admin).Want(http.StatusConflict, "email_taken")
			g.Do("POST", path, `{"email":"`+functionstest.Email+`"}`, admin).Want(http.StatusConflict, "email_taken")

			again := at + "/resend-invitation"
			g.Do("POST", again, nil, ada).Want(http.StatusForbidden, "admin_required")
			for range mail.PerHour - 1 {
				g.Do("POST", again, nil, admin).Want(http.StatusAccepted, "")
			}
			g.Do("POST", again, nil, admin).Want(http.StatusTooManyRequests, "too_many_mails")
			mails := g.Mails()
			for i, m := range mails {
				last := i == len(mails)-1
				a := g.Do("POST", "/api/auth/accept-invitation", map[string]string{"token": m.Code, "password": functionstest.Password})
				if m.Kind != mail.Invitation || (a.Status == http.StatusOK) != last {
					t.Errorf("invitation %d of %d: %s, %d %s", i+1, len(mails), m.Kind, a.Status, a.Body)
				}
			}
			g.Do("POST", again, nil, admin).Want(http.StatusConflict, "not_pending")
			events, err := db.AuditEvents(t.Context(), store.AuditFilter{User: account.ID(made.Get("id")), Names: []audit.Name{audit.Invited}, Limit: 10})
			if err != nil || len(events) != mail.PerHour-1 || events[0].Actor != rootID {
				t.Errorf("audited %+v, %v", events, err)
			}
		}
		if woken != 2*(mail.PerHour+1) { // each acceptance, too
			t.Errorf("the dispatcher was woken %d times", woken)
		}
		for _, unknown := range []string{string(account.NewID()), "x"} {
			g.Do("POST", usersPath+"/"+unknown+"/resend-invitation", nil, admin).Want(http.StatusNotFound, "not_found")
		}
	})
}

// TestInvite_RefusesWhatIsWrong checks that a password that is sent must be acceptable,
// and who gets no invitation.
func TestInvite_RefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	id, _ := g.Person()
	_, root := g.Admin("root@example.org")
	admin := functionstest.Bearer(root.Access)
	for _, body := range []string{
		`{"email":"eve@example.org","password":""}`, `{"email":"eve@example.org","password":null}`, `{"email":"eve@example.org","password":"short"}`, `{}`,
	} {
		g.Do("POST", usersPath, body, admin).Want(http.StatusUnprocessableEntity, "validation_failed")
	}
	for _, body := range []string{`{"email":"eve"}`, `{"email":"eve@example.org","role":"root"}`, `{"email":"eve@example.org","password":"` + functionstest.Password + `"}`, `{}`} {
		g.Do("POST", invitePath, body, admin).Want(http.StatusUnprocessableEntity, "validation_failed")
	}
	g.Do("POST", usersPath+"/"+string(id)+"/resend-invitation", nil, admin).Want(http.StatusConflict, "not_pending")
	at := usersPath + "/" + g.Do("POST", invitePath, `{"email":"eve@example.org"}`, admin).Want(http.StatusCreated, "").Get("id")
	g.Mail(mail.Invitation)
	g.Do("PATCH", at, `{"disabled":true}`, admin).Want(http.StatusOK, "")
	g.Do("POST", at+"/resend-invitation", nil, admin).Want(http.StatusConflict, "account_disabled")
	if mails := g.Mails(); len(mails) != 0 {
		t.Errorf("a disabled user gets %v", mails)
	}
}

// TestInvite_NotTheUserOfAVoidPassword has a user who says "it was not me": the account
// has no password, too, and keeps its second factor. An invitation would go around that.
func TestInvite_NotTheUserOfAVoidPassword(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	g.Outbox.Notices = true
	id, p := g.Person()
	_, root := g.Admin("root@example.org")
	change := `{"old_password":"` + functionstest.Password + `","new_password":"an entirely new passphrase"}`
	g.Do("POST", usersPath+"/change-password", change, functionstest.Bearer(p.Access)).Want(http.StatusOK, "")
	g.Do("POST", "/api/auth/not-me", map[string]string{"token": g.Mail(mail.PasswordChanged).Code}).Want(http.StatusOK, "")
	if a, err := g.DB.Account(t.Context(), id); err != nil || !a.Pending {
		t.Fatalf("got %+v, %v; want a pending account", a, err)
	}
	g.Do("POST", usersPath+"/"+string(id)+"/resend-invitation", nil, functionstest.Bearer(root.Access)).Want(http.StatusConflict, "not_pending")
}

// TestInvite_OneOfSeveralWins invites one address several times at once.
func TestInvite_OneOfSeveralWins(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		_, root := g.Admin("root@example.org")
		answers := make([]functionstest.Answer, 4)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() {
				answers[i] = g.Do("POST", invitePath, `{"email":"eve@example.org"}`, functionstest.Bearer(root.Access))
			})
		}
		all.Wait()
		won := 0
		for _, a := range answers {
			if a.Status == http.StatusCreated {
				won++
				continue
			}
			a.Want(http.StatusConflict, "email_taken")
		}
		if mails := g.Mails(); won != 1 || len(mails) != 1 {
			t.Errorf("%d invitations and %d mails, want 1", won, len(mails))
		}
	})
}
