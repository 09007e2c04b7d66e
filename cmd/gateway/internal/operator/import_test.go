package operator_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/cmd/gateway/internal/operator"
	"github.com/voiceassist/gateway/cmd/gateway/internal/userfile"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/registration"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// bcryptHash is a hash by another system.
const bcryptHash = "$2b$04$hNzl3WNiMHDPfxRxSSf29.pudcQXJztaOTl2.jNU6xQnm1mWYOaIO"

// newImporter returns an operator who imports into db.
func newImporter(t *testing.T, db *store.DB) *operator.Operator {
	t.Helper()
	o, _ := newOperator(t)
	o.DB = db
	o.Registrar = &registration.Registrar{DB: db, Desired: o.Desired, Now: o.Now}
	return o
}

// importFile imports a CSV file, and returns the wrong records with the report.
func importFile(t *testing.T, o *operator.Operator, ctx context.Context, file io.Reader, opts operator.ImportOptions) (wrong []string, report operator.ImportReport, err error) {
	t.Helper()
	records, err := userfile.Read(file, userfile.CSV, noon)
	if err != nil {
		t.Fatal(err)
	}
	opts.Wrong = func(r userfile.Record) { wrong = append(wrong, r.Name+": "+r.Err.Error()) }
	if opts.Progress == nil {
		opts.Progress = func(operator.ImportReport) {}
	}
	report, err = o.Import(ctx, records, opts)
	return wrong, report, err
}

func TestImport(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newImporter(t, db)
		add(t, o, "bob@bücher.example", account.User, true)
		const file = `email,full_name,password_hash,role,disabled,email_verified_at,created_at,preferences
Ada@Example.org,Ada Lovelace,` + bcryptHash + `,user,false,2024-01-15T10:23:45Z,2024-01-15T10:22:01Z,"{""language"":""de""}"
ADA@EXAMPLE.ORG,Another Ada,` + bcryptHash + `,,,,,
grace@example.org,Grace Hopper,$argon2id$v=19$m=65536,,,,,
Bob@XN--BCHER-KVA.example,Bob,` + bcryptHash + `,,,,,
` + "eve@example.org,\xff," + bcryptHash + `,,,,,
root@example.org,,` + bcryptHash + `,admin,,,,
mallory@example.org,,` + bcryptHash + `,,true,,,
`
		for n, want := range []operator.ImportReport{
			{Imported: 3, Pending: 1, Existing: 2, Wrong: 1, Demoted: 1}, // a dry run
			{Imported: 3, Pending: 1, Existing: 2, Wrong: 1, Demoted: 1},
			{Existing: 6, Wrong: 1},
		} {
			wrong, report, err := importFile(t, o, t.Context(), strings.NewReader(file), operator.ImportOptions{DryRun: n == 0})
			if diff := cmp.Diff(want, report); err != nil || diff != "" {
				t.Errorf("run %d: %v (-want +got):\n%s", n+1, err, diff)
			}
			if diff := cmp.Diff([]string{"line 6: not UTF-8"}, wrong); diff != "" {
				t.Errorf("run %d: %s", n+1, diff)
			}
			if list, _, err := o.List(t.Context(), operator.ListFilter{}, 10); err != nil || (len(list) == 1) != (n == 0) {
				t.Errorf("run %d: %d accounts, %v", n+1, len(list), err)
			}
		}

		created, verified := time.Date(2024, 1, 15, 10, 22, 1, 0, time.UTC), time.Date(2024, 1, 15, 10, 23, 45, 0, time.UTC)
		ada, hash, err := db.AccountByEmail(t.Context(), account.Email("ada@example.org").Lookup())
		want := account.Account{
			ID: ada.ID, Email: "ada@example.org", FullName: "Ada Lovelace", Role: account.User, Preferences: `{"language":"de"}`,
			NextcloudNeedsPassword: true, EmailVerifiedAt: &verified, CreatedAt: created, UpdatedAt: noon,
		}
		if diff := cmp.Diff(want, ada); err != nil || diff != "" || hash != bcryptHash {
			t.Errorf("%v, hash %q (-want +got):\n%s", err, hash.Reveal(), diff)
		}
		if _, hash, err := db.AccountByEmail(t.Context(), account.Email("grace@example.org").Lookup()); err != nil || hash != "" {
			t.Errorf("the hash that cannot be verified is stored as %q, %v", hash.Reveal(), err)
		}
		n, err := db.NextcloudAccount(t.Context(), ada.ID)
		if err != nil || n.State != desired.Present || n.NextcloudID != "ada@example.org" || n.Quota != "5 GB" || n.DueAt == nil || len(n.InitialPassword) == 0 {
			t.Errorf("in Nextcloud: %+v, %v", n, err)
		}
		leased, err := db.LeaseNextcloud(t.Context(), uid.New(), noon, noon.Add(time.Hour), 10)
		for _, n := range leased {
			if n.Email == "grace@example.org" {
				t.Error("an account without a password is created in Nextcloud")
			}
		}
		if err != nil || len(leased) != 4 { // bob, ada, root and mallory
			t.Errorf("leased %d accounts, %v", len(leased), err)
		}
		mallory, err := o.Show(t.Context(), account.Email("mallory@example.org").Lookup())
		if err != nil || !mallory.Disabled() || mallory.Nextcloud.State != desired.Disabled {
			t.Errorf("disabled in the other system: %+v, %v", mallory, err)
		}
		if found, _, err := o.List(t.Context(), operator.ListFilter{Search: "hopp"}, 10); err != nil || len(found) != 1 {
			t.Errorf("a search finds %v, %v", found, err)
		}
		list, err := db.AuditOf(t.Context(), ada.ID, 10)
		if err != nil || len(list) != 1 || list[0].Name != audit.Registered || list[0].Detail != "imported" || list[0].Origin != operator.Origin {
			t.Errorf("events: %+v, %v", list, err)
		}
	})
}

