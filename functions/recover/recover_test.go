package recover_test

import (
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

const (
	fresh     = "an entirely new passphrase"
	forgot    = "/api/auth/forgot-password"
	resetting = "/api/auth/reset-password"
	requested = "/api/auth/request-verify-token"
	verifying = "/api/auth/verify"
	undoing   = "/api/auth/undo"
)

func email(address string) map[string]string { return map[string]string{"email": address} }

func token(code string) map[string]string { return map[string]string{"token": code} }

func reset(code, plain string) map[string]string {
	return map[string]string{"token": code, "password": plain}
}

// forget requests a reset for [functionstest.Email] and returns the token.
func forget(g *functionstest.Gateway) string {
	g.Do("POST", forgot, email(functionstest.Email)).Want(http.StatusAccepted, "")
	return g.Mail(mail.ResetPassword).Code
}

func stored(t *testing.T, g *functionstest.Gateway, id account.ID) account.Account {
	t.Helper()
	a, err := g.DB.Account(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestReset_ReplacesThePasswordAndEndsAllAccess resets a password. The former one, the
// login and an API key stop working, the address is verified, and the token is spent.
func TestReset_ReplacesThePasswordAndEndsAllAccess(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		id, p := g.Person()
		ada := functionstest.Bearer(p.Access)
		key := g.Do("POST", "/api/auth/api-keys", map[string]any{"name": "x", "scopes": []string{"profile:read"}}, ada).
			Want(http.StatusCreated, "").Get("key")
		code := forget(g)
		g.Do("POST", resetting, reset(code, "short")).Want(http.StatusUnprocessableEntity, "validation_failed")
		g.Do("POST", resetting, reset(code, functionstest.Email)).Want(http.StatusUnprocessableEntity, "validation_failed")
		g.Do("POST", resetting, reset(code, fresh)).Want(http.StatusOK, "")
		g.Do("POST", resetting, reset(code, fresh)).Want(http.StatusBadRequest, "bad_token")
		g.Do("GET", "/api/users/me", nil, ada).Want(http.StatusUnauthorized, "")
		g.Do("GET", "/api/users/me", nil, functionstest.Bearer(key)).Want(http.StatusUnauthorized, "")
		g.Do("POST", "/api/auth/login", map[string]string{"email": functionstest.Email, "password": functionstest.Password}).
			Want(http.StatusUnauthorized, "")
		g.Login(functionstest.Email, fresh)
		if stored(t, g, id).EmailVerifiedAt == nil {
			t.Error("the address is not verified")
		}
		if log := g.Log(); strings.Contains(log, code) || strings.Contains(log, fresh) {
			t.Error("the log contains the token or the password")
		}
	})
}

// redeemAtOnce sends the token with a new password several times at once, and returns how
// many requests succeeded. The others must get bad_token.
func redeemAtOnce(t *testing.T, g *functionstest.Gateway, path, code string) (won int) {
	t.Helper()
	answers := make([]functionstest.Answer, 6)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = g.Do("POST", path, reset(code, fresh)) })
	}
	all.Wait()
	for _, a := range answers {
		switch {
		case a.Status == http.StatusOK:
			won++
		case a.Get("code") != "bad_token":
			t.Errorf("got %d %s", a.Status, a.Body)
		}
	}
	return won
}

// TestReset_OneOfSeveralWins redeems a token several times at once.
func TestReset_OneOfSeveralWins(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		g.Person()
		code := forget(g)
		if won := redeemAtOnce(t, g, resetting, code); won != 1 {
			t.Errorf("%d redemptions succeeded, want 1", won)
		}
	})
}

