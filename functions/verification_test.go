package functions_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// verifying returns a gateway with that EMAIL_VERIFICATION.
func verifying(t *testing.T, db *store.DB, setting string) *functionstest.Gateway {
	t.Helper()
	return functionstest.NewWith(t, db, map[string]string{"EMAIL_VERIFICATION": setting})
}

// posted returns the kind and the recipient of each mail in the outbox, which it empties.
func posted(t *testing.T, g *functionstest.Gateway) (mails []string) {
	t.Helper()
	for _, m := range empty(t, g) {
		mails = append(mails, string(m.Kind)+" "+string(m.Recipient))
	}
	return mails
}

// empty marks all mails as sent and returns them.
func empty(t *testing.T, g *functionstest.Gateway) (all []mail.Message) {
	t.Helper()
	for {
		lease, now := uid.New(), g.Now()
		list, err := g.DB.LeaseMails(t.Context(), lease, now, now.Add(time.Minute), 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			return all
		}
		for _, m := range list {
			if err := g.DB.SettleMail(t.Context(), m, lease, mail.Outcome{Result: mail.Sent}, now); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, list...)
	}
}

// follow does what the link in the last mail of the kind does.
func follow(t *testing.T, g *functionstest.Gateway, mails []mail.Message, k mail.Kind) error {
	t.Helper()
	for _, m := range slices.Backward(mails) {
		if m.Kind != k {
			continue
		}
		return g.DB.Update(t.Context(), func(tx *store.Tx) error {
			by, token, err := tx.RedeemLinkToken(t.Context(), m.Token, k.Purpose(), g.Now())
			if err != nil {
				return err
			}
			if k.Purpose() == linktoken.Undo {
				_, err = tx.RestoreEmail(t.Context(), by, token, g.Now())
				return err
			}
			if _, err = tx.ConfirmEmail(t.Context(), by, token, g.Now()); err != nil {
				return err
			}
			return tx.ReleaseNextcloud(t.Context(), by.Account.ID)
		})
	}
	t.Fatalf("no mail %s in %v", k, mails)
	return nil
}

func login(g *functionstest.Gateway, email, password string) functionstest.Answer {
	return g.Do("POST", "/api/auth/login", map[string]string{"email": email, "password": password})
}

func TestVerification_BeforeSigningIn(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		before := functionstest.New(t, db)
		before.Register("old@example.org", functionstest.Password)
		if got := posted(t, before); len(got) != 0 {
			t.Errorf("without verification, the mails %q were written", got)
		}
		_, root := before.Admin("root@example.org")

		g := verifying(t, db, "login")
		login(g, "old@example.org", functionstest.Password).Want(http.StatusOK, "") // older than the setting
		g.Register(functionstest.Email, functionstest.Password)
		mails := empty(t, g)
		if len(mails) != 1 || mails[0].Kind != mail.VerifyAddress || mails[0].Recipient != functionstest.Email {
			t.Fatalf("got the mails %+v", mails)
		}
		login(g, functionstest.Email, "wrong").Want(http.StatusUnauthorized, "incorrect_credentials")
		login(g, functionstest.Email, functionstest.Password).Want(http.StatusForbidden, "email_unverified")
		login(before, functionstest.Email, functionstest.Password).Want(http.StatusOK, "") // the setting is off there
		if err := follow(t, g, mails, mail.VerifyAddress); err != nil {
			t.Fatal(err)
		}
		login(g, functionstest.Email, functionstest.Password).Want(http.StatusOK, "")

		// Whoever creates an account for somebody else vouches for the address.
		before.Do("POST", "/api/users", map[string]string{"email": "bob@example.org", "password": functionstest.Password},
			functionstest.Bearer(root.Access)).Want(http.StatusCreated, "")
		login(g, "bob@example.org", functionstest.Password).Want(http.StatusOK, "")
	})
}

