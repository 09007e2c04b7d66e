package postgres_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/postgres"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// A keeper holds the URL that Renew returns.
type keeper struct {
	url   atomic.Value
	asked atomic.Int64
}

func (k *keeper) renew(_ context.Context, name string) secret.String {
	if name != "DATABASE_URL" {
		return ""
	}
	k.asked.Add(1)
	return secret.String(k.url.Load().(string))
}

// open returns a store for dsn, and the keeper that holds its URL.
func open(t *testing.T, dsn string) (*store.DB, *keeper) {
	t.Helper()
	k := &keeper{}
	k.url.Store(dsn)
	env := config.Map(map[string]string{"DATABASE_URL": dsn})
	env.RenewWith(k.renew)
	var settings postgres.Settings
	if err := env.Load(&settings); err != nil {
		t.Fatal(err)
	}
	db := settings.Open()
	t.Cleanup(func() { db.Close() })
	return db, k
}

// ask queries the database, and checks how often the URL was renewed.
func ask(t *testing.T, db *store.DB, k *keeper, renewed int64) {
	t.Helper()
	if v, err := db.Schema(t.Context()); err != nil || v != store.SchemaVersion {
		t.Errorf("Schema() = %d, %v", v, err)
	}
	if n := k.asked.Load(); n != renewed {
		t.Errorf("renewed %d times, want %d", n, renewed)
	}
}

// password returns the password in a URL.
func password(t *testing.T, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := u.User.Password()
	return p
}

func TestConnector_FollowsARotatedPassword(t *testing.T) {
	t.Parallel()
	role, first := storetest.NewRole(t, storetest.PostgresURL(t))
	db, k := open(t, first)
	ask(t, db, k, 0)
	k.url.Store(role.Rotate())
	ask(t, db, k, 0)               // open connections stay open
	db.Handle().SetMaxIdleConns(0) // from here on, every statement opens a connection
	ask(t, db, k, 1)
	ask(t, db, k, 1) // the renewed URL was kept
}

func TestConnector_ReturnsRefusalsItCannotFix(t *testing.T) {
	t.Parallel()
	role, first := storetest.NewRole(t, storetest.PostgresURL(t))
	last := role.Rotate()
	for name, renewed := range map[string]string{
		"no rotation": "", "the same URL": first, "an invalid URL": "postgres://" + first + ":%zz",
		"another wrong password": strings.Replace(first, password(t, first), "hunter2", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, k := open(t, first)
			k.url.Store(renewed)
			_, err := db.Schema(t.Context())
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("got %v, want %v", err, store.ErrUnavailable)
			}
			for _, secret := range []string{password(t, first), "hunter2"} {
				if cause := errors.Unwrap(err); strings.Contains(err.Error(), secret) || cause != nil && strings.Contains(cause.Error(), secret) {
					t.Errorf("the error contains the password: %v", err)
				}
			}
			k.url.Store(last)
			ask(t, db, k, 2)
		})
	}
}

func TestReadDirect_BypassesThePooler(t *testing.T) {
	t.Parallel()
	direct := storetest.PostgresURL(t)
	for name, vars := range map[string]map[string]string{
		"both variables":    {"MIGRATE_DATABASE_URL": direct, "DATABASE_URL": "postgres://pooler.invalid/x"},
		"DATABASE_URL only": {"DATABASE_URL": direct},
	} {
		db := setting.Of[postgres.DirectSettings](config.Map(vars)).Open()
		if v, err := db.Schema(t.Context()); err != nil || v != store.SchemaVersion {
			t.Errorf("%s: Schema() = %d, %v", name, v, err)
		}
		db.Close()
	}
	env := config.Map(nil)
	if setting.Of[postgres.DirectSettings](env); env.Err() == nil {
		t.Error("nothing set: want an error")
	}
}

// TestConnector_TakesAPasswordThatNoURLHolds connects with a password beside the URL, which
// follows a rotation as one in the URL does.
func TestConnector_TakesAPasswordThatNoURLHolds(t *testing.T) {
	t.Parallel()
	_, first := storetest.NewRole(t, storetest.PostgresURL(t))
	u, err := url.Parse(first)
	if err != nil {
		t.Fatal(err)
	}
	const strange, stranger = `a@b:c/d?e#f%67 "g$h\i&j`, `%%?&=@`
	owner, err := postgres.Open(secret.String(first), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	change := func(to string) {
		if _, err := owner.Handle().ExecContext(t.Context(), "ALTER ROLE CURRENT_USER PASSWORD '"+to+"'"); err != nil {
			t.Fatal(err)
		}
	}
	change(strange)
	bare := *u
	bare.User = url.User(u.User.Username())
	parameter := bare
	parameter.User, parameter.RawQuery = nil, bare.RawQuery+"&user="+u.User.Username()
	other := *u
	other.User = url.UserPassword(u.User.Username(), "wrong")
	for _, tt := range []struct {
		name, address string
		ok            bool
	}{
		{"a user", bare.String(), true},
		{"the user as a parameter", parameter.String(), true},
		{"a password of its own", other.String(), false},
	} {
		env := config.Map(map[string]string{"DATABASE_URL": tt.address, "DATABASE_PASSWORD": strange})
		var settings postgres.Settings
		if err := env.Load(&settings); err != nil {
			t.Fatal(err)
		}
		db := settings.Open()
		if _, err := db.Schema(t.Context()); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
		db.Close()
	}

	k := &keeper{}
	env := config.Map(map[string]string{"DATABASE_URL": bare.String(), "DATABASE_PASSWORD": strange})
	env.RenewWith(func(_ context.Context, name string) secret.String {
		if name != "DATABASE_PASSWORD" {
			return ""
		}
		return k.renew(t.Context(), "DATABASE_URL")
	})
	var settings postgres.Settings
	if err := env.Load(&settings); err != nil {
		t.Fatal(err)
	}
	db := settings.Open()
	defer db.Close()
	db.Handle().SetMaxIdleConns(0)
	ask(t, db, k, 0)
	change(stranger)
	k.url.Store(stranger)
	ask(t, db, k, 1)
}