// TestTokens_WorkForOneStateOnly changes what a token is bound to.
func TestTokens_WorkForOneStateOnly(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		id, _ := g.Person()
		g.Admin("root@example.org")

		expired := forget(g)
		g.Advance(time.Hour)
		g.Do("POST", resetting, reset(expired, fresh)).Want(http.StatusBadRequest, "bad_token")

		code := forget(g)
		ada := functionstest.Bearer(g.Login(functionstest.Email, functionstest.Password).Access)
		g.Do("POST", "/api/users/change-password", map[string]string{"old_password": functionstest.Password, "new_password": "another passphrase"}, ada).
			Want(http.StatusOK, "")
		g.Do("POST", resetting, reset(code, fresh)).Want(http.StatusBadRequest, "bad_token")

		code = forget(g)
		g.Do("POST", verifying, token(code)).Want(http.StatusBadRequest, "bad_token")
		g.Do("POST", undoing, token(code)).Want(http.StatusBadRequest, "bad_token")
		admin := functionstest.Bearer(g.Login("root@example.org", functionstest.Password).Access)
		g.Do("PATCH", "/api/users/"+string(id), map[string]bool{"disabled": true}, admin).Want(http.StatusOK, "")
		g.Do("POST", resetting, reset(code, fresh)).Want(http.StatusBadRequest, "bad_token")
		g.Do("POST", forgot, email(functionstest.Email)).Want(http.StatusAccepted, "")
		if mails := g.Mails(); len(mails) != 0 {
			t.Errorf("a disabled user gets %v", mails)
		}
		if !stored(t, g, id).Disabled() {
			t.Error("the account is enabled")
		}
	})
}

// TestVerify_OfANewAddress verifies the address of an account.
func TestVerify_OfANewAddress(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		g.Person()
		g.Do("POST", requested, email("ADA@example.org")).Want(http.StatusAccepted, "")
		code := g.Mail(mail.VerifyAddress).Code
		if verified := g.Do("POST", verifying, token(code)).Want(http.StatusOK, "").Get("user", "email_verified_at"); verified == "" {
			t.Error("the account is not verified")
		}
		g.Do("POST", verifying, token(code)).Want(http.StatusBadRequest, "bad_token")
		g.Do("POST", requested, email(functionstest.Email)).Want(http.StatusAccepted, "")
		g.Do("POST", requested, email("nobody@example.org")).Want(http.StatusAccepted, "")
		if mails := g.Mails(); len(mails) != 0 {
			t.Errorf("a verified user and nobody get %v", mails)
		}
		g.Do("POST", requested, email("ada")).Want(http.StatusUnprocessableEntity, "validation_failed")
	})
}

// change asks for another address, which has to be confirmed, and returns both mails.
func change(t *testing.T, g *functionstest.Gateway, id account.ID, to account.Email) (confirm, undo string) {
	t.Helper()
	err := g.DB.Update(t.Context(), func(tx *store.Tx) error {
		a, err := tx.Account(t.Context(), id)
		if err != nil {
			return err
		}
		if a, err = tx.ChangeAccount(t.Context(), tx.Operator(), a, store.Changes{Email: &to, Confirm: true}, g.Now()); err != nil {
			return err
		}
		return g.Outbox.ChangeAddress(t.Context(), tx, a, g.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range g.Mails() {
		switch m.Kind {
		case mail.ConfirmAddress:
			confirm = m.Code
		case mail.AddressChange:
			undo = m.Code
		default:
			t.Errorf("a mail of kind %s", m.Kind)
		}
	}
	return confirm, undo
}

// TestUndo_RestoresTheAddress undoes a change that somebody made who knew the password.
func TestUndo_RestoresTheAddress(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		id, p := g.Person()
		confirm, undo := change(t, g, id, "eve@example.net")
		if got := g.Do("POST", verifying, token(confirm)).Want(http.StatusOK, "").Get("user", "email"); got != "eve@example.net" {
			t.Fatalf("the address is %s", got)
		}
		g.Do("POST", verifying, token(undo)).Want(http.StatusBadRequest, "bad_token")
		if got := g.Do("POST", undoing, token(undo)).Want(http.StatusOK, "").Get("user", "email"); got != functionstest.Email {
			t.Errorf("the address is %s", got)
		}
		g.Do("POST", undoing, token(undo)).Want(http.StatusBadRequest, "bad_token")
		g.Do("GET", "/api/users/me", nil, functionstest.Bearer(p.Access)).Want(http.StatusUnauthorized, "")
		g.Do("POST", "/api/auth/login", map[string]string{"email": functionstest.Email, "password": functionstest.Password}).
			Want(http.StatusUnauthorized, "")
		m := g.Mail(mail.ResetPassword)
		if m.Recipient != functionstest.Email {
			t.Errorf("the reset is mailed to %s", m.Recipient)
		}
		g.Do("POST", resetting, reset(m.Code, fresh)).Want(http.StatusOK, "")
		g.Login(functionstest.Email, fresh)
	})
}

// TestReset_CancelsAChangeOfAddress resets the password while somebody who knew the
// former one waits to confirm another address.
func TestReset_CancelsAChangeOfAddress(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		id, _ := g.Person()
		confirm, _ := change(t, g, id, "eve@example.net")
		g.Do("POST", resetting, reset(forget(g), fresh)).Want(http.StatusOK, "")
		g.Do("POST", verifying, token(confirm)).Want(http.StatusBadRequest, "bad_token")
		if a := stored(t, g, id); a.PendingEmail != "" || a.Email != functionstest.Email {
			t.Errorf("the address is %s, and %s waits", a.Email, a.PendingEmail)
		}
		g.Do("POST", requested, email(functionstest.Email)).Want(http.StatusAccepted, "")
		if mails := g.Mails(); len(mails) != 0 {
			t.Errorf("got %v", mails)
		}
	})
}

