package account_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
)

func TestParseRole(t *testing.T) {
	t.Parallel()
	for in, ok := range map[string]bool{"user": true, "admin": true, "": false, "Admin": false, "root": false} {
		if _, err := account.ParseRole(in); (err == nil) != ok {
			t.Errorf("%q: got %v", in, err)
		}
	}
}

func TestID(t *testing.T) {
	t.Parallel()
	first, second := account.NewID(), account.NewID()
	if first >= second {
		t.Errorf("%s was created before %s but sorts after it", first, second)
	}
	for in, ok := range map[string]bool{
		string(first): true, strings.ToUpper(string(first)): true, "": false, "1": false,
		"{" + string(first) + "}": false, "urn:uuid:" + string(first): false,
		strings.ReplaceAll(string(first), "-", ""): false,
	} {
		got, err := account.ParseID(in)
		if (err == nil) != ok || err != nil && !errors.Is(err, uid.ErrUnknown) || err == nil && got != first {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
	raw, err := uid.Bytes(string(first))
	if err != nil || uid.FromBytes(raw) != string(first) {
		t.Errorf("bytes of %s = %x, %v", first, raw, err)
	}
}

func TestProfile_EncodesPublicFieldsOnly(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 500_000, time.UTC)
	a := account.Account{ID: "x", Email: "ada@example.org", Role: account.User, CreatedAt: now, UpdatedAt: now}
	got, err := json.Marshal(a.Profile())
	want := `{"id":"x","email":"ada@example.org","full_name":"","role":"user","is_active":true,"is_admin":false,` +
		`"email_verified_at":null,"last_login":null,"preferences":{},` +
		`"nextcloud_user_id":null,"created_at":"2026-03-01T12:00:00.0005Z","updated_at":"2026-03-01T12:00:00.0005Z"}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
	a.NextcloudUserID, a.DisabledAt, a.Role = "ada", &now, account.Admin
	if p := a.Profile(); p.NextcloudUserID == nil || *p.NextcloudUserID != "ada" || !p.Disabled || p.IsActive || !p.IsAdmin {
		t.Errorf("got %+v", p)
	}
}
