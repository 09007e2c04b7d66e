package recover_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

const disowning = "/api/auth/not-me"

// noticing returns a gateway that writes notices, with a user.
func noticing(t *testing.T, db *store.DB) (*functionstest.Gateway, functionstest.Option) {
	t.Helper()
	g := functionstest.New(t, db)
	g.Outbox.Notices = true
	_, p := g.Person()
	return g, functionstest.Bearer(p.Access)
}

// oneTime returns the present code of a second factor.
func oneTime(t *testing.T, g *functionstest.Gateway, key string) string {
	t.Helper()
	code, err := totp.GenerateCode(key, g.Now())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func makeKey(g *functionstest.Gateway, ada functionstest.Option) string {
	return g.Do("POST", "/api/auth/api-keys", map[string]any{"name": "Spend <money>", "scopes": []string{"profile:read"}}, ada).
		Want(http.StatusCreated, "").Get("key")
}

func changeAddress(g *functionstest.Gateway, to, plain string, ada functionstest.Option) {
	g.Do("PATCH", "/api/users/me", map[string]string{"email": to, "current_password": plain}, ada).Want(http.StatusOK, "")
}

// TestNotMe_EndsAllAccess is what the owner of an account does who is told of a new API
// key: the key, the login and the password stop working, and another mail lets the owner
// choose a new password.
func TestNotMe_EndsAllAccess(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g, ada := noticing(t, db)
		key := makeKey(g, ada)
		notice := g.Mail(mail.APIKeyCreated)
		if notice.Recipient != functionstest.Email || strings.Contains(notice.Data.Encode(), "Spend") {
			t.Errorf("got %+v", notice)
		}
		for _, other := range []string{verifying, undoing} {
			g.Do("POST", other, token(notice.Code)).Want(http.StatusBadRequest, "bad_token")
		}
		g.Do("POST", disowning, token(notice.Code)).Want(http.StatusOK, "")
		g.Do("POST", disowning, token(notice.Code)).Want(http.StatusBadRequest, "bad_token")
		g.Do("GET", "/api/users/me", nil, ada).Want(http.StatusUnauthorized, "")
		g.Do("GET", "/api/users/me", nil, functionstest.Bearer(key)).Want(http.StatusUnauthorized, "")
		g.Do("POST", "/api/auth/login", map[string]string{"email": functionstest.Email, "password": functionstest.Password}).
			Want(http.StatusUnauthorized, "")
		g.Do("POST", resetting, reset(g.Mail(mail.ResetPassword).Code, fresh)).Want(http.StatusOK, "")
		g.Login(functionstest.Email, fresh)
	})
}

// TestNotMe_RemovesAFactorOfSomebodyElse locks the owner out with a second factor. The
// link in any notice removes it.
func TestNotMe_RemovesAFactorOfSomebodyElse(t *testing.T) {
	t.Parallel()
	g, ada := noticing(t, storetest.SQLite(t))
	g.Do("POST", requested, email(functionstest.Email)).Want(http.StatusAccepted, "")
	g.Do("POST", verifying, token(g.Mail(mail.VerifyAddress).Code)).Want(http.StatusOK, "")
	key := g.Do("POST", "/api/auth/2fa/setup", map[string]string{"password": functionstest.Password}, ada).Want(http.StatusOK, "").Get("manual_entry_key")
	g.Do("POST", "/api/auth/2fa/verify", map[string]string{"code": oneTime(t, g, key)}, ada).Want(http.StatusOK, "")
	g.Mail(mail.SecondFactorEnabled)
	g.Advance(time.Minute)
	g.Do("POST", "/api/users/change-password", map[string]string{"old_password": functionstest.Password, "new_password": "of the thief, long"}, ada).Want(http.StatusOK, "")
	g.Do("POST", disowning, token(g.Mail(mail.PasswordChanged).Code)).Want(http.StatusOK, "")
	g.Do("POST", resetting, reset(g.Mail(mail.ResetPassword).Code, fresh)).Want(http.StatusOK, "")
	g.Login(functionstest.Email, fresh) // without a code
}

// TestNotMe_ReusedTokenKeepsThePassword sends a refresh token again, long after it was
// used. The password was not part of that.
func TestNotMe_ReusedTokenKeepsThePassword(t *testing.T) {
	t.Parallel()
	g, _ := noticing(t, storetest.SQLite(t))
	first := g.Login(functionstest.Email, functionstest.Password).Refresh
	send := func(status int, code string) {
		t.Helper()
		g.Do("POST", "/api/auth/refresh", map[string]string{"refresh_token": first}).Want(status, code)
	}
	send(http.StatusOK, "")
	g.Advance(time.Hour)
	send(http.StatusUnauthorized, "token_reused")
	g.Do("POST", disowning, token(g.Mail(mail.TokenReused).Code)).Want(http.StatusOK, "")
	g.Login(functionstest.Email, functionstest.Password)
	g.Do("POST", resetting, reset(g.Mail(mail.ResetPassword).Code, fresh)).Want(http.StatusOK, "")
}