// TestReset_KeepsTheSecondFactorOfAVerifiedUser compares users whose address was
// verified before with others, whose second factor may be that of somebody else.
func TestReset_KeepsTheSecondFactorOfAVerifiedUser(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for name, verified := range map[string]bool{"verified": true, "unverified": false} {
			g := functionstest.New(t, db)
			address := name + "@example.org"
			id := g.Register(address, functionstest.Password)
			if verified {
				g.Do("POST", requested, email(address)).Want(http.StatusAccepted, "")
				g.Do("POST", verifying, token(g.Mail(mail.VerifyAddress).Code)).Want(http.StatusOK, "")
			}
			enroll(t, g, id)
			g.Do("POST", forgot, email(address)).Want(http.StatusAccepted, "")
			g.Do("POST", resetting, reset(g.Mail(mail.ResetPassword).Code, fresh)).Want(http.StatusOK, "")
			if got := stored(t, g, id).SecondFactor(); got != verified {
				t.Errorf("%s: the second factor is on: %t", name, got)
			}
		}
	})
}

// enroll enables a second factor for the user, who has none.
func enroll(t *testing.T, g *functionstest.Gateway, id account.ID) {
	t.Helper()
	ada := functionstest.Bearer(g.Login(string(stored(t, g, id).Email), functionstest.Password).Access)
	setUp := g.Do("POST", "/api/auth/2fa/setup", map[string]string{"password": functionstest.Password}, ada).Want(http.StatusOK, "")
	code, err := totp.GenerateCode(setUp.Get("manual_entry_key"), g.Now())
	if err != nil {
		t.Fatal(err)
	}
	g.Do("POST", "/api/auth/2fa/verify", map[string]string{"code": code}, ada).Want(http.StatusOK, "")
}

// TestRequests_AreLimitedPerMailbox requests many mails, from different clients.
func TestRequests_AreLimitedPerMailbox(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		g.Person()
		for range 3 * mail.PerHour {
			g.Do("POST", forgot, email(functionstest.Email)).Want(http.StatusAccepted, "")
		}
		if n := len(g.Mails()); n != mail.PerHour {
			t.Errorf("%d mails in an hour, want %d", n, mail.PerHour)
		}
		g.Advance(time.Hour + time.Second)
		forget(g)
	})
}

// TestRequests_OverTheLimitOfAnAddressAreAccepted requests more mails for an address
// than its limit allows.
func TestRequests_OverTheLimitOfAnAddressAreAccepted(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	g := functionstest.NewWith(t, db, map[string]string{"PASSWORD_RATE_LIMIT_PER_MINUTE": "2"})
	g.Person()
	for i, address := range []string{functionstest.Email, "ADA@example.org", "ada@EXAMPLE.org", "Ada@example.org"} {
		from := functionstest.From("198.51.100." + string(rune('1'+i)))
		g.Do("POST", forgot, email(address), from).Want(http.StatusAccepted, "")
	}
	if n := len(g.Mails()); n != 2 {
		t.Errorf("%d mails, want 2", n)
	}
	events, err := db.AuditEvents(t.Context(), store.AuditFilter{Since: time.Unix(0, 0), Limit: 100, Names: []audit.Name{audit.ResetRequested}})
	if err != nil || len(events) != 2 {
		t.Errorf("%d events, %v; want 2", len(events), err)
	}
}
