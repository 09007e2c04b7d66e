package migrations_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/voiceassist/gateway/shared/store/migrations"
	"github.com/voiceassist/gateway/shared/store/sqlite"
)

// TestUp_ReportsAppliedMigrations migrates an empty database, and then again.
func TestUp_ReportsAppliedMigrations(t *testing.T) {
	t.Parallel()
	db, err := sqlite.Open(filepath.Join(t.TempDir(), "gateway.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var applied, want []string
	for range 2 {
		w := migrations.LockWait{Applied: func(name string) { applied = append(applied, name) }}
		if _, err := migrations.Up(t.Context(), db, w); err != nil {
			t.Fatal(err)
		}
	}
	steps, err := migrations.Status(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		want = append(want, s.Name)
	}
	if !slices.Equal(applied, want) || len(want) == 0 {
		t.Errorf("reported %q, want %q", applied, want)
	}
}
