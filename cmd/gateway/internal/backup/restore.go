package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/voiceassist/gateway/cmd/gateway/internal/database"
	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/store"
)

// A Source is a backup to be restored, and the place where.
type Source struct {
	Settings

	Path       string
	Identities Identities
	// Verify checks the files of the backup in a folder: that the keys open the database,
	// and that the audit trail is complete.
	Verify func(ctx context.Context, dir string, m Manifest) error
}

// Plan checks the backup completely, in a temporary folder, and returns the files that
// Restore would write. The error says why it would refuse. Plan changes nothing.
func Plan(ctx context.Context, s Source) (m Manifest, files []string, err error) {
	dir, err := os.MkdirTemp("", "gateway-restore-")
	if err != nil {
		return m, nil, fmt.Errorf("%w; TMPDIR can name another folder", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	m, err = s.open(ctx, dir)
	if err == nil {
		err = s.checkEmpty()
	}
	for _, f := range m.Files {
		files = append(files, s.path(f.Name))
	}
	return m, files, err
}

// Restore checks the backup completely and then puts its files into place. DATA_DIR must
// be empty or missing. Before that, and after an error, there is nothing but the folder
// .restore, which prevents the start of a gateway; Restore removes it unless the process
// is killed.
func Restore(ctx context.Context, s Source) (m Manifest, err error) {
	if err := s.checkEmpty(); err != nil {
		return m, err
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return m, err
	}
	dir := filepath.Join(s.Dir, restoringDir)
	if err := os.Mkdir(dir, 0o700); err != nil { // it fails if another restore has begun
		return m, err
	}
	var placed []string
	defer func() {
		if err != nil {
			for _, path := range placed {
				err = errors.Join(err, os.Remove(path))
			}
		}
		err = errors.Join(err, os.RemoveAll(dir), syncDir(s.Dir))
	}()
	if m, err = s.open(ctx, dir); err != nil {
		return m, err
	}
	// A check that did not close the database would leave writes behind in its log.
	if info, err := os.Stat(filepath.Join(dir, database.File+"-wal")); err == nil && info.Size() > 0 {
		return m, errors.New("the restored database is still in use")
	}
	for _, f := range m.Files {
		if err := place(filepath.Join(dir, filepath.FromSlash(f.Name)), s.path(f.Name)); err != nil {
			return m, err
		}
		placed = append(placed, s.path(f.Name))
	}
	return m, nil
}

// open unpacks the backup into dir and checks it.
func (s *Source) open(ctx context.Context, dir string) (Manifest, error) {
	m, err := unpack(ctx, s.Path, dir, s.Identities, s.admit)
	if err == nil {
		err = s.Verify(ctx, dir, m)
	}
	return m, err
}

// admit returns an error if the backup does not suit this gateway and its settings.
func (s *Source) admit(m Manifest) error {
	switch {
	case m.Schema > store.SchemaVersion:
		return fmt.Errorf("the backup has schema version %d of gateway %s; this gateway knows versions up to %d: use that version or a newer one",
			m.Schema, m.Version, store.SchemaVersion)
	case m.Engine == Embedded && !s.Embedded:
		return errors.New("the backup has an embedded database, but DATABASE_URL is set")
	case m.Engine == Server && s.Embedded:
		return errors.New("the backup is of a gateway with a database server, but DATABASE_URL is not set")
	}
	return nil
}

// checkEmpty returns an error that names what is in the place already.
func (s *Source) checkEmpty() error {
	entries, err := os.ReadDir(s.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var names []string
	for _, entry := range entries {
		if entry.Name() == restoringDir {
			return fmt.Errorf("%s contains %s of a restore that did not finish: empty the folder", s.Dir, restoringDir)
		}
		if entry.Name() != "lost+found" { // of an empty volume
			names = append(names, entry.Name())
		}
	}
	if len(names) > 0 {
		const shown = 3
		more := ""
		if len(names) > shown {
			names, more = names[:shown], ", …"
		}
		return fmt.Errorf("%s is not empty: it contains %s%s; move it away first", s.Dir, strings.Join(names, ", "), more)
	}
	keys := s.path(keystore.Name)
	if _, err := os.Lstat(keys); err == nil {
		return fmt.Errorf("%s exists; move it away first", keys)
	}
	return nil
}