// TestVerification_RefusalIsAudited also checks that the refusal says nothing without the
// password.
func TestVerification_RefusalIsAudited(t *testing.T) {
	t.Parallel()
	g := verifying(t, storetest.SQLite(t), "login")
	id := g.Register(functionstest.Email, functionstest.Password)
	login(g, functionstest.Email, functionstest.Password).Want(http.StatusForbidden, "email_unverified")
	events, err := g.DB.AuditOf(t.Context(), id, 1)
	if err != nil || events[0].Name != "login_failed" || events[0].Detail != "address not verified" {
		t.Errorf("audited %+v, %v", events, err)
	}
	known, unknown := login(g, functionstest.Email, "wrong"), login(g, "nobody@example.org", "wrong")
	if known.Status != unknown.Status || known.Get("code") != unknown.Get("code") || known.Get("detail") != unknown.Get("detail") {
		t.Errorf("got %s for an unverified account, %s for none", known.Body, unknown.Body)
	}
}

func TestVerification_BeforeStorage(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"storage", "login"} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			g, cloud := functionstest.NewWithNextcloud(t, storetest.SQLite(t), map[string]string{"EMAIL_VERIFICATION": setting})
			g.Register(functionstest.Email, functionstest.Password)
			mails := empty(t, g)
			exists := func(want bool) {
				t.Helper()
				if res, err := g.Reconciler.RunBatch(t.Context(), 10); err != nil || res.Failed > 0 {
					t.Fatalf("%+v, %v", res, err)
				}
				if _, found := cloud.User(functionstest.Email); found != want {
					t.Errorf("the account in Nextcloud exists: %t, want %t", found, want)
				}
			}
			exists(false)
			if setting == "storage" {
				ada := functionstest.Bearer(g.Login(functionstest.Email, functionstest.Password).Access)
				g.Do("GET", "/api/files/", nil, ada).Want(http.StatusConflict, "storage_not_ready")
				if got := g.Do("GET", "/api/users/me/nextcloud", nil, ada).Want(http.StatusOK, ""); got.Get("last_error") != "email_unverified" || got.Get("detail") == "" {
					t.Errorf("the user is not told why: %s", got.Body)
				}
				_, root := g.Admin("root@example.org")
				if got := g.Do("GET", "/api/nextcloud/accounts?status=pending", nil, functionstest.Bearer(root.Access)).Want(http.StatusOK, ""); !strings.Contains(got.Body, `"last_error":"email_unverified"`) {
					t.Errorf("administrators are not told why: %s", got.Body)
				}
				g.Do("PATCH", "/api/users/me", `{"full_name":"Countess Lovelace"}`, ada).Want(http.StatusOK, "")
				exists(false)
			}
			if err := follow(t, g, mails, mail.VerifyAddress); err != nil {
				t.Fatal(err)
			}
			exists(true)
			if !cloud.ValidCredentials(functionstest.Email, functionstest.Password) {
				t.Error("the password was not passed on")
			}
		})
	}
}

// TestVerification_SilentRegistration registers an address again: its owner gets the mail
// again while it is unverified, and none afterwards. The responses are alike.
func TestVerification_SilentRegistration(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.NewWith(t, db, map[string]string{"EMAIL_VERIFICATION": "login", "REGISTRATION_CONFLICT": "silent"})
		const again = "another good passphrase"
		g.Register(functionstest.Email, functionstest.Password)
		g.Register(functionstest.Email, again)
		mails := empty(t, g)
		if len(mails) != 2 || mails[1].Kind != mail.VerifyAddress || mails[1].Recipient != functionstest.Email || mails[0].Token != mails[1].Token {
			t.Fatalf("got the mails %+v, want the same link twice", mails)
		}
		if err := follow(t, g, mails, mail.VerifyAddress); err != nil {
			t.Fatal(err)
		}
		g.Register(functionstest.Email, again)
		if got := posted(t, g); len(got) != 0 {
			t.Errorf("a verified address gets the mails %q", got)
		}
		login(g, functionstest.Email, functionstest.Password).Want(http.StatusOK, "")
		for range 2 * mail.PerHour { // beyond the limit of mails, the response is the same
			g.Register("bob@example.org", again)
		}
		if got := posted(t, g); len(got) != mail.PerHour {
			t.Errorf("%d mails to one mailbox", len(got))
		}
	})
}

