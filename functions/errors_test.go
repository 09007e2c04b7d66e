package functions_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestErrors_AreReportedTogether sends each route bodies with several invalid members, and
// expects errors for all of them, in order.
func TestErrors_AreReportedTogether(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	id, _ := g.Person()
	_, admin := g.Admin("root@example.org")
	session := g.Do("POST", "/api/sessions", `{"title":"a"}`, functionstest.Bearer(admin.Access)).Get("id")
	long := `{"a":"` + strings.Repeat("x", 64<<10) + `"}`
	for _, test := range []struct{ route, body, want string }{
		{"POST /api/auth/register", `{}`, "email required, password required"},
		{"POST /api/auth/register", `{"email":"ada","full_name":"\u0000","password":"short"}`, "email invalid_email, full_name invalid_name, password password_too_short"},
		{"POST /api/auth/register", `{"email":"adalovelace@example.org","password":"AdaLovelace"}`, "password password_is_email"},
		{"POST /api/users", `{"password":""}`, "email required, password password_too_short"},
		{"POST /api/users/invite", `{"email":"ada","full_name":"\u0000","role":"root"}`, "email invalid_email, full_name invalid_name, role invalid_role"},
		{"POST /api/auth/accept-invitation", `{"full_name":"\u0000","transport":"mail"}`, "token required, password required, full_name invalid_name, transport not_allowed"},
		{"POST /api/users", `{"email":"ada","role":"root","password":"password123"}`, "email invalid_email, role invalid_role, password password_common"},
		{"PATCH /api/users/" + string(id), `{"full_name":"\u0000","role":null,"disabled":null}`, "full_name invalid_name, role invalid_role, disabled not_allowed"},
		{"PATCH /api/users/me", `{"full_name":"\u0000","email":"ada","preferences":[]}`, "full_name invalid_name, email invalid_email, current_password required, preferences not_an_object"},
		{"PATCH /api/users/me", `{"preferences":` + long + `}`, "preferences too_large"},
		{"POST /api/users/change-password", `{}`, "current_password required, new_password required"},
		{"DELETE /api/users/me", `{}`, "current_password required"},
		{"POST /api/auth/login", `{"transport":"mail"}`, "username required, password required, transport not_allowed"},
		{"POST /api/auth/login", `{"email":"a","username":"b","password":"c"}`, "username not_allowed"},
		{"POST /api/auth/api-keys", `{"expires_in_days":0}`, "name required, scopes required, expires_in_days invalid_days"},
		{"POST /api/auth/api-keys", `{"name":"\u0000","scopes":["admin"]}`, "name invalid_key_name, scopes invalid_scopes"},
		{"POST /api/sessions", `{"context":[]}`, "title required, context not_an_object"},
		{"POST /api/sessions", `{"title":" ","context":` + long + `}`, "title invalid_title, context too_large"},
		{"PATCH /api/sessions/" + session, `{"title":null,"context":[]}`, "title invalid_title, context not_an_object"},
		{"POST /api/users/me/nextcloud/app-password", `{"name":"ü"}`, "current_password required, name invalid_app_name"},
		{"POST /api/files/a", `{}`, "move_to required"},
		{"POST /api/files/a", `{"move_to":"b","copy_to":"c"}`, "copy_to required"},
		{"POST /api/files/a", `{"copy_to":"../b"}`, "copy_to invalid_path"},
		{"POST /api/files/a", `{"copy_to":"a/b"}`, "copy_to invalid_destination"},
		{"POST /api/files/", `{"move_to":"b"}`, "path whole_folder"},
	} {
		method, path, _ := strings.Cut(test.route, " ")
		var problem struct{ Errors []fault.Field }
		g.Do(method, path, test.body, functionstest.Bearer(admin.Access)).
			Want(http.StatusUnprocessableEntity, "validation_failed").Into(&problem)
		got := make([]string, len(problem.Errors))
		for i, e := range problem.Errors {
			got[i] = fmt.Sprint(e.Field, " ", e.Code)
		}
		if strings.Join(got, ", ") != test.want {
			t.Errorf("%s %.100s: got %s, want %s", test.route, test.body, strings.Join(got, ", "), test.want)
		}
	}
}
