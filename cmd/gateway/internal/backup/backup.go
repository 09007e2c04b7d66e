// Package backup saves what a gateway stores into one file, and restores it into an empty
// place.
//
// A backup is a tar archive, compressed with gzip and encrypted with age on request. Its
// first file is the [Manifest], which names the others with their checksums. So a backup
// can be checked, and in an emergency be read with age and tar alone.
//
// Begin with [Create] and [Restore].
package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/voiceassist/gateway/cmd/gateway/internal/database"
	"github.com/voiceassist/gateway/cmd/gateway/internal/keys"
	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

// The names of files in a backup. Other names are those in DATA_DIR.
const (
	manifestName = "manifest.json"
	// DumpName is the file with a dump of the database server.
	DumpName = "gateway.dump"
)

// format is the version of the format of backups. Older gateways refuse newer formats.
const format = 1

// Engines of the database of a backup.
const (
	Embedded = "sqlite"
	Server   = "postgres"
)

// A Manifest describes a backup.
type Manifest struct {
	Format    int       `json:"format"`
	CreatedAt time.Time `json:"created_at"`
	Version   string    `json:"gateway_version"`
	Engine    string    `json:"engine"`         // Embedded or Server
	Schema    int64     `json:"schema_version"` // 0 if the database has no schema yet
	AuditHead string    `json:"audit_head"`     // PLACE:HASH of an event that the audit trail contains; "" for none
	Files     []File    `json:"files"`          // without the manifest
}

// A File is a file of a backup.
type File struct {
	Name   string `json:"name"` // with slashes
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Has reports whether the backup has the file.
func (m Manifest) Has(name string) bool {
	for _, f := range m.Files {
		if f.Name == name {
			return true
		}
	}
	return false
}

// Bytes returns the size of all files.
func (m Manifest) Bytes() (n int64) {
	for _, f := range m.Files {
		n += f.Bytes
	}
	return n
}

// Settings say where a gateway stores its data.
type Settings struct {
	Dir      string // DATA_DIR
	Embedded bool   // the database is in Dir

	keys keystore.File
}

// Load loads DATA_DIR, JWT_KEYS_DIR and whether DATABASE_URL is set.
func (s *Settings) Load(r setting.Reader) {
	s.Dir = r.String("DATA_DIR", ".data")
	s.keys = keystore.In(r.String("JWT_KEYS_DIR", s.Dir))
	s.Embedded = r.Secret("DATABASE_URL") == ""
}

// path returns where a file of a backup belongs.
func (s *Settings) path(name string) string {
	if name == keystore.Name {
		return s.keys.Path()
	}
	return filepath.Join(s.Dir, filepath.FromSlash(name))
}

// Files and folders of DATA_DIR in a backup, besides the database and the key file: the
// secret of a gateway before its first start with a key file, the generated certificate,
// and mails that nobody has sent.
var others = []string{keys.LegacyFile, "tls", "mail"} //nolint:gochecknoglobals // a list of names

// Folders in DATA_DIR.
const (
	stagingDir   = ".backup"          // what a running backup copied
	restoringDir = database.Restoring // what a running restore has not put into place yet
)

// describe returns the size and the checksum of a file.
func describe(path, name string) (File, error) {
	r, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer r.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, r)
	return File{Name: name, Bytes: n, SHA256: hex.EncodeToString(sum.Sum(nil))}, err
}

// copyFile copies a regular file to a new one, with its folder, readable by the owner
// only, and syncs it.
func copyFile(from, to string) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	return writeFile(to, r)
}

// writeFile writes r to a new file, with its folder, and syncs it. It leaves no file
// after an error.
func writeFile(path string, r io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	if err := errors.Join(err, w.Sync(), w.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// syncDir makes the names in a folder survive a crash.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// place moves the file to a new name, or copies it if it must go to another file system.
// It never replaces a file: unlike a rename, a link fails if the name exists.
func place(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	err := os.Link(from, to)
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s exists", to)
	case err != nil: // this file system has no links
		err = copyFile(from, to)
	}
	if err != nil {
		return err
	}
	return errors.Join(os.Remove(from), syncDir(filepath.Dir(to)))
}