// TestNotMe_LinksDoNotOutliveAReset proves who the owner is by a reset, and sends a link
// from before.
func TestNotMe_LinksDoNotOutliveAReset(t *testing.T) {
	t.Parallel()
	g, ada := noticing(t, storetest.SQLite(t))
	makeKey(g, ada)
	notice := g.Mail(mail.APIKeyCreated).Code
	g.Do("POST", resetting, reset(forget(g), fresh)).Want(http.StatusOK, "")
	g.Do("POST", disowning, token(notice)).Want(http.StatusBadRequest, "bad_token")
	g.Mail(mail.PasswordChanged)
	makeKey(g, functionstest.Bearer(g.Login(functionstest.Email, fresh).Access))
	notice = g.Mail(mail.APIKeyCreated).Code
	g.Advance(linktoken.DisownLifetime)
	g.Do("POST", disowning, token(notice)).Want(http.StatusBadRequest, "bad_token")
}

// TestNotMe_UndoesAReset is for an owner whose mail somebody else reads too: the notice of
// the reset voids the password that was chosen.
func TestNotMe_UndoesAReset(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g, _ := noticing(t, db)
		g.Do("POST", resetting, reset(forget(g), fresh)).Want(http.StatusOK, "")
		g.Do("POST", disowning, token(g.Mail(mail.PasswordChanged).Code)).Want(http.StatusOK, "")
		g.Do("POST", "/api/auth/login", map[string]string{"email": functionstest.Email, "password": fresh}).
			Want(http.StatusUnauthorized, "")
	})
}

// TestNotices_OfAnAddress changes the address, as a thief does, and then back, as the
// owner does. The previous address can undo the first change. The address of the thief
// can do nothing: neither with what was mailed while it was that of the account, nor
// after the owner took it away.
func TestNotices_OfAnAddress(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g, ada := noticing(t, db)
		changeAddress(g, "thief@example.org", functionstest.Password, ada)
		told := g.Mail(mail.AddressChanged)
		if told.Recipient != functionstest.Email || told.Data.NewEmail != "thief@example.org" {
			t.Fatalf("got %+v", told)
		}
		g.Advance(time.Minute)
		makeKey(g, ada)
		thief := g.Mail(mail.APIKeyCreated)
		if thief.Recipient != "thief@example.org" {
			t.Fatalf("got %+v", thief)
		}
		changeAddress(g, functionstest.Email, functionstest.Password, ada)
		if more := g.Mails(); len(more) != 0 {
			t.Errorf("the way back sent %+v", more)
		}
		g.Do("POST", disowning, token(thief.Code)).Want(http.StatusBadRequest, "bad_token")
		changeAddress(g, "thief@example.org", functionstest.Password, ada)
		g.Do("POST", undoing, token(told.Code)).Want(http.StatusOK, "")
		g.Do("POST", disowning, token(thief.Code)).Want(http.StatusBadRequest, "bad_token")
		g.Do("GET", "/api/users/me", nil, ada).Want(http.StatusUnauthorized, "")
	})
}

// TestNotices_AreBoundedAndNotSuppressed creates more keys than there are notices in an
// hour. Neither that nor an account of somebody else at the same mailbox suppresses the
// notice of a new password, once the address is verified.
func TestNotices_AreBoundedAndNotSuppressed(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g, ada := noticing(t, db)
		for range 2 * mail.PerHour {
			makeKey(g, ada)
		}
		if all := g.Mails(); len(all) != mail.PerHour {
			t.Errorf("got %d notices, want %d", len(all), mail.PerHour)
		}
		g.Do("POST", requested, email(functionstest.Email)).Want(http.StatusAccepted, "")
		g.Do("POST", verifying, token(g.Mail(mail.VerifyAddress).Code)).Want(http.StatusOK, "")
		const tagged = "ada+1@example.org"
		g.Do("POST", "/api/auth/register", map[string]string{"email": tagged, "password": functionstest.Password}).Want(http.StatusOK, "")
		change := func(by functionstest.Option, from, to string) {
			t.Helper()
			g.Do("POST", "/api/users/change-password", map[string]string{"old_password": from, "new_password": to}, by).Want(http.StatusOK, "")
		}
		other := functionstest.Bearer(g.Login(tagged, functionstest.Password).Access)
		for range mail.PerHour {
			change(other, functionstest.Password, fresh)
			change(other, fresh, functionstest.Password)
		}
		if all := g.Mails(); len(all) != mail.PerHour {
			t.Errorf("got %d notices for the other account, want %d", len(all), mail.PerHour)
		}
		change(ada, functionstest.Password, fresh)
		if m := g.Mail(mail.PasswordChanged); m.Recipient != functionstest.Email {
			t.Errorf("got %+v", m)
		}
	})
}

// TestNotices_NeedAWayToSendMail changes the account while mail goes nowhere.
func TestNotices_NeedAWayToSendMail(t *testing.T) {
	t.Parallel()
	g, ada := noticing(t, storetest.SQLite(t))
	g.Outbox.Notices = false
	makeKey(g, ada)
	changeAddress(g, "new@example.org", functionstest.Password, ada)
	if all := g.Mails(); len(all) != 0 {
		t.Errorf("got %+v", all)
	}
}
