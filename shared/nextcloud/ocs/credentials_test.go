package ocs_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

func TestClient_Authenticate(t *testing.T) {
	t.Parallel()
	server, client := open(t)
	server.AddUser("CaseUser", adaPassword, "case@example.org")
	for _, login := range []string{"CaseUser", "caseuser", "case@example.org"} {
		got, err := client.Authenticate(t.Context(), login, adaPassword)
		must(t, err)
		if got.ID != "CaseUser" || !got.Enabled {
			t.Errorf("%s: got %+v, want CaseUser, enabled", login, got)
		}
	}
	_, err := client.Authenticate(t.Context(), "CaseUser", "wrong")
	wantError(t, err, ocs.ErrUnauthorized)
	server.SetEnabled("CaseUser", false)
	_, err = client.Authenticate(t.Context(), "CaseUser", adaPassword)
	wantError(t, err, ocs.ErrUnauthorized)
}

// An empty password would make the call anonymous, a colon would split the name.
func TestClient_Authenticate_SendsNoIncompleteCredentials(t *testing.T) {
	t.Parallel()
	server, client := open(t)
	for _, user := range []string{"ada", ""} {
		_, err := client.Authenticate(t.Context(), user, "")
		wantError(t, err, ocs.ErrUnauthorized)
	}
	_, err := client.AppPassword(t.Context(), "admin:x", "y")
	wantError(t, err, ocs.ErrUnauthorized)
	if calls := server.Calls(); len(calls) != 0 {
		t.Errorf("sent %v, want nothing", calls)
	}
}

func TestClient_AppPassword(t *testing.T) {
	t.Parallel()
	server, client := open(t)
	server.AddUser("ada", adaPassword, "")
	first, err := client.AppPassword(t.Context(), "ada", adaPassword)
	must(t, err)
	if !server.ValidCredentials("ada", first) {
		t.Fatal("the app password does not work")
	}
	second, err := client.NamedAppPassword(t.Context(), "ada", adaPassword, "Ada's phone\r\nX-Evil: 1 ä")
	must(t, err)
	if first == second {
		t.Error("two calls returned the same app password")
	}
	got, _ := server.User("ada")
	if diff := cmp.Diff([]string{"Ada's phone??X-Evil: 1 ?", "VoiceAssist gateway"}, got.AppPasswords); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	_, err = client.AppPassword(t.Context(), "ada", first)
	wantError(t, err, ocs.ErrForbidden)
	_, err = client.AppPassword(t.Context(), "ada", "wrong")
	wantError(t, err, ocs.ErrUnauthorized)

	must(t, client.RevokeAppPassword(t.Context(), "ada", first))
	if server.ValidCredentials("ada", first) || !server.ValidCredentials("ada", second) {
		t.Error("want the first one revoked and the second one valid")
	}
	wantError(t, client.RevokeAppPassword(t.Context(), "ada", first), ocs.ErrUnauthorized)
	wantError(t, client.RevokeAppPassword(t.Context(), "ada", adaPassword), ocs.ErrForbidden)
}
