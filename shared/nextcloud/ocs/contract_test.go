package ocs_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest/contract"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/quota"
)

// TestContract checks the behavior that the reconciler relies on. All cases together cost a
// real server few failed logins, and fewer edits than the 50 that it allows in 10 minutes.
func TestContract(t *testing.T) {
	contract.Run(t, map[string]func(*testing.T, contract.Server){
		"one call creates a complete account":        createInOne,
		"every form of a quota is read back":         quotasReadBack,
		"an ID is assigned once, in any letter case": idTaken,
		"exactly one concurrent call wins an ID":     race,
		"invalid IDs are refused":                    badIDs,
		"names and IDs keep their spelling":          writtenAsIs,
		"an unknown user is reported as such":        nobody,
		"only the password authenticates":            authentication,
		"a disabled account cannot log in":           disabling,
		"edits take effect":                          edits,
		"users change their own password":            ownPassword,
		"app passwords are created and revoked":      appPasswords,
		"an app password cannot change the account":  appPasswordsDoLess,
		"groups are created and joined":              groups,
		"the list contains all users, page by page":  listing,
		"only administrators may administrate":       notAdministrator,
		"a deleted account is gone":                  deletion,
		"the status is public":                       status,
	})
}

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, what string, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: got %v, want %v", what, err, kind)
	}
}

