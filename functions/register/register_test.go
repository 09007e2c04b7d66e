package register_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

const path = "/api/auth/register"

func TestRegister(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	a := g.Do("POST", path, `{"email":"test@example.com","password":"SecurePass123!","full_name":"Test User"}`).
		Want(http.StatusOK, "")
	for name, want := range map[string]string{
		"email": "test@example.com", "full_name": "Test User", "role": "user", "preferences": "{}",
		"created_at": "2026-03-01T12:00:00Z", "updated_at": "2026-03-01T12:00:00Z", "nextcloud_user_id": "",
		"is_active": "true", "is_admin": "false", "email_verified_at": "", "last_login": "",
	} {
		if got := a.Get("user", name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if a.Get("message") != "User created successfully" || strings.Contains(a.Body, "$2a$") {
		t.Errorf("got %s", a.Body)
	}
	events, err := g.DB.AuditOf(t.Context(), account.ID(a.Get("user", "id")), 10)
	if err != nil || len(events) != 1 || events[0].Name != audit.Registered || events[0].Origin.Address != "192.0.2.7" {
		t.Errorf("audited: %+v, %v", events, err)
	}
	if strings.Contains(g.Log(), "SecurePass123!") {
		t.Error("the password is in the log")
	}
}

func TestRegister_OneAccountPerAddress(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	const clients = 8
	var (
		wg      sync.WaitGroup
		answers [clients]functionstest.Answer
	)
	for i := range clients {
		spelling := []string{"ada@example.org", "ADA@example.org", " ada@EXAMPLE.org "}[i%3]
		wg.Go(func() {
			answers[i] = g.Do("POST", path, map[string]string{"email": spelling, "password": functionstest.Password})
		})
	}
	wg.Wait()
	made := 0
	for _, a := range answers {
		if a.Status == http.StatusOK {
			made++
		} else {
			a.Want(http.StatusConflict, "email_taken")
		}
	}
	if made != 1 {
		t.Errorf("%d accounts were created, want 1", made)
	}
}

func TestRegister_ReportsEveryWrongField(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	for _, test := range []struct {
		name, body, fields string
	}{
		{"nothing", `{}`, "email required, password required"},
		{"all wrong", `{"email":"ada","password":"short","full_name":"a\u0000b"}`,
			"email invalid_email, full_name invalid_name, password password_too_short"},
		{"a long name", `{"email":"a@example.org","password":"correct horse","full_name":"` + strings.Repeat("x", 101) + `"}`,
			"full_name invalid_name"},
		{"a common password", `{"email":"a@example.org","password":"Password123"}`, "password password_common"},
		{"73 bytes", `{"email":"a@example.org","password":"` + strings.Repeat("é", 36) + `x"}`, "password password_too_long"},
		{"the address as password", `{"email":"adalovelace@example.org","password":"AdaLovelace@example.org"}`,
			"password password_is_email"},
		{"an unknown field", `{"email":"a@example.org","password":"correct horse","role":"admin"}`, "role unknown_field"},
		{"a number for a string", `{"email":1,"password":"correct horse"}`, "email wrong_type"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := g.In(t)
			var problem struct {
				Errors []struct{ Field, Code, Message string }
			}
			a := g.Do("POST", path, test.body).Want(http.StatusUnprocessableEntity, "validation_failed")
			a.Into(&problem)
			got := make([]string, len(problem.Errors))
			for i, e := range problem.Errors {
				got[i] = e.Field + " " + e.Code
				if !strings.HasSuffix(e.Message, ".") {
					t.Errorf("%q is not a sentence", e.Message)
				}
			}
			if strings.Join(got, ", ") != test.fields {
				t.Errorf("got %q, want %q", strings.Join(got, ", "), test.fields)
			}
			if ct := a.Header.Get("Content-Type"); ct != "application/problem+json" {
				t.Errorf("got Content-Type %q", ct)
			}
		})
	}
}

// TestRegister_Silent checks that a registered address creates, changes and reveals
// nothing.
func TestRegister_Silent(t *testing.T) {
	t.Parallel()
	g := functionstest.NewWith(t, storetest.SQLite(t), map[string]string{"REGISTRATION_CONFLICT": "silent"})
	id := g.Register(functionstest.Email, functionstest.Password)
	register := func(email string) functionstest.Answer {
		return g.Do("POST", path, map[string]string{"email": email, "password": "another good passphrase", "full_name": "Eve"},
			functionstest.Header("X-Correlation-ID", "same")).Want(http.StatusOK, "")
	}
	fresh, taken := register("eve@example.org"), register("ADA@example.org")
	hide := func(a functionstest.Answer, email string) string {
		return strings.NewReplacer(a.Get("user", "id"), "<id>", email, "<email>").Replace(a.Body)
	}
	if got, want := hide(taken, functionstest.Email), hide(fresh, "eve@example.org"); got != want {
		t.Errorf("taken: %s\nfresh: %s", got, want)
	}
	for name := range fresh.Header {
		if name != "Content-Length" && taken.Header.Get(name) != fresh.Header.Get(name) {
			t.Errorf("header %s: got %q for a taken address, %q for a free one", name, taken.Header.Get(name), fresh.Header.Get(name))
		}
	}
	if taken.Get("user", "id") == string(id) {
		t.Error("the response reveals the ID of the account")
	}
	if _, err := g.DB.Account(t.Context(), account.ID(taken.Get("user", "id"))); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("the returned ID names an account: %v", err)
	}
	g.Login(functionstest.Email, functionstest.Password)
	events, err := g.DB.AuditOf(t.Context(), id, 10)
	if err != nil || !slices.ContainsFunc(events, func(e audit.Event) bool { return e.Name == audit.RegistrationRefused }) {
		t.Errorf("audited: %+v, %v", events, err)
	}
	_, admin := g.Admin("root@example.org")
	g.Do("POST", "/api/users", map[string]string{"email": functionstest.Email, "password": functionstest.Password},
		functionstest.Bearer(admin.Access)).Want(http.StatusConflict, "email_taken")
}
