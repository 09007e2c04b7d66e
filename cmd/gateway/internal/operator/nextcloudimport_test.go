package operator_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/cmd/gateway/internal/operator"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/registration"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// newNextcloudImporter returns an operator who imports from the Nextcloud into db.
func newNextcloudImporter(t *testing.T, db *store.DB) (*operator.Operator, *nextcloudtest.Server) {
	t.Helper()
	o, cloud := newOperatorOn(t, db)
	o.Registrar = &registration.Registrar{DB: db, Desired: o.Desired, Now: o.Now}
	return o, cloud
}

// importNextcloud imports the users of Nextcloud, who must be complete.
func importNextcloud(t *testing.T, o *operator.Operator, opts operator.NextcloudImportOptions) operator.NextcloudImportReport {
	t.Helper()
	opts.Progress = func(operator.NextcloudImportReport) {}
	report, err := o.ImportNextcloud(t.Context(), opts)
	if err != nil || len(report.Users) != report.Read || report.Imported+report.LeftOut != report.Read {
		t.Errorf("%+v, %v", report, err)
	}
	return report
}

func TestImportNextcloud(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o, cloud := newNextcloudImporter(t, db)
		bob := add(t, o, "bob@example.org", account.User, true)
		cloud.AddUser("Countess", "the password of the countess", "Ada@Example.org")
		cloud.Set("Countess", "displayname", "Ada Lovelace")
		cloud.AddUser("grace@example.org", "x", "grace@example.org")
		cloud.AddUser("bob", "x", "bob@example.org")
		cloud.AddUser("twin1", "x", "twin@example.org")
		cloud.AddUser("twin2", "x", "twin@example.org")
		calls := len(cloud.Calls())

		reasons := func(r operator.NextcloudImportReport) map[string]reconcile.Reason {
			all := map[string]reconcile.Reason{}
			for _, u := range r.Users {
				all[u.ID] = u.Reason
			}
			return all
		}
		first := map[string]reconcile.Reason{
			"admin": reconcile.IsAdministrator, "bob": reconcile.Exists, "twin1": reconcile.SharesAddress, "twin2": reconcile.SharesAddress,
			"Countess": "", "grace@example.org": "",
		}
		if diff := cmp.Diff(first, reasons(importNextcloud(t, o, operator.NextcloudImportOptions{Plan: true}))); diff != "" {
			t.Errorf("the plan: %s", diff)
		}
		if list, _, err := o.List(t.Context(), operator.ListFilter{}, 10); err != nil || len(list) != 1 || len(events(t, o)) != 0 {
			t.Errorf("the plan wrote: %+v, %v", list, err)
		}
		if diff := cmp.Diff(first, reasons(importNextcloud(t, o, operator.NextcloudImportOptions{}))); diff != "" {
			t.Errorf("the import: %s", diff)
		}
		again := importNextcloud(t, o, operator.NextcloudImportOptions{})
		first["Countess"], first["grace@example.org"] = reconcile.IsLinked, reconcile.IsLinked
		if diff := cmp.Diff(first, reasons(again)); again.Imported != 0 || diff != "" {
			t.Errorf("again: %s", diff)
		}

		ada, hash, err := db.AccountByEmail(t.Context(), account.Email("ada@example.org").Lookup())
		want := account.Account{
			ID: ada.ID, Email: "ada@example.org", FullName: "Ada Lovelace", Role: account.User, Preferences: document.Empty,
			Pending: true, CreatedAt: noon, UpdatedAt: noon,
		}
		if diff := cmp.Diff(want, ada); err != nil || diff != "" || hash != "" {
			t.Errorf("%v, hash %q (-want +got):\n%s", err, hash.Reveal(), diff)
		}
		n, err := db.NextcloudAccount(t.Context(), ada.ID)
		if err != nil || n.NextcloudID != "Countess" || n.Link != desired.Adopted || n.Status != desired.Conflict ||
			n.LastError != reconcile.ClaimRequired || n.Owned || n.DueAt != nil || n.WantsPassword {
			t.Errorf("in Nextcloud: %+v, %v", n, err)
		}
		if n, err := db.NextcloudAccount(t.Context(), bob.ID); err != nil || n.Link != desired.NoLink || n.NextcloudID != "bob@example.org" {
			t.Errorf("the account that was there: %+v, %v", n, err)
		}
		if b, err := db.NextcloudBacklog(t.Context(), noon); err != nil || b.GivenUp != 0 {
			t.Errorf("the accounts count as in need of attention: %+v, %v", b, err)
		}
		list, err := db.AuditOf(t.Context(), ada.ID, 10)
		var names []audit.Name
		for _, e := range list {
			if e.Origin != operator.Origin || e.Detail != map[audit.Name]string{audit.Registered: "imported", audit.Adopted: "Countess"}[e.Name] {
				t.Errorf("event %+v", e)
			}
			names = append(names, e.Name)
		}
		if len(names) != 2 || err != nil {
			t.Errorf("events %v, %v", names, err)
		}
		for _, c := range cloud.Calls()[calls:] {
			if c.Method != http.MethodGet {
				t.Errorf("the import changes Nextcloud: %s %s", c.Method, c.Path)
			}
		}
		if mails, err := db.LeaseMails(t.Context(), uid.New(), noon, noon.Add(time.Hour), 10); err != nil || len(mails) != 0 {
			t.Errorf("mails %+v, %v", mails, err)
		}
	})
}

