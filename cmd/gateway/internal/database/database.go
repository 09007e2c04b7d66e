// Package database opens the database of the binary: PostgreSQL, or an embedded
// SQLite if no setting names a server. Begin with [Settings].
package database

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/migrations"
	"github.com/voiceassist/gateway/shared/store/postgres"
	"github.com/voiceassist/gateway/shared/store/sqlite"
)

// File is the name of the embedded database in DATA_DIR.
const File = "gateway.db"

// Restoring is the name of a folder in DATA_DIR. While it exists, a backup is being
// restored, or a restore was interrupted.
const Restoring = ".restore"

// Settings name the database.
type Settings struct {
	Embedded bool // SQLite in DATA_DIR, since DATABASE_URL is unset

	dir    string // of the embedded database
	logins signin.Lifetimes
	server postgres.Settings
}

// Load loads DATA_DIR, how long logins last, and unless the database is embedded,
// the settings of PostgreSQL.
func (s *Settings) Load(r setting.Reader) {
	if s.loadEmbedded(r); !s.Embedded {
		s.server.Conns = postgres.ServerConns
		s.server.Load(r)
	}
}

func (s *Settings) loadEmbedded(r setting.Reader) {
	s.dir = r.String("DATA_DIR", ".data")
	s.logins.Load(r)
	s.Embedded = r.Secret("DATABASE_URL") == ""
}

// MailFolder returns where mails become files unless a setting says otherwise: a folder
// beside the embedded database, or "" with a database server.
func (s *Settings) MailFolder() string {
	if !s.Embedded {
		return ""
	}
	return filepath.Join(s.dir, "mail")
}

// Open opens the database, and migrates it if it is embedded. waiting is called
// with a line for people while the migration waits for a lock. The caller closes
// the database.
func (s *Settings) Open(ctx context.Context, waiting func(line string)) (*store.DB, error) {
	if !s.Embedded {
		return s.server.Open(), nil
	}
	db, err := s.openEmbedded()
	if err != nil {
		return nil, err
	}
	if _, err := migrations.Up(ctx, db, migrations.LockWait{Report: waiting}); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// openEmbedded opens the embedded database without migrating it.
func (s *Settings) openEmbedded() (*store.DB, error) {
	if _, err := os.Lstat(filepath.Join(s.dir, Restoring)); err == nil {
		return nil, fmt.Errorf("%s contains %s: a backup is being restored, or its restore did not finish; then empty the folder, and restore again",
			s.dir, Restoring)
	}
	db, err := sqlite.Open(filepath.Join(s.dir, File))
	if err != nil {
		return nil, err
	}
	db.SetLoginLifetime(s.logins.Absolute)
	return db, nil
}

// DirectSettings are [Settings] for migrations, which need a connection that does
// not pass through a pooler.
type DirectSettings struct {
	Settings

	direct postgres.DirectSettings
}

// Load loads the settings. The database is embedded only if neither DATABASE_URL
// nor MIGRATE_DATABASE_URL is set.
func (s *DirectSettings) Load(r setting.Reader) {
	s.loadEmbedded(r)
	if s.Embedded = s.Embedded && r.Secret("MIGRATE_DATABASE_URL") == ""; !s.Embedded {
		s.direct.Load(r)
	}
}

// Open opens the database without migrating it, so it never calls its second
// argument. The caller closes the database.
func (s *DirectSettings) Open(context.Context, func(line string)) (*store.DB, error) {
	if !s.Embedded {
		return s.direct.Open(), nil
	}
	return s.openEmbedded()
}

// CheckSchema returns an error that says what to do if the schema is older than this
// binary needs.
func CheckSchema(ctx context.Context, db *store.DB) error {
	version, err := db.Schema(ctx)
	if err == nil && version < store.SchemaVersion {
		err = errors.New("the database's " + store.DescribeOutdated(version))
	}
	return err
}