// TestVerification_TheWayBackCannotBeUndone changes the address, as a thief does, and then
// back, as the owner does. The address of the thief gets no link to undo that.
func TestVerification_TheWayBackCannotBeUndone(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		functionstest.New(t, db).Person()
		g := verifying(t, db, "storage")
		ada := functionstest.Bearer(g.Login(functionstest.Email, functionstest.Password).Access)
		change(g, ada, "thief@example.org").Want(http.StatusOK, "")
		if err := follow(t, g, empty(t, g), mail.ConfirmAddress); err != nil {
			t.Fatal(err)
		}
		change(g, ada, functionstest.Email).Want(http.StatusOK, "")
		if got := posted(t, g); fmt.Sprint(got) != "[confirm-address ada@example.org]" {
			t.Errorf("got the mails %q", got)
		}
	})
}

// change asks for another address.
func change(g *functionstest.Gateway, as functionstest.Option, email string) functionstest.Answer {
	return g.Do("PATCH", "/api/users/me", map[string]string{"email": email, "current_password": functionstest.Password}, as)
}

func TestVerification_ChangeOfAddress(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		id, _ := functionstest.New(t, db).Person()
		g := verifying(t, db, "storage")
		ada := functionstest.Bearer(g.Login(functionstest.Email, functionstest.Password).Access)
		g.Register("bob@example.org", functionstest.Password)
		empty(t, g)

		change(g, ada, "bob@example.org").Want(http.StatusConflict, "email_taken")
		got := change(g, ada, "new@example.org").Want(http.StatusOK, "")
		if got.Get("email") != functionstest.Email || got.Get("pending_email") != "new@example.org" {
			t.Errorf("got %s", got.Body)
		}
		if got := posted(t, g); fmt.Sprint(got) != "[confirm-address new@example.org address-change ada@example.org]" {
			t.Errorf("got the mails %q", got)
		}
		got = change(g, ada, functionstest.Email).Want(http.StatusOK, "")
		if strings.Contains(got.Body, "pending_email") {
			t.Errorf("the present address does not cancel the change: %s", got.Body)
		}
		change(g, ada, "new@example.org").Want(http.StatusOK, "")
		mails := empty(t, g)
		if err := follow(t, g, mails, mail.ConfirmAddress); err != nil {
			t.Fatal(err)
		}
		got = g.Do("GET", "/api/users/me", nil, ada).Want(http.StatusOK, "")
		if got.Get("email") != "new@example.org" || got.Get("email_verified_at") == "" || strings.Contains(got.Body, "pending_email") {
			t.Errorf("got %s", got.Body)
		}
		g.Advance(72 * time.Hour)
		if err := follow(t, g, mails, mail.AddressChange); err != nil {
			t.Errorf("undo after 72 hours: %v", err)
		}
		events, err := db.AuditOf(t.Context(), id, 10)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range slices.Backward(events) {
			names = append(names, string(e.Name))
		}
		want := "email_change_requested email_change_canceled email_change_requested"
		if !strings.Contains(strings.Join(names, " "), want) {
			t.Errorf("audited %q, want %s in it", names, want)
		}
	})
}

// TestVerification_ChangesOfAddressAreLimited checks that one that would take too many
// mails leaves everything as it was.
func TestVerification_ChangesOfAddressAreLimited(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		functionstest.New(t, db).Person()
		g := verifying(t, db, "storage")
		ada := functionstest.Bearer(g.Login(functionstest.Email, functionstest.Password).Access)
		for i := range mail.PerHour {
			change(g, ada, fmt.Sprintf("new%d@example.org", i)).Want(http.StatusOK, "")
		}
		a := change(g, ada, "last@example.org").Want(http.StatusTooManyRequests, "too_many_mails")
		if a.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		last := fmt.Sprintf("new%d@example.org", mail.PerHour-1)
		if got := g.Do("GET", "/api/users/me", nil, ada).Want(http.StatusOK, "").Get("pending_email"); got != last {
			t.Errorf("got the pending address %s, want %s", got, last)
		}
	})
}

// TestVerification_UnverifiedAddressCannotUndo: whoever reads the mail of a misspelled
// address must not get the account.
func TestVerification_UnverifiedAddressCannotUndo(t *testing.T) {
	t.Parallel()
	g := verifying(t, storetest.SQLite(t), "storage")
	_, p := g.Person()
	empty(t, g)
	change(g, functionstest.Bearer(p.Access), "right@example.org").Want(http.StatusOK, "")
	if got := posted(t, g); fmt.Sprint(got) != "[confirm-address right@example.org]" {
		t.Errorf("got the mails %q", got)
	}
}
