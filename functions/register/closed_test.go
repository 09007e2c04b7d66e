package register_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/registration"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestRegister_OnlyWhereItIsOpen checks that no stranger gets an account otherwise, and
// learns who has one or an invitation.
func TestRegister_OnlyWhereItIsOpen(t *testing.T) {
	t.Parallel()
	for mode, code := range map[string]string{"invite": "invitation_required", "closed": "registration_closed"} {
		for _, conflict := range []string{"reveal", "silent"} {
			g := functionstest.NewWith(t, storetest.SQLite(t), map[string]string{"REGISTRATION": mode, "REGISTRATION_CONFLICT": conflict})
			p, err := registration.ParseInvited("grace@example.org", "", string(account.User))
			if err != nil {
				t.Fatal(err)
			}
			inviter := g.Registrar()
			inviter.Rules.Registration = account.InvitedRegistration
			if _, err := inviter.Invite(t.Context(), p, registration.Sender{}); err != nil {
				t.Fatal(err)
			}
			for _, email := range []string{"grace@example.org", "eve@example.org"} {
				a := g.Do("POST", path, map[string]string{"email": email, "password": functionstest.Password}).Want(http.StatusForbidden, code)
				if a.Get("detail") == "" || a.Get("type") != "urn:voiceassist:problem:"+code {
					t.Errorf("%s, %s: got %s", mode, email, a.Body)
				}
			}
			if _, _, err := g.DB.AccountByEmail(t.Context(), account.Email("eve@example.org").Lookup()); err == nil {
				t.Errorf("%s: the account exists", mode)
			}
			a, _, err := g.DB.AccountByEmail(t.Context(), p.Email.Lookup())
			if err != nil || !a.Pending {
				t.Errorf("%s: got %+v, %v", mode, a, err)
			}
			if events, err := g.DB.AuditOf(t.Context(), a.ID, 10); err != nil || len(events) != 1 || events[0].Name != audit.Registered {
				t.Errorf("%s: audited %+v, %v", mode, events, err)
			}
		}
	}
}

// TestRule_IsWhatRegistrationDoes checks that clients learn beforehand what they would be told.
func TestRule_IsWhatRegistrationDoes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		setting, rule string
		status        int
		code          string
	}{
		{"", "open", http.StatusOK, ""},
		{"open", "open", http.StatusOK, ""},
		{"invite", "invite", http.StatusForbidden, "invitation_required"},
		{"closed", "closed", http.StatusForbidden, "registration_closed"},
	} {
		g := functionstest.NewWith(t, storetest.SQLite(t), map[string]string{"REGISTRATION": c.setting})
		a := g.Do("GET", "/api/auth/registration", nil).Want(http.StatusOK, "")
		if want := `{"registration":"` + c.rule + `"}`; strings.TrimSpace(a.Body) != want || a.Header.Get("Cache-Control") != "public, max-age=60" {
			t.Errorf("REGISTRATION=%s: got %s, Cache-Control %s, want %s", c.setting, a.Body, a.Header.Get("Cache-Control"), want)
		}
		g.Do("POST", path, map[string]string{"email": functionstest.Email, "password": functionstest.Password}).Want(c.status, c.code)
	}
}