func TestImport_AdministratorsOnRequest(t *testing.T) {
	t.Parallel()
	o := newImporter(t, storetest.SQLite(t))
	const file = "email,role\nroot@example.org,admin\n"
	if _, report, err := importFile(t, o, t.Context(), strings.NewReader(file), operator.ImportOptions{AllowAdmins: true}); err != nil || report.Demoted != 0 {
		t.Errorf("%+v, %v", report, err)
	}
	if a, _, err := o.DB.AccountByEmail(t.Context(), account.Email("root@example.org").Lookup()); err != nil || !a.Admin() {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestImport_SendsResets mails only those who need a new password, once.
func TestImport_SendsResets(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newImporter(t, db)
		const file = "email,password_hash\nada@example.org," + bcryptHash + "\ngrace@example.org,\n"
		for range 2 {
			if _, _, err := importFile(t, o, t.Context(), strings.NewReader(file), operator.ImportOptions{Resets: new(mail.Outbox)}); err != nil {
				t.Fatal(err)
			}
		}
		mails, err := db.LeaseMails(t.Context(), uid.New(), noon, noon.Add(time.Hour), 10)
		if err != nil || len(mails) != 1 || mails[0].Recipient != "grace@example.org" || mails[0].Kind != mail.ResetPassword {
			t.Errorf("%+v, %v", mails, err)
		}
	})
}

// manyUsers returns a file with n users.
func manyUsers(n int) string {
	var file strings.Builder
	file.WriteString("email,full_name,password_hash\n")
	for i := range n {
		fmt.Fprintf(&file, "user%d@example.org,User %d,%s\n", i, i, bcryptHash)
	}
	return file.String()
}

// TestImport_GoesOnAfterAnInterruption interrupts an import after its first transaction
// and runs it again.
func TestImport_GoesOnAfterAnInterruption(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newImporter(t, db)
		const users = 1050
		ctx, interrupt := context.WithCancel(t.Context())
		opts := operator.ImportOptions{Progress: func(operator.ImportReport) { interrupt() }}
		_, first, err := importFile(t, o, ctx, strings.NewReader(manyUsers(users)), opts)
		if !errors.Is(err, context.Canceled) || first.Imported == 0 || first.Imported == users {
			t.Fatalf("interrupted: %+v, %v; want some", first, err)
		}
		_, second, err := importFile(t, o, t.Context(), strings.NewReader(manyUsers(users)), operator.ImportOptions{})
		if err != nil || first.Imported+second.Imported != users || second.Existing != first.Imported {
			t.Errorf("then: %+v, %v; want the other %d", second, err, users-first.Imported)
		}
		expectComplete(t, db, users)
	})
}

// TestImport_TwoAtOnce imports the same file twice at the same time.
func TestImport_TwoAtOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newImporter(t, db)
		const users = 1050
		var reports [2]operator.ImportReport
		var wg sync.WaitGroup
		for i := range reports {
			wg.Go(func() {
				var err error
				if _, reports[i], err = importFile(t, o, t.Context(), strings.NewReader(manyUsers(users)), operator.ImportOptions{}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if a, b := reports[0], reports[1]; a.Imported+b.Imported != users || a.Existing+b.Existing != users {
			t.Errorf("%+v and %+v, want each of %d users once", a, b, users)
		}
		expectComplete(t, db, users)
	})
}

// expectComplete fails the test unless there are n accounts, each with a desired state
// in Nextcloud, one event, and search keys.
func expectComplete(t *testing.T, db *store.DB, n int) {
	t.Helper()
	for what, query := range map[string]string{
		"accounts":                `SELECT COUNT(*) FROM users WHERE indexed_search = search`,
		"accounts in Nextcloud":   `SELECT COUNT(*) FROM nextcloud_accounts JOIN users ON users.id = user_id`,
		"events":                  `SELECT COUNT(*) FROM audit_events JOIN users ON users.id = user_id`,
		"accounts to search for":  `SELECT COUNT(DISTINCT user_id) FROM search_keys JOIN users ON users.id = user_id`,
		"all accounts and events": `SELECT (SELECT COUNT(*) FROM users) + (SELECT COUNT(*) FROM audit_events) - (SELECT COUNT(*) FROM nextcloud_accounts)`,
	} {
		var got int
		if err := db.Handle().QueryRowContext(t.Context(), query).Scan(&got); err != nil || got != n {
			t.Errorf("%d %s, %v; want %d", got, what, err, n)
		}
	}
}

// TestImport_TenThousand must take less than a minute, of which it prints how much.
func TestImport_TenThousand(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newImporter(t, db)
		const users = 10000
		start := time.Now()
		_, report, err := importFile(t, o, t.Context(), strings.NewReader(manyUsers(users)), operator.ImportOptions{})
		took := time.Since(start)
		if err != nil || report.Imported != users || took > time.Minute {
			t.Errorf("%+v in %v, %v", report, took, err)
		}
		t.Logf("%d users in %v, %.0f a second", users, took.Round(time.Millisecond), users/took.Seconds())
	})
}
