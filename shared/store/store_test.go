package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/migrations"
	"github.com/voiceassist/gateway/shared/store/sqlite"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

// noon is the time of most tests. It has more digits than the store keeps.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 123_456_789, time.UTC)

func kept(t time.Time) time.Time { return t.Truncate(time.Microsecond) }

// someone returns an account that is in db, with the hash "hash".
func someone(t testing.TB, db *store.DB, email string) account.Account {
	t.Helper()
	a := newAccount(email)
	if err := create(t.Context(), db, a); err != nil {
		t.Fatalf("create %s: %v", email, err)
	}
	return a
}

// create creates an account with the hash "hash".
func create(ctx context.Context, db *store.DB, a account.Account) error {
	return db.Update(ctx, func(tx *store.Tx) error { return tx.CreateAccount(ctx, a, "hash") })
}

func newAccount(email string) account.Account {
	return account.Account{
		ID: account.NewID(), Email: account.Email(email), FullName: "Ada Lovelace", Role: account.User,
		Preferences: document.Empty, CreatedAt: kept(noon), UpdatedAt: kept(noon),
	}
}

func TestSchemaVersion_IsTheNewestMigration(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		steps, err := migrations.Status(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		last := steps[len(steps)-1]
		if last.Version != store.SchemaVersion || !last.Applied {
			t.Errorf("newest migration %+v, store.SchemaVersion = %d", last, store.SchemaVersion)
		}
		if got, err := db.Schema(t.Context()); err != nil || got != store.SchemaVersion {
			t.Errorf("Schema() = %d, %v, want %d", got, err, store.SchemaVersion)
		}
		if n, err := migrations.Up(t.Context(), db, migrations.LockWait{}); err != nil || n != 0 {
			t.Errorf("a second Up applied %d, %v; want none", n, err)
		}
	})
}

func TestMigrations_ConcurrentRunsApplyOnce_OnPostgres(t *testing.T) {
	t.Parallel()
	dsn := storetest.FromTemplate(t, func(context.Context, string) error { return nil })
	var wg sync.WaitGroup
	applied := make([]int, 4)
	for i := range applied {
		wg.Go(func() {
			db := storetest.OpenPostgres(t, dsn)
			defer db.Close()
			n, err := migrations.Up(t.Context(), db, migrations.LockWait{})
			if err != nil {
				t.Errorf("Up %d: %v", i, err)
			}
			applied[i] = n
		})
	}
	wg.Wait()
	total := 0
	for _, n := range applied {
		total += n
	}
	steps, err := migrations.Status(t.Context(), storetest.SQLite(t))
	if err != nil || total != len(steps) {
		t.Errorf("four migrators applied %v, want %d in total; %v", applied, len(steps), err)
	}
}

func TestUpdate_RollsBackOnErrorAndPanic(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		refused := errors.New("refused")
		create := func(tx *store.Tx, email account.Email) {
			a := account.Account{ID: account.NewID(), Email: email, Role: account.User, CreatedAt: noon, UpdatedAt: noon}
			if err := tx.CreateAccount(t.Context(), a, "hash"); err != nil {
				t.Fatalf("create: %v", err)
			}
		}
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			create(tx, "error@example.org")
			return refused
		})
		if !errors.Is(err, refused) {
			t.Errorf("Update = %v, want the error of fn", err)
		}
		func() {
			defer func() { recover() }()
			db.Update(t.Context(), func(tx *store.Tx) error {
				create(tx, "panic@example.org")
				panic("stop")
			})
		}()
		all, err := db.Accounts(t.Context(), store.Page{Limit: 10})
		if err != nil || len(all) != 0 {
			t.Errorf("after the rollbacks: got accounts %v, %v; want none", all, err)
		}
	})
}