// TestImportNextcloud_SendsResets mails each new user once.
func TestImportNextcloud_SendsResets(t *testing.T) {
	t.Parallel()
	o, cloud := newNextcloudImporter(t, storetest.SQLite(t))
	add(t, o, "bob@example.org", account.User, true)
	cloud.AddUser("countess", "x", "ada@example.org")
	cloud.AddUser("bob", "x", "bob@example.org")
	for range 2 {
		importNextcloud(t, o, operator.NextcloudImportOptions{Resets: new(mail.Outbox)})
	}
	mails, err := o.DB.LeaseMails(t.Context(), uid.New(), noon, noon.Add(time.Hour), 10)
	if err != nil || len(mails) != 1 || mails[0].Recipient != "ada@example.org" || mails[0].Kind != mail.ResetPassword {
		t.Errorf("%+v, %v", mails, err)
	}
}

// addMany adds n users to Nextcloud.
func addMany(cloud *nextcloudtest.Server, n int) {
	for i := range n {
		cloud.AddUser(fmt.Sprintf("user%d", i), "x", fmt.Sprintf("user%d@example.org", i))
	}
}

// expectLinked fails the test unless n accounts are linked, each with its events.
func expectLinked(t *testing.T, db *store.DB, n int) {
	t.Helper()
	for what, query := range map[string]string{
		"accounts":        `SELECT COUNT(*) FROM users WHERE password_hash = ''`,
		"linked accounts": `SELECT COUNT(DISTINCT nextcloud_id) FROM nextcloud_accounts JOIN users ON users.id = user_id WHERE link = 'adopted' AND users.email = nextcloud_id || '@example.org'`,
		"events":          `SELECT COUNT(*) / 2 FROM audit_events JOIN users ON users.id = user_id`,
		"rows":            `SELECT COUNT(*) FROM nextcloud_accounts`,
	} {
		var got int
		if err := db.Handle().QueryRowContext(t.Context(), query).Scan(&got); err != nil || got != n {
			t.Errorf("%d %s, %v; want %d", got, what, err, n)
		}
	}
}

