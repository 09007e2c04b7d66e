package access_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/nextcloud/access"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// issue issues an app password named name with a proof of the current password.
func (f *fixture) issue(a account.Account, name string) (access.Issued, error) {
	f.t.Helper()
	return f.storage.AppPasswords().Issue(f.t.Context(), f.proof(a, "hash"), name, adasPassword, f.event(audit.AppIssued, a))
}

// issued returns the names of the app passwords that the gateway lists, and of those that
// Nextcloud has for users' clients.
func (f *fixture) issued(a account.Account) (listed, inNextcloud []string) {
	f.t.Helper()
	list, err := f.storage.AppPasswords().List(f.t.Context(), a.ID)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, p := range list {
		listed = append(listed, p.Name)
	}
	u, _ := f.cloud.User(f.recorded(a).NextcloudID)
	return listed, slices.DeleteFunc(u.AppPasswords, func(name string) bool { return !strings.HasPrefix(name, "phone") })
}

// hold records n app passwords of the user that Nextcloud does not know.
func (f *fixture) hold(a account.Account, n int) {
	f.t.Helper()
	storetest.AsOperator(f.t, f.db, func(tx *store.Tx, by store.Actor) error {
		for range n {
			p := desired.AppPassword{ID: desired.NewAppPasswordID(), UserID: a.ID, Name: "old", Sealed: []byte("x"), CreatedAt: f.now}
			if err := tx.AddAppPassword(f.t.Context(), by, p); err != nil {
				return err
			}
		}
		return nil
	})
}

func code(err error) string { return fault.Of(err).Code }

func TestAppPasswords_IssueAndRevoke(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		a := f.provision("ada@example.org")
		got, err := f.issue(a, "phone")
		if err != nil {
			t.Fatal(err)
		}
		if got.Login != "ada@example.org" || got.WebDAVURL != "https://cloud.example.org/remote.php/dav/files/ada@example.org/" || got.UserID != a.ID {
			t.Errorf("issued %+v", got)
		}
		if !f.cloud.ValidCredentials(got.Login, got.Password) || !f.audited(audit.AppIssued, a) {
			t.Error("it does not open the account, or is not audited")
		}
		if opened, err := f.recorder.Box.Open(got.Sealed, string(a.ID)); err != nil || opened != got.Password {
			t.Errorf("the sealed app password is another one: %v", err)
		}
		if err := f.storage.AppPasswords().Revoke(t.Context(), got.ID, f.event(audit.AppRevoked, a)); err != nil {
			t.Fatal(err)
		}
		if listed, inNextcloud := f.issued(a); len(listed)+len(inNextcloud) > 0 || f.cloud.ValidCredentials(got.Login, got.Password) || !f.audited(audit.AppRevoked, a) {
			t.Errorf("after the revocation: %q listed, %q in Nextcloud", listed, inNextcloud)
		}
	})
}

func TestAppPasswords_IssueFails(t *testing.T) {
	t.Parallel()
	answer := func(status int, retry time.Duration) nextcloudtest.Fault {
		return nextcloudtest.Answer(status, "text/html", "", retry)
	}
	forbidden := nextcloudtest.Answer(http.StatusForbidden, "application/json",
		`{"ocs":{"meta":{"status":"failure","statuscode":403,"message":""},"data":[]}}`, 0)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		a := f.provision("ada@example.org")
		for _, tt := range []struct {
			name  string
			own   secret.String
			fault nextcloudtest.Fault
			want  error  // or
			code  string // of the error
			retry time.Duration
		}{
			{name: "another password in Nextcloud", own: "not the password", code: "nextcloud_password_differs"},
			{name: "an account that may not log in", own: adasPassword, fault: forbidden, code: "nextcloud_password_differs"},
			{name: "an outage", own: adasPassword, fault: answer(http.StatusBadGateway, 0), want: nextcloud.ErrUnavailable, retry: 5 * time.Second},
			{name: "a lost response", own: adasPassword, fault: nextcloudtest.CutBefore(), want: nextcloud.ErrUnavailable, retry: 5 * time.Second},
			{name: "no Nextcloud", own: adasPassword, fault: answer(http.StatusOK, 0), want: nextcloud.ErrUnavailable, retry: 5 * time.Second},
			{name: "a rate limit", own: adasPassword, fault: answer(http.StatusTooManyRequests, 90*time.Second), want: nextcloud.ErrUnavailable, retry: 90 * time.Second},
		} {
			f.cloud.Fail(nil)
			if tt.fault != nil {
				f.cloud.Fail(func(*http.Request) nextcloudtest.Fault { return tt.fault })
			}
			_, err := f.storage.AppPasswords().Issue(t.Context(), f.proof(a, "hash"), "phone", tt.own, f.event(audit.AppIssued, a))
			if tt.want != nil && !errors.Is(err, tt.want) || tt.code != "" && code(err) != tt.code || fault.Of(err).RetryAfter != tt.retry {
				t.Errorf("%s: %v, retry after %v", tt.name, err, fault.Of(err).RetryAfter)
			}
			if listed, inNextcloud := f.issued(a); len(listed)+len(inNextcloud) > 0 || f.audited(audit.AppIssued, a) {
				t.Errorf("%s: %q listed, %q in Nextcloud", tt.name, listed, inNextcloud)
			}
		}
	})
}

func TestAppPasswords_WaitForAPendingPassword(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		a := f.provision("ada@example.org")
		f.update(func(tx *store.Tx) error {
			return f.recorder.PasswordChanged(t.Context(), tx, a, "an entirely new passphrase", f.now)
		})
		_, err := f.issue(a, "phone")
		if code(err) != "nextcloud_password_differs" || fault.Of(err).RetryAfter != 5*time.Second {
			t.Errorf("got %v, retry after %v", err, fault.Of(err).RetryAfter)
		}
	})
}

