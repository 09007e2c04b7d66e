package database_test

import (
	"os"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/cmd/gateway/internal/database"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/migrations"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

func TestSettings_Embedded(t *testing.T) {
	t.Parallel()
	const server, direct = "postgres://gateway@db.lan/gateway", "postgres://gateway@direct.lan/gateway"
	for _, test := range []struct {
		name                 string
		env                  map[string]string
		embedded, embeddedUp bool // for the gateway, and for migrations
	}{
		{"no setting", nil, true, true},
		{"a server", map[string]string{"DATABASE_URL": server}, false, false},
		{"a server only for migrations", map[string]string{"MIGRATE_DATABASE_URL": direct}, true, false},
		{"a pooler", map[string]string{"DATABASE_URL": server, "MIGRATE_DATABASE_URL": direct}, false, false},
	} {
		var s database.Settings
		var up database.DirectSettings
		if err := config.Map(test.env).Load(&s, &up); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if s.Embedded != test.embedded || up.Embedded != test.embeddedUp {
			t.Errorf("%s: embedded is %t, and %t for migrations", test.name, s.Embedded, up.Embedded)
		}
	}
}

// TestOpen_MigratesTheEmbeddedDatabase opens it as the gateway and as migrations do.
func TestOpen_MigratesTheEmbeddedDatabase(t *testing.T) {
	t.Parallel()
	env := config.Map(map[string]string{"DATA_DIR": t.TempDir()})
	var up database.DirectSettings
	var s database.Settings
	if err := env.Load(&up, &s); err != nil {
		t.Fatal(err)
	}
	db, err := up.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := migrations.Status(t.Context(), db)
	if err != nil || len(steps) == 0 || steps[0].Applied {
		t.Errorf("opened for migrations, the database has %+v, %v", steps, err)
	}
	db.Close()

	if db, err = s.Open(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := database.CheckSchema(t.Context(), db); err != nil {
		t.Errorf("opened for the gateway: %v", err)
	}
}

func TestCheckSchema_NamesTheCommandThatMigrates(t *testing.T) {
	t.Parallel()
	var up database.DirectSettings
	if err := config.Map(map[string]string{"DATA_DIR": t.TempDir()}).Load(&up); err != nil {
		t.Fatal(err)
	}
	db, err := up.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = database.CheckSchema(t.Context(), db)
	if err == nil || !strings.Contains(err.Error(), "gateway migrate up") || !strings.Contains(err.Error(), store.DescribeOutdated(0)) {
		t.Errorf("the error is %v", err)
	}
}
