package sqlite_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/sqlite"
)

// pairs returns a database in which each transaction adds one row to each of two tables.
func pairs(t *testing.T, path string) *store.DB {
	t.Helper()
	db, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Handle().ExecContext(t.Context(), `
		CREATE TABLE a (n INTEGER PRIMARY KEY, text TEXT); CREATE TABLE b (n INTEGER PRIMARY KEY REFERENCES a (n), text TEXT);`); err != nil {
		t.Fatal(err)
	}
	return db
}

func add(t *testing.T, db *store.DB) {
	t.Helper()
	tx, err := db.Handle().BeginTx(t.Context(), nil)
	if err != nil {
		t.Error(err)
		return
	}
	_, err = tx.ExecContext(t.Context(), `INSERT INTO a (text) VALUES (hex(randomblob(2000)))`)
	if err == nil {
		_, err = tx.ExecContext(t.Context(), `INSERT INTO b SELECT max(n), 'b' FROM a`)
	}
	if err := errors.Join(err, tx.Commit()); err != nil {
		t.Error(err)
	}
}

func count(t *testing.T, db *store.DB) (a, b int) {
	t.Helper()
	if err := db.Handle().QueryRowContext(t.Context(), `SELECT (SELECT COUNT(*) FROM a), (SELECT COUNT(*) FROM b)`).Scan(&a, &b); err != nil {
		t.Fatal(err)
	}
	return a, b
}

// TestCopy_HasTheStateOfOneMoment copies a database while transactions change it.
func TestCopy_HasTheStateOfOneMoment(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a database?.db")
	db := pairs(t, path)
	for range 100 {
		add(t, db)
	}
	done := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				add(t, db)
			}
		}
	})
	last := 100
	for range 5 {
		to := filepath.Join(t.TempDir(), "copy.db")
		if err := sqlite.Copy(t.Context(), path, to); err != nil {
			t.Fatal(err)
		}
		if err := sqlite.Check(t.Context(), to); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the copy has the mode %v, %v", info.Mode(), err)
		}
		copied, err := sqlite.Open(to)
		if err != nil {
			t.Fatal(err)
		}
		a, b := count(t, copied)
		copied.Close()
		if a != b || a < last {
			t.Errorf("the copy has %d and %d rows, want as many of both, and %d or more", a, b, last)
		}
		last = a
	}
	close(done)
	writing.Wait()
}

func TestCopy_ReplacesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gateway.db")
	add(t, pairs(t, path))
	to := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(to, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := sqlite.Copy(t.Context(), path, to); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	none := filepath.Join(t.TempDir(), "none.db")
	if err := sqlite.Copy(t.Context(), none, to+"2"); err == nil {
		t.Error("a missing database was copied")
	}
	if _, err := os.Stat(none); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the copy created the original, %v", err)
	}
}

func TestCheck_FindsDamage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gateway.db")
	db := pairs(t, path)
	for range 100 {
		add(t, db)
	}
	if _, err := db.Handle().ExecContext(t.Context(), `CREATE INDEX a_text ON a (text)`); err != nil {
		t.Fatal(err)
	}
	db.Close()
	if err := sqlite.Check(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := append([]byte(nil), whole...)
	for n := len(damaged) / 2; n < len(damaged)/2+200; n++ {
		damaged[n] ^= 0x55
	}
	for what, text := range map[string][]byte{"changed bytes": damaged, "a part": whole[:len(whole)/2], "another file": []byte(strings.Repeat("text", 1000))} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := sqlite.Check(t.Context(), path); err == nil {
			t.Errorf("%s: no damage was found", what)
		}
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err = sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Handle().ExecContext(t.Context(), `PRAGMA foreign_keys = off; DELETE FROM a WHERE n = 5;`); err != nil {
		t.Fatal(err)
	}
	db.Close()
	if err := sqlite.Check(t.Context(), path); err == nil || !strings.Contains(err.Error(), "1 rows refer") {
		t.Errorf("an orphan: got %v", err)
	}
}
