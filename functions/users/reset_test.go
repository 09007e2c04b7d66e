package users_test

import (
	"net/http"
	"testing"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestAdmin_ResetsAPassword checks that the user gets a mail, and that nothing else
// changes.
func TestAdmin_ResetsAPassword(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		id, p := g.Person()
		rootID, root := g.Admin("root@example.org")
		ada, admin := functionstest.Bearer(p.Access), functionstest.Bearer(root.Access)
		at := usersPath + "/" + string(id) + "/reset-password"
		woken := 0
		g.Outbox.Notify = func() { woken++ }

		g.Do("POST", at, nil, ada).Want(http.StatusForbidden, "admin_required")
		if got := g.Do("POST", at, nil, admin).Want(http.StatusAccepted, ""); got.Body != "" || woken != 1 {
			t.Errorf("got %q, and the dispatcher was woken %d times", got.Body, woken)
		}
		now := g.Now()
		mails, err := db.LeaseMails(t.Context(), uid.New(), now, now, 10)
		if err != nil || len(mails) != 1 || mails[0].Kind != mail.ResetPassword || mails[0].Recipient != functionstest.Email {
			t.Fatalf("got the mails %+v, %v", mails, err)
		}
		g.Do("GET", mePath, nil, ada).Want(http.StatusOK, "")
		g.Login(functionstest.Email, functionstest.Password)
		events, err := db.AuditEvents(t.Context(), store.AuditFilter{User: id, Names: []audit.Name{audit.ResetRequested}, Limit: 10})
		if err != nil || len(events) != 1 || events[0].Actor != rootID {
			t.Errorf("audited %+v, %v", events, err)
		}

		for range mail.PerHour - 1 {
			g.Do("POST", at, nil, admin).Want(http.StatusAccepted, "")
		}
		g.Do("POST", at, nil, admin).Want(http.StatusTooManyRequests, "too_many_mails")
		for _, unknown := range []string{string(account.NewID()), "x"} {
			g.Do("POST", usersPath+"/"+unknown+"/reset-password", nil, admin).Want(http.StatusNotFound, "not_found")
		}
		g.Do("PATCH", usersPath+"/"+string(id), `{"disabled":true}`, admin).Want(http.StatusOK, "")
		g.Do("POST", at, nil, admin).Want(http.StatusConflict, "account_disabled")
	})
}