func TestUpdate_SerializesReadModifyWrite(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		who := someone(t, db, "ada@example.org")
		var wg sync.WaitGroup
		const writers = 8
		for range writers {
			wg.Go(func() {
				err := db.Update(t.Context(), func(tx *store.Tx) error {
					a, err := tx.Account(t.Context(), who.ID)
					if err != nil {
						return err
					}
					longer := a.FullName + "x"
					_, err = tx.ChangeAccount(t.Context(), tx.Operator(), a, store.Changes{FullName: &longer}, noon)
					return err
				})
				if err != nil {
					t.Errorf("Update: %v", err)
				}
			})
		}
		wg.Wait()
		a, err := db.Account(t.Context(), who.ID)
		if err != nil || len(a.FullName) != len(who.FullName)+writers {
			t.Errorf("after %d writers the name is %q, %v; an update was lost", writers, a.FullName, err)
		}
	})
}

func TestUnreachableDatabase_IsUnavailable(t *testing.T) {
	t.Parallel()
	db := storetest.OpenPostgres(t, "postgres://nobody@127.0.0.1:1/none?sslmode=disable")
	defer db.Close()
	if _, err := db.Account(t.Context(), account.NewID()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("refused connection: got %v, want ErrUnavailable", err)
	}
	err := db.Update(t.Context(), func(*store.Tx) error { return nil })
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("refused transaction: got %v, want ErrUnavailable", err)
	}
	if err := db.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Ping = %v, want ErrUnavailable", err)
	}
}

func TestErrors_OmitSecretsOfTheURL(t *testing.T) {
	t.Parallel()
	db := storetest.OpenPostgres(t, "postgres://ada:hunter2@127.0.0.1:1/none?sslmode=disable")
	defer db.Close()
	err := db.Ping(t.Context())
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Ping = %v; want an error without the password", err)
	}
}

// TestRotateLogin_OfADisabledAccount disables only the account, as an operator who edits
// the database manually would.
func TestRotateLogin_OfADisabledAccount(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := someone(t, db, "ada@example.org")
		l := signin.Start(a.ID, "device", "192.0.2.1", noon, signin.Lifetimes{Idle: signin.DefaultIdle})
		if err := db.StartLogin(t.Context(), l, "hash", audit.New(audit.LoggedIn, l.UserID, audit.Origin{}, noon), nil); err != nil {
			t.Fatal(err)
		}
		disabled := true
		storetest.AsOperator(t, db, func(tx *store.Tx, by store.Actor) error {
			_, err := tx.ChangeAccount(t.Context(), by, a, store.Changes{Disabled: &disabled}, noon)
			return err
		})
		if _, matched, err := db.RotateLogin(t.Context(), l.ID, 0, "192.0.2.1", noon, noon.Add(time.Hour)); matched || err != nil {
			t.Errorf("login of a disabled account was rotated, %v", err)
		}
		if r, err := db.Login(t.Context(), l.ID); err != nil || r.Login.Active(noon) {
			t.Errorf("login of a disabled account is live: %+v, %v", r, err)
		}
		if err := db.StartLogin(t.Context(), signin.Start(a.ID, "", "", noon, signin.Lifetimes{Idle: time.Hour}), "hash", audit.New(audit.LoggedIn, a.ID, audit.Origin{}, noon), nil); !errors.Is(err, store.ErrChanged) {
			t.Errorf("disabled account started a login: %v", err)
		}
	})
}

func TestSchema_OfAnEmptyDatabaseIsZero_OnPostgres(t *testing.T) {
	t.Parallel()
	lite, err := sqlite.Open(filepath.Join(t.TempDir(), "empty.db"))
	if err != nil {
		t.Fatal(err)
	}
	full := storetest.OpenPostgres(t, storetest.FromTemplate(t, func(context.Context, string) error { return nil }))
	for _, db := range []*store.DB{lite, full} {
		if got, err := db.Schema(t.Context()); got != 0 || err != nil {
			t.Errorf("%s: got %d, %v", db.Engine(), got, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}
