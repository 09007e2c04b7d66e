package recover_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// rounds is how often a race is run. Its outcome differs.
const rounds = 6

// besideAReset registers somebody, and redeems a token for a reset while somebody with the
// former password logs in, and while beside runs with the user's earlier login.
// It returns whether the reset succeeded, and the access tokens of both logins.
func besideAReset(t *testing.T, g *functionstest.Gateway, address string, beside func(id account.ID, ada functionstest.Option)) (won bool, logins []string) {
	t.Helper()
	id := g.Register(address, functionstest.Password)
	logins = []string{g.Login(address, functionstest.Password).Access}
	g.Do("POST", forgot, email(address)).Want(http.StatusAccepted, "")
	code := g.Mail(mail.ResetPassword).Code
	var all sync.WaitGroup
	var redeemed, raced functionstest.Answer
	all.Go(func() { redeemed = g.Do("POST", resetting, reset(code, fresh)) })
	all.Go(func() { beside(id, functionstest.Bearer(logins[0])) })
	all.Go(func() { raced = logIn(g, address, functionstest.Password) })
	all.Wait()
	if won = redeemed.Status == http.StatusOK; !won {
		redeemed.Want(http.StatusBadRequest, "bad_token")
	}
	if raced.Status == http.StatusOK {
		logins = append(logins, raced.Get("access_token"))
	} else {
		raced.Want(http.StatusUnauthorized, "")
	}
	return won, logins
}

func logIn(g *functionstest.Gateway, address, plain string) functionstest.Answer {
	return g.Do("POST", "/api/auth/login", map[string]string{"email": address, "password": plain})
}

// TestReset_BesideAChangeOfPassword redeems a token while the user changes the password.
// One of the two happens, and no login with the former password outlives it, except that
// of the user who made the change.
func TestReset_BesideAChangeOfPassword(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		const changed = "another passphrase"
		for n := range rounds {
			address := fmt.Sprintf("ada%d@example.org", n)
			var change functionstest.Answer
			won, logins := besideAReset(t, g, address, func(_ account.ID, ada functionstest.Option) {
				change = g.Do("POST", "/api/users/change-password",
					map[string]string{"old_password": functionstest.Password, "new_password": changed}, ada)
			})
			if won == (change.Status == http.StatusOK) {
				t.Errorf("the reset succeeded: %t; the change got %d %s", won, change.Status, change.Body)
			}
			want, not := changed, fresh
			if won {
				want, not = fresh, changed
			} else {
				logins = logins[1:]
			}
			g.Login(address, want)
			logIn(g, address, not).Want(http.StatusUnauthorized, "")
			logIn(g, address, functionstest.Password).Want(http.StatusUnauthorized, "")
			for _, access := range logins {
				g.Do("GET", "/api/users/me", nil, functionstest.Bearer(access)).Want(http.StatusUnauthorized, "")
			}
		}
	})
}

// TestReset_BesideDisabling redeems a token while an administrator disables the account.
// It stays disabled, and no login outlives it, even after it is enabled. The password is
// the new one only if the reset said so.
func TestReset_BesideDisabling(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		_, admin := g.Admin("root@example.org")
		root := functionstest.Bearer(admin.Access)
		for n := range rounds {
			address := fmt.Sprintf("ada%d@example.org", n)
			var disable functionstest.Answer
			var path string
			won, logins := besideAReset(t, g, address, func(id account.ID, _ functionstest.Option) {
				path = "/api/users/" + string(id)
				disable = g.Do("PATCH", path, map[string]bool{"disabled": true}, root)
			})
			disable.Want(http.StatusOK, "")
			g.Do("POST", forgot, email(address)).Want(http.StatusAccepted, "")
			if mails := g.Mails(); len(mails) != 0 {
				t.Errorf("a disabled user gets %v", mails)
			}
			logIn(g, address, fresh).Want(http.StatusUnauthorized, "")
			g.Do("PATCH", path, map[string]bool{"disabled": false}, root).Want(http.StatusOK, "")
			for _, access := range logins {
				g.Do("GET", "/api/users/me", nil, functionstest.Bearer(access)).Want(http.StatusUnauthorized, "")
			}
			want, not := functionstest.Password, fresh
			if won {
				want, not = fresh, functionstest.Password
			}
			g.Login(address, want)
			logIn(g, address, not).Want(http.StatusUnauthorized, "")
		}
	})
}
