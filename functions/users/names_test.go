package users_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

const freshPassword = "an entirely new passphrase"

// TestChangePassword_AcceptsEveryFieldName tests the existing clients: each uses its own path and
// its own names for the two passwords.
func TestChangePassword_AcceptsEveryFieldName(t *testing.T) {
	t.Parallel()
	for _, route := range []string{
		"POST /api/users/change-password", "POST /api/users/me/change-password", "PUT /api/users/me/password",
	} {
		for _, names := range [][2]string{
			{"old_password", "new_password"}, {"current_password", "new_password"}, {"currentPassword", "newPassword"},
		} {
			t.Run(route+" "+names[0], func(t *testing.T) {
				t.Parallel()
				g := functionstest.New(t, storetest.SQLite(t))
				_, p := g.Person()
				method, path, _ := strings.Cut(route, " ")
				change := func(current, fresh string) functionstest.Answer {
					return g.Do(method, path, map[string]string{names[0]: current, names[1]: fresh}, functionstest.Bearer(p.Access))
				}
				change("wrong", freshPassword).Want(http.StatusBadRequest, "incorrect_password")
				wrongFields(t, change("", ""), names[0]+" required", names[1]+" required")
				wrongFields(t, change(functionstest.Password, "short"), names[1]+" password_too_short")
				if a := change(functionstest.Password, freshPassword).Want(http.StatusOK, ""); a.Get("message") != "Password updated successfully" {
					t.Errorf("got %s", a.Body)
				}
				g.Login(functionstest.Email, freshPassword)
			})
		}
	}
}

// TestCurrentPassword_NamesMustAgree checks that several names of one value may appear
// together if their values agree, and that errors use the name that was sent.
func TestCurrentPassword_NamesMustAgree(t *testing.T) {
	t.Parallel()
	const right = functionstest.Password
	for _, test := range []struct {
		method, path, body string
		status             int
		wrong              []string
	}{
		{"POST", "/api/users/change-password", `{}`, 422, []string{"current_password required", "new_password required"}},
		{"POST", "/api/users/change-password", `{"old_password":"` + right + `","current_password":"` + right + `","new_password":"` + freshPassword + `","newPassword":"` + freshPassword + `"}`, 200, nil},
		{"POST", "/api/users/change-password", `{"old_password":"` + right + `","currentPassword":"x","new_password":"` + freshPassword + `"}`, 422, []string{"currentPassword not_allowed"}},
		{"POST", "/api/users/change-password", `{"current_password":"` + right + `","old_password":"","new_password":"a first passphrase","newPassword":"a second one"}`, 422, []string{"old_password not_allowed", "newPassword not_allowed"}},
		{"POST", "/api/users/change-password", `{"currentPassword":7,"newPassword":"` + freshPassword + `"}`, 422, []string{"currentPassword wrong_type"}},
		{"POST", "/api/users/change-password", `{"currentPassword":null,"newPassword":"` + freshPassword + `"}`, 422, []string{"currentPassword required"}},
		{"DELETE", mePath, `{}`, 422, []string{"current_password required"}},
		{"DELETE", mePath, `{"password":""}`, 422, []string{"password required"}},
		{"DELETE", mePath, `{"password":"x","current_password":"y"}`, 422, []string{"password not_allowed"}},
		{"DELETE", mePath, `{"current_password":"wrong"}`, 400, nil},
		{"DELETE", mePath, `{"current_password":"` + right + `"}`, 204, nil},
		{"DELETE", mePath, `{"password":"` + right + `","current_password":"` + right + `"}`, 204, nil},
		{"PATCH", mePath, `{"email":"eve@example.org"}`, 422, []string{"current_password required"}},
	} {
		t.Run(fmt.Sprint(test.method, " ", test.path, " ", test.body), func(t *testing.T) {
			t.Parallel()
			g := functionstest.New(t, storetest.SQLite(t))
			_, p := g.Person()
			a := g.Do(test.method, test.path, test.body, functionstest.Bearer(p.Access)).Want(test.status, "")
			if test.status == http.StatusUnprocessableEntity {
				wrongFields(t, a, test.wrong...)
			}
		})
	}
}

// wrongFields fails the test unless the response refuses exactly these fields, each with
// its code.
func wrongFields(t *testing.T, a functionstest.Answer, want ...string) {
	t.Helper()
	var problem struct {
		Errors []struct{ Field, Code string }
	}
	a.Want(http.StatusUnprocessableEntity, "validation_failed").Into(&problem)
	got := []string{}
	for _, e := range problem.Errors {
		got = append(got, e.Field+" "+e.Code)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got refused fields %q, want %q", got, want)
	}
}
