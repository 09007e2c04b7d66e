package login_test

import (
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

const path = "/api/auth/login"

func TestLogin_Accepts(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	g.Register(functionstest.Email, functionstest.Password)
	email, secret := functionstest.Email, functionstest.Password
	for _, test := range []struct {
		name string
		body any
	}{
		{"the form of OAuth 2.0", functionstest.Form{
			"grant_type": {"password"}, "username": {email}, "password": {secret},
			"scope": {""}, "client_id": {"x"}, "client_secret": {"y"},
		}},
		{"the form with nothing but the credentials", functionstest.Form{"username": {email}, "password": {secret}}},
		{"JSON with email", map[string]string{"email": email, "password": secret}},
		{"JSON with username", map[string]string{"username": email, "password": secret}},
		{"the address in mixed case", map[string]string{"email": "ADA@Example.ORG", "password": secret}},
		{"transport body", map[string]string{"email": email, "password": secret, "transport": "body"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := g.In(t)
			a := g.Do("POST", path, test.body).Want(http.StatusOK, "")
			if a.Get("token_type") != "bearer" || a.Get("expires_in") != "900" || a.Get("refresh_expires_in") != "604800" {
				t.Errorf("got %s", a.Body)
			}
			if a.Header.Get("Cache-Control") != "no-store" {
				t.Error("the response may be cached")
			}
			g.Do("GET", "/api/users/me", nil, functionstest.Bearer(a.Get("access_token"))).Want(http.StatusOK, "")
		})
	}
}

func TestLogin_RejectsUniformly(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	g.Person()
	disabled := g.Register("eve@example.org", functionstest.Password)
	_, admin := g.Admin("root@example.org")
	g.Do("PATCH", "/api/users/"+string(disabled), map[string]bool{"disabled": true},
		functionstest.Bearer(admin.Access)).Want(http.StatusOK, "")
	var first map[string]any
	for _, test := range []struct{ name, email, password string }{
		{"an unknown user", "bob@example.org", functionstest.Password},
		{"a wrong password", functionstest.Email, "wrong horse battery staple"},
		{"a disabled user", "eve@example.org", functionstest.Password},
		{"not an address", "ada", functionstest.Password},
		{"a password longer than bcrypt reads", functionstest.Email, functionstest.Password +
			" and then more than the seventy-two bytes that bcrypt looks at, so that it must not match"},
	} {
		a := g.Do("POST", path, map[string]string{"email": test.email, "password": test.password}).
			Want(http.StatusUnauthorized, "incorrect_credentials")
		var body map[string]any
		a.Into(&body)
		delete(body, "correlation_id")
		if first == nil {
			first = body
		}
		if !maps.Equal(body, first) {
			t.Errorf("%s: got %v, want %v", test.name, body, first)
		}
		if body["detail"] != "Incorrect credentials" {
			t.Errorf("got detail %q", body["detail"])
		}
	}
}

func TestLogin_BadInput(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	for _, test := range []struct {
		name   string
		body   any
		status int
		code   string
	}{
		{"nothing", nil, 422, "validation_failed"},
		{"no password", map[string]string{"email": "a@example.org"}, 422, "validation_failed"},
		{"no name", functionstest.Form{"password": {"x"}}, 422, "validation_failed"},
		{"two names", map[string]string{"email": "a@example.org", "username": "b@example.org", "password": "x"}, 422, "validation_failed"},
		{"an unknown transport", map[string]string{"email": "a@example.org", "password": "x", "transport": "pigeon"}, 422, "validation_failed"},
		{"a field twice in the form", functionstest.Form{"username": {"a", "b"}, "password": {"x"}}, 422, "validation_failed"},
		{"an unknown field", map[string]string{"email": "a@example.org", "password": "x", "otp": "1"}, 422, "validation_failed"},
		{"broken JSON", `{"email":`, 400, "malformed_json"},
	} {
		t.Run(test.name, func(t *testing.T) { g.In(t).Do("POST", path, test.body).Want(test.status, test.code) })
	}
}

func TestLogin_UpgradesAnOldHash(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	id := g.Register(functionstest.Email, functionstest.Password)
	_, before, err := g.DB.AccountAndHash(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	*g.Passwords = *password.NewHasher(5, 1, 10) // one more than the cost of the stored hash
	g.Login(functionstest.Email, functionstest.Password)
	_, after, err := g.DB.AccountAndHash(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if before == after || g.Passwords.NeedsRehash(after) {
		t.Error("the hash was not upgraded to the higher cost")
	}
	g.Login(functionstest.Email, functionstest.Password)
}

func TestLogin_PasswordsDoNotExpire(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	g.Register(functionstest.Email, functionstest.Password)
	const day = 24 * time.Hour
	g.Advance(3650 * day)
	g.Login(functionstest.Email, functionstest.Password)
}

// TestLogin_FromAForeignPage checks that a form submitted by a foreign page cannot set the
// cookie of a login that the page chooses.
func TestLogin_FromAForeignPage(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	g.Register(functionstest.Email, functionstest.Password)
	form := functionstest.Form{"username": {functionstest.Email}, "password": {functionstest.Password}, "transport": {"cookie"}}
	for _, origin := range []string{"https://evil.example.com", "null", "https://sibling.example.org"} {
		a := g.Do("POST", path, form, functionstest.Header("Origin", origin)).Want(http.StatusForbidden, "cross_origin")
		if _, set := a.RefreshCookie(); set {
			t.Errorf("a page of origin %s set the cookie", origin)
		}
	}
	g.Do("POST", path, form, functionstest.Header("Origin", functionstest.Origin)).Want(http.StatusOK, "")
	g.Do("POST", path, form).Want(http.StatusOK, "")
}