// TestImportNextcloud_GoesOnAfterAnInterruption interrupts an import of over a thousand
// users half way and runs it again. It must take less than a minute.
func TestImportNextcloud_GoesOnAfterAnInterruption(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o, cloud := newNextcloudImporter(t, db)
		const users = 1050
		addMany(cloud, users)
		ctx, interrupt := context.WithCancel(t.Context())
		first, err := o.ImportNextcloud(ctx, operator.NextcloudImportOptions{Progress: func(r operator.NextcloudImportReport) {
			if r.Imported == users/2 {
				interrupt()
			}
		}})
		if !errors.Is(err, context.Canceled) || first.Imported != users/2 || len(first.Users) != first.Imported+first.LeftOut {
			t.Fatalf("interrupted: %d imported, %d users, %v", first.Imported, len(first.Users), err)
		}
		start := time.Now()
		second := importNextcloud(t, o, operator.NextcloudImportOptions{})
		took := time.Since(start)
		if first.Imported+second.Imported != users || took > 30*time.Second {
			t.Errorf("then: %d imported in %v", second.Imported, took)
		}
		t.Logf("%d users in %v, %.0f a second", second.Imported, took.Round(time.Millisecond), float64(second.Imported)/took.Seconds())
		expectLinked(t, db, users)
	})
}

// TestImportNextcloud_TwoAtOnce imports the same users twice at the same time.
func TestImportNextcloud_TwoAtOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o, cloud := newNextcloudImporter(t, db)
		const users = 150
		addMany(cloud, users)
		importNextcloud(t, o, operator.NextcloudImportOptions{Plan: true}) // the first call to a Nextcloud is a trial, for which others wait
		var reports [2]operator.NextcloudImportReport
		var wg sync.WaitGroup
		for i := range reports {
			wg.Go(func() { reports[i] = importNextcloud(t, o, operator.NextcloudImportOptions{}) })
		}
		wg.Wait()
		if n := reports[0].Imported + reports[1].Imported; n != users {
			t.Errorf("%d imported, want each of %d users once", n, users)
		}
		expectLinked(t, db, users)
	})
}

// TestImportNextcloud_AnotherWasQuicker links the account to another user, or takes the
// address, after the list was read.
func TestImportNextcloud_AnotherWasQuicker(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o, cloud := newNextcloudImporter(t, db)
		cloud.AddUser("countess", "x", "ada@example.org")
		cloud.AddUser("grace", "x", "grace@example.org")
		cloud.AddUser("zed@example.org", "x", "zoe@example.org")
		cloud.AddUser("zoe", "x", "zoe2@example.org")
		bob := add(t, o, "bob@example.org", account.User, true)
		report, err := o.ImportNextcloud(t.Context(), operator.NextcloudImportOptions{Progress: func(r operator.NextcloudImportReport) {
			if len(r.Users) != 1 {
				return
			}
			if _, _, err := o.Adopt(t.Context(), bob.Email.Lookup(), "COUNTESS"); err != nil {
				t.Error(err)
			}
			add(t, o, "grace@example.org", account.User, false)
			add(t, o, "zed@example.org", account.User, true) // waits for the account with that id
		}})
		var got []string
		for _, u := range report.Users {
			got = append(got, u.ID+" "+string(u.Reason))
		}
		if diff := cmp.Diff([]string{"admin administrator", "countess linked", "grace exists", "zed@example.org linked", "zoe "}, got); err != nil || diff != "" || report.Imported != 1 || report.LeftOut != 4 {
			t.Errorf("%+v, %v: %s", report, err, diff)
		}
		if _, _, err := db.AccountByEmail(t.Context(), account.Email("ada@example.org").Lookup()); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("the owner of the address has an account without the one in Nextcloud: %v", err)
		}
	})
}

func TestImportNextcloud_NextcloudFailsHalfWay(t *testing.T) {
	t.Parallel()
	o, cloud := newNextcloudImporter(t, storetest.SQLite(t))
	addMany(cloud, 120)
	cloud.Fail(func(r *http.Request) nextcloudtest.Fault {
		if r.URL.Query().Get("offset") == "100" {
			return nextcloudtest.Maintenance()
		}
		return nil
	})
	report, err := o.ImportNextcloud(t.Context(), operator.NextcloudImportOptions{Progress: func(operator.NextcloudImportReport) {}})
	if err == nil || !strings.Contains(err.Error(), "after 100 users of Nextcloud: ") || report.Read != 100 || report.Imported != 0 {
		t.Errorf("%+v, %v", report, err)
	}
	expectLinked(t, o.DB, 0)
}