// TestAppPasswords_UseTheInitialPassword covers accounts whose password is not passed on.
func TestAppPasswords_UseTheInitialPassword(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		f.settings.PasswordSync = false
		f.recorder = desired.NewRecorder(f.settings.Policy, f.ring)
		a := f.provision("ada@example.org")
		if f.cloud.ValidCredentials("ada@example.org", adasPassword) {
			t.Fatal("the password was passed on")
		}
		got, err := f.issue(a, "phone")
		if err != nil || !f.cloud.ValidCredentials(got.Login, got.Password) {
			t.Errorf("it does not open the account: %v", err)
		}
	})
}

// TestAppPasswords_NobodyKeepsOneThatIsNotRecorded makes the proof lapse between the check
// of the password and the record.
func TestAppPasswords_NobodyKeepsOneThatIsNotRecorded(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		a := f.provision("ada@example.org")
		for name, by := range map[string]signin.Proof{
			"a changed password": f.proof(a, "another hash"),
			"an ended login":     signin.NewProof(a.ID, signin.ID(uid.New())).WithPassword("hash"),
			"no proof":           {},
		} {
			got, err := f.storage.AppPasswords().Issue(t.Context(), by, "phone", adasPassword, f.event(audit.AppIssued, a))
			if err == nil || got.Password != "" {
				t.Errorf("%s: issued, %v", name, err)
			}
			if listed, inNextcloud := f.issued(a); len(listed)+len(inNextcloud) > 0 {
				t.Errorf("%s: %q listed, %q in Nextcloud", name, listed, inNextcloud)
			}
		}
	})
}

func TestAppPasswords_Limit(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		a := f.provision("ada@example.org")
		f.hold(a, desired.MaxAppPasswords)
		before := len(f.cloud.Calls())
		if _, err := f.issue(a, "phone"); !errors.Is(err, desired.ErrTooManyAppPasswords) || len(f.cloud.Calls()) != before {
			t.Errorf("got %v after %d calls of Nextcloud", err, len(f.cloud.Calls())-before)
		}
	})
}

// TestAppPasswords_LimitHoldsInARace has several requests pass the first check at once.
func TestAppPasswords_LimitHoldsInARace(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		a := f.provision("ada@example.org")
		f.hold(a, desired.MaxAppPasswords-1)
		const racers = 4
		arrived := make(chan struct{}, racers)
		proceed := make(chan struct{})
		issuing := nextcloudtest.On(http.MethodGet, "/core/getapppassword")
		f.cloud.Fail(func(r *http.Request) nextcloudtest.Fault {
			if issuing(r) {
				arrived <- struct{}{}
				<-proceed
			}
			return nil
		})
		var (
			wg   sync.WaitGroup
			errs [racers]error
			by   = f.proof(a, "hash")
		)
		for i := range errs {
			wg.Go(func() {
				_, errs[i] = f.storage.AppPasswords().Issue(t.Context(), by, fmt.Sprint("phone ", i), adasPassword, f.event(audit.AppIssued, a))
			})
		}
		for range racers {
			<-arrived
		}
		close(proceed)
		wg.Wait()
		issued := 0
		for _, err := range errs {
			switch {
			case err == nil:
				issued++
			case !errors.Is(err, desired.ErrTooManyAppPasswords):
				t.Errorf("got %v", err)
			}
		}
		if listed, inNextcloud := f.issued(a); issued != 1 || len(listed) != desired.MaxAppPasswords || len(inNextcloud) != 1 {
			t.Errorf("%d issued, %d listed, %q in Nextcloud", issued, len(listed), inNextcloud)
		}
	})
}

func TestAppPasswords_RevokeFails(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		a, other := f.provision("ada@example.org"), f.provision("grace@example.org")
		got, err := f.issue(a, "phone")
		if err != nil {
			t.Fatal(err)
		}
		apps := f.storage.AppPasswords()
		for name, e := range map[string]audit.Event{"another user": f.event(audit.AppRevoked, other), "an unknown id": f.event(audit.AppRevoked, a)} {
			id := got.ID
			if name == "an unknown id" {
				id = desired.NewAppPasswordID()
			}
			if err := apps.Revoke(t.Context(), id, e); !errors.Is(err, uid.ErrUnknown) {
				t.Errorf("%s: %v", name, err)
			}
		}
		f.cloud.SetMaintenance(true)
		err = apps.Revoke(t.Context(), got.ID, f.event(audit.AppRevoked, a))
		f.cloud.SetMaintenance(false)
		if !errors.Is(err, nextcloud.ErrUnavailable) || !f.cloud.ValidCredentials(got.Login, got.Password) || f.audited(audit.AppRevoked, a) {
			t.Errorf("in maintenance: %v", err)
		}
		if listed, _ := f.issued(a); len(listed) != 1 {
			t.Errorf("after the failure, %q is listed", listed)
		}

		// A rejected one is removed, and kept for the reconciler in case it becomes valid again.
		f.cloud.RevokeAll(got.Login)
		if err := apps.Revoke(t.Context(), got.ID, f.event(audit.AppRevoked, a)); err != nil {
			t.Errorf("rejected by Nextcloud: %v", err)
		}
		listed, _ := f.issued(a)
		if kept, err := db.Revocations(t.Context(), a.ID); err != nil || len(kept) != 1 || len(listed) != 0 {
			t.Errorf("%d revocations kept (%v), %q listed", len(kept), err, listed)
		}
	})
}