func createInOne(t *testing.T, s contract.Server) {
	group := s.NewGroup(t)
	try(t, s.Admin.AddGroup(t.Context(), group))
	id, password := s.NewID(t), contract.NewPassword()
	try(t, s.Admin.CreateUser(t.Context(), ocs.NewUser{
		ID: id, Password: password, Email: id + "@example.org", DisplayName: "Ada Lovelace", Quota: "50 MB",
		Groups: []string{group},
	}))
	u, err := s.Admin.User(t.Context(), id)
	try(t, err)
	wanted := ocs.User{
		ID: id, Enabled: true, Email: id + "@example.org", DisplayName: "Ada Lovelace", Backend: ocs.OwnBackend, Groups: []string{group},
		Quota: 50 << 20, Free: u.Free, Used: u.Used,
	}
	if diff := cmp.Diff(wanted, u); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func quotasReadBack(t *testing.T, s contract.Server) {
	for _, set := range []string{"1 MB", "1500 MB", "5 GB", "none"} {
		u := s.NewUser(t, set)
		wanted, err := quota.Parse(set)
		try(t, err)
		got, err := s.Admin.User(t.Context(), u.ID)
		try(t, err)
		if !wanted.Near(got.Quota) {
			t.Errorf("%s: got %v", set, got.Quota)
		}
	}
}

func idTaken(t *testing.T, s contract.Server) {
	u := s.NewUser(t, "")
	for _, id := range []string{u.ID, strings.ToUpper(u.ID)} {
		err := s.Admin.CreateUser(t.Context(), ocs.NewUser{ID: id, Password: contract.NewPassword()})
		want(t, "a second account", err, ocs.ErrExists)
		got, err := s.Admin.User(t.Context(), id)
		if err != nil || got.ID != u.ID {
			t.Errorf("get %s: got %+v, %v", id, got, err)
		}
	}
	if _, err := s.Admin.Authenticate(t.Context(), u.ID, u.Password); err != nil {
		t.Errorf("the first one's password: %v", err)
	}
}

func race(t *testing.T, s contract.Server) {
	id := s.NewID(t)
	var (
		all  sync.WaitGroup
		errs [4]error
		won  int
	)
	passwords := [4]secret.String{}
	for i := range errs {
		passwords[i] = contract.NewPassword()
		all.Go(func() {
			errs[i] = s.Admin.CreateUser(t.Context(), ocs.NewUser{ID: id, Password: passwords[i]})
		})
	}
	all.Wait()
	for i, err := range errs {
		switch {
		case err == nil:
			won++
			if _, err := s.Admin.Authenticate(t.Context(), id, passwords[i]); err != nil {
				t.Errorf("the winner's password: %v", err)
			}
		case !errors.Is(err, ocs.ErrExists) && !errors.Is(err, ocs.ErrInvalid) && !errors.Is(err, ocs.ErrUncertain):
			t.Errorf("another caller got %v", err)
		}
	}
	if won != 1 {
		t.Errorf("%d calls won, want 1: %v", won, errs)
	}
}

func badIDs(t *testing.T, s contract.Server) {
	for _, id := range []string{"", " ", ".", "..", "a/b", "contract-ä", "contract+plus", strings.Repeat("contract", 9)} {
		err := s.Admin.CreateUser(t.Context(), ocs.NewUser{ID: id, Password: contract.NewPassword()})
		want(t, "ID "+id, err, ocs.ErrRefused)
	}
	id := s.NewID(t)
	err := s.Admin.CreateUser(t.Context(), ocs.NewUser{ID: id, Password: contract.NewPassword(), Groups: []string{id + "-none"}})
	want(t, "an unknown group", err, ocs.ErrNoGroup)
	_, err = s.Admin.User(t.Context(), id)
	want(t, "a refused user", err, ocs.ErrNoUser)
}

func writtenAsIs(t *testing.T, s contract.Server) {
	id := s.NewID(t) + " A.b_c@d-e'f"
	id = id[len(id)-min(len(id), 64):]
	s.Remove(t, id)
	for _, name := range []string{"Zoë \"O'Neil\" & <b>Söhne</b> 漢字 🦊"} {
		try(t, s.Admin.CreateUser(t.Context(), ocs.NewUser{ID: id, Password: contract.NewPassword(), DisplayName: name}))
		u, err := s.Admin.User(t.Context(), id)
		if err != nil || u.ID != id || u.DisplayName != name {
			t.Errorf("got %+v, %v", u, err)
		}
	}
}

func nobody(t *testing.T, s contract.Server) {
	id := s.NewID(t)
	_, err := s.Admin.User(t.Context(), id)
	want(t, "get", err, ocs.ErrNoUser)
	want(t, "enable", s.Admin.Enable(t.Context(), id), ocs.ErrNoUser)
	want(t, "disable", s.Admin.Disable(t.Context(), id), ocs.ErrNoUser)
	want(t, "delete", s.Admin.DeleteUser(t.Context(), id), ocs.ErrNoUser)
	want(t, "edit", s.Admin.Edit(t.Context(), id, ocs.KeyQuota, "1 GB"), ocs.ErrNoUser)
	want(t, "join", s.Admin.AddToGroup(t.Context(), id, "admin"), ocs.ErrNoUser)
}

func authentication(t *testing.T, s contract.Server) {
	u := s.NewUser(t, "")
	for _, name := range []string{u.ID, strings.ToUpper(u.ID)} {
		got, err := s.Admin.Authenticate(t.Context(), name, u.Password)
		if err != nil || got.ID != u.ID {
			t.Errorf("as %s: got %+v, %v", name, got, err)
		}
	}
	if got, err := s.Admin.User(t.Context(), u.ID); err != nil || got.LastLogin.IsZero() {
		t.Errorf("got no last login: %+v, %v", got, err)
	}
	_, err := s.Admin.Authenticate(t.Context(), u.ID, contract.NewPassword())
	want(t, "another password", err, ocs.ErrUnauthorized)
}

func disabling(t *testing.T, s contract.Server) {
	u := s.NewUser(t, "")
	for range 2 {
		try(t, s.Admin.Disable(t.Context(), u.ID))
	}
	got, err := s.Admin.User(t.Context(), u.ID)
	if err != nil || got.Enabled {
		t.Errorf("disabled: got %+v, %v", got, err)
	}
	_, err = s.Admin.Authenticate(t.Context(), u.ID, u.Password)
	want(t, "disabled", err, ocs.ErrUnauthorized)
	for range 2 {
		try(t, s.Admin.Enable(t.Context(), u.ID))
	}
	if got, err := s.Admin.Authenticate(t.Context(), u.ID, u.Password); err != nil || !got.Enabled {
		t.Errorf("enabled: got %+v, %v", got, err)
	}
}

func edits(t *testing.T, s contract.Server) {
	u := s.NewUser(t, "1 GB")
	password := contract.NewPassword()
	for key, value := range map[string]string{
		ocs.KeyEmail: u.ID + "@example.org", ocs.KeyDisplayName: "Zoë 🦊", ocs.KeyQuota: "2 GB",
		ocs.KeyPassword: password.Reveal(),
	} {
		if err := s.Admin.Edit(t.Context(), u.ID, key, value); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	got, err := s.Admin.Authenticate(t.Context(), u.ID, password)
	if err != nil || got.Email != u.ID+"@example.org" || got.DisplayName != "Zoë 🦊" || got.Quota != 2<<30 {
		t.Errorf("got %+v, %v", got, err)
	}
	want(t, "no address", s.Admin.Edit(t.Context(), u.ID, ocs.KeyEmail, "no address"), ocs.ErrInvalid)
	if got, err := s.Admin.User(t.Context(), u.ID); err != nil || got.Email != u.ID+"@example.org" {
		t.Errorf("after a refused address: got %+v, %v", got, err)
	}
}

func ownPassword(t *testing.T, s contract.Server) {
	u := s.NewUser(t, "")
	password := contract.NewPassword()
	try(t, s.Admin.EditOwn(t.Context(), u.ID, u.Password, ocs.KeyPassword, password.Reveal()))
	if _, err := s.Admin.Authenticate(t.Context(), u.ID, password); err != nil {
		t.Error(err)
	}
}

func appPasswords(t *testing.T, s contract.Server) {
	u := s.NewUser(t, "")
	one, err := s.Admin.AppPassword(t.Context(), u.ID, u.Password)
	try(t, err)
	two, err := s.Admin.NamedAppPassword(t.Context(), u.ID, u.Password, "phone")
	try(t, err)
	if one == two {
		t.Error("got the same app password twice")
	}
	for _, app := range []secret.String{one, two} {
		if got, err := s.Admin.Authenticate(t.Context(), u.ID, app); err != nil || got.ID != u.ID {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	try(t, s.Admin.RevokeAppPassword(t.Context(), u.ID, one))
	if _, err := s.Admin.Authenticate(t.Context(), u.ID, two); err != nil {
		t.Errorf("other app password: %v", err)
	}
	_, err = s.Admin.Authenticate(t.Context(), u.ID, one)
	want(t, "a revoked app password", err, ocs.ErrUnauthorized)
}

func appPasswordsDoLess(t *testing.T, s contract.Server) {
	u := s.NewUser(t, "")
	app, err := s.Admin.AppPassword(t.Context(), u.ID, u.Password)
	try(t, err)
	_, err = s.Admin.AppPassword(t.Context(), u.ID, app)
	want(t, "an app password created with an app password", err, ocs.ErrForbidden)
}

func groups(t *testing.T, s contract.Server) {
	u, group := s.NewUser(t, ""), s.NewGroup(t)
	want(t, "a group that does not exist yet", s.Admin.AddToGroup(t.Context(), u.ID, group), ocs.ErrNoGroup)
	for range 2 {
		try(t, s.Admin.AddGroup(t.Context(), group))
	}
	for range 2 {
		try(t, s.Admin.AddToGroup(t.Context(), u.ID, group))
	}
	if got, err := s.Admin.User(t.Context(), u.ID); err != nil || !slices.Equal(got.Groups, []string{group}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func listing(t *testing.T, s contract.Server) {
	made := []contract.User{s.NewUser(t, "1 GB"), s.NewUser(t, "2 GB"), s.NewUser(t, "")}
	all, err := s.Admin.Users(t.Context(), "", 0, 0)
	try(t, err)
	for _, u := range made {
		found, err := s.Admin.Users(t.Context(), u.ID, 0, 0)
		if err != nil || !slices.Equal(found, []string{u.ID}) || !slices.Contains(all, u.ID) {
			t.Errorf("search for %s: got %v, %v", u.ID, found, err)
		}
	}
	found, err := s.Admin.Users(t.Context(), contract.NewPassword().Reveal(), 0, 0)
	if err != nil || len(found) != 0 {
		t.Errorf("search without a match: got %v, %v", found, err)
	}

	// Other users come and go meanwhile; those created here exist throughout.
	const page, step = 50, 40 // overlapping pages tolerate shifts
	seen := map[string]ocs.User{}
	for offset := 0; ; offset += step {
		users, err := s.Admin.UserDetails(t.Context(), page, offset)
		try(t, err)
		if len(users) > page {
			t.Errorf("a page of %d contains %d users", page, len(users))
		}
		for _, u := range users {
			seen[u.ID] = u
		}
		if len(users) == 0 {
			break
		}
	}
	for _, u := range made {
		one, err := s.Admin.User(t.Context(), u.ID)
		try(t, err)
		if diff := cmp.Diff(one, seen[u.ID]); diff != "" {
			t.Errorf("alone and in the list (-alone +list):\n%s", diff)
		}
	}
}

func notAdministrator(t *testing.T, s contract.Server) {
	u, other := s.NewUser(t, ""), s.NewUser(t, "")
	as := s.As(t, u.ID, u.Password)
	want(t, "create", as.CreateUser(t.Context(), ocs.NewUser{ID: s.NewID(t), Password: contract.NewPassword()}), ocs.ErrForbidden)
	_, err := as.User(t.Context(), other.ID)
	want(t, "get", err, ocs.ErrForbidden)
	_, err = as.UserDetails(t.Context(), 5, 0)
	want(t, "list", err, ocs.ErrForbidden)
	want(t, "delete", as.DeleteUser(t.Context(), other.ID), ocs.ErrForbidden)
	want(t, "disable", as.Disable(t.Context(), other.ID), ocs.ErrForbidden)
	if _, err := s.Admin.User(t.Context(), other.ID); err != nil {
		t.Error(err)
	}
}

func deletion(t *testing.T, s contract.Server) {
	u := s.NewUser(t, "")
	try(t, s.Admin.DeleteUser(t.Context(), u.ID))
	_, err := s.Admin.User(t.Context(), u.ID)
	want(t, "get", err, ocs.ErrNoUser)
	want(t, "delete again", s.Admin.DeleteUser(t.Context(), u.ID), ocs.ErrNoUser)
	again := ocs.NewUser{ID: u.ID, Password: contract.NewPassword()}
	try(t, s.Admin.CreateUser(t.Context(), again))
	if _, err := s.Admin.Authenticate(t.Context(), u.ID, again.Password); err != nil {
		t.Errorf("create again: %v", err)
	}
}

func status(t *testing.T, s contract.Server) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL.JoinPath("status.php").String(), http.NoBody)
	try(t, err)
	resp, err := http.DefaultClient.Do(req)
	try(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	try(t, err)
	got, err := nextcloud.ParseStatus(body)
	if err != nil || !got.Installed || got.Maintenance || got.NeedsUpgrade || strings.Count(got.Version, ".") != 3 {
		t.Errorf("got %+v, %v", got, err)
	}
	_, err = s.Admin.Throttle(t.Context())
	try(t, err)
}
