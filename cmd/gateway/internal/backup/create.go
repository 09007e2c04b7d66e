package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/voiceassist/gateway/cmd/gateway/internal/database"
	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/foundation/filelock"
	"github.com/voiceassist/gateway/shared/store/sqlite"
)

// A State is what a backup notes of a database.
type State struct {
	Schema    int64
	AuditHead string // "" if the schema is another one than this gateway's, or there is no event
}

// A Job is a backup to be made.
type Job struct {
	Settings

	Path       string // the new file
	Recipients Recipients
	// Dump is a command that prints a dump of the database server; nil for a backup
	// without it.
	Dump    []string
	Errors  io.Writer // where Dump writes errors
	Version string    // of the gateway
	Now     time.Time
	// Inspect returns the state of the embedded database in a file, or of the database
	// server if file is "".
	Inspect func(ctx context.Context, file string) (State, error)
}

// Create makes the backup and returns what is in it. The gateway may run meanwhile. The
// file gets its name when it is complete and synced; it is readable by the owner only,
// and never replaces another one. Only one backup of a DATA_DIR can run at a time.
func Create(ctx context.Context, j Job) (Manifest, error) {
	if _, err := os.Lstat(j.Path); err == nil {
		return Manifest{}, fmt.Errorf("%s exists, and a backup replaces no file", j.Path)
	}
	dir, base := filepath.Split(j.Path)
	out, err := os.CreateTemp(filepath.Clean(dir+"."), "."+base+".*.partial")
	if err != nil {
		return Manifest{}, err
	}
	m, err := create(ctx, j, out)
	err = errors.Join(err, out.Close())
	if err == nil {
		err = place(out.Name(), j.Path)
	}
	if err != nil {
		return Manifest{}, errors.Join(err, removeIfExists(out.Name()))
	}
	return m, nil
}

func removeIfExists(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// create collects the files of the backup in a folder, since a running gateway changes
// them, and writes the archive.
func create(ctx context.Context, j Job, out *os.File) (m Manifest, err error) {
	staging, done, err := j.stage()
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, done()) }()
	m = Manifest{Format: format, CreatedAt: j.Now.UTC().Truncate(time.Second), Version: j.Version, Engine: Server}
	if j.Embedded {
		m.Engine = Embedded
	}
	state, err := j.collect(ctx, staging)
	if err != nil {
		return m, err
	}
	m.Schema, m.AuditHead = state.Schema, state.AuditHead
	err = filepath.WalkDir(staging, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(staging, path)
		if err != nil {
			return err
		}
		f, err := describe(path, filepath.ToSlash(name))
		m.Files = append(m.Files, f)
		return err
	})
	if err == nil {
		err = pack(ctx, out, m, staging, j.Recipients)
	}
	if err == nil {
		err = out.Sync()
	}
	return m, err
}

// stage returns an empty folder in DATA_DIR, which is as well protected as the data, and
// removes what an interrupted backup left there.
func (j *Job) stage() (dir string, done func() error, err error) {
	dir = filepath.Join(j.Dir, stagingDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	locked, err := filelock.TryLock(f)
	if err == nil && !locked {
		err = fmt.Errorf("another backup of %s is running", j.Dir)
	}
	if err != nil {
		return "", nil, errors.Join(err, f.Close())
	}
	left, err := os.ReadDir(dir)
	for _, entry := range left {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, entry.Name())))
	}
	if err != nil {
		return "", nil, errors.Join(err, f.Close())
	}
	return dir, func() error { return errors.Join(os.RemoveAll(dir), f.Close()) }, nil
}

// collect copies everything into the folder. If the keys change meanwhile, it starts
// again: the backup must have the keys that opened the database when that was copied.
func (j *Job) collect(ctx context.Context, dir string) (State, error) {
	const attempts = 3
	for range attempts {
		before, err := readKeys(j.keys)
		if err != nil {
			return State{}, err
		}
		state, file, err := j.copyDatabase(ctx, dir)
		if err != nil {
			return state, err
		}
		after, err := readKeys(j.keys)
		if err != nil {
			return state, err
		}
		if !bytes.Equal(before, after) {
			if err := removeIfExists(file); err != nil {
				return state, err
			}
			continue
		}
		if after != nil {
			if err := writeFile(filepath.Join(dir, keystore.Name), bytes.NewReader(after)); err != nil {
				return state, err
			}
		}
		for _, name := range others {
			if err := copyAll(ctx, filepath.Join(j.Dir, name), filepath.Join(dir, name)); err != nil {
				return state, err
			}
		}
		return state, nil
	}
	return State{}, errors.New("the keys changed during the backup; try again when no rotation runs")
}

// readKeys returns the content of the key file, or nil if there is none.
func readKeys(f keystore.File) ([]byte, error) {
	text, err := os.ReadFile(f.Path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// copyDatabase copies the database into the folder, and returns the path of the copy.
func (j *Job) copyDatabase(ctx context.Context, dir string) (state State, file string, err error) {
	if j.Embedded {
		file = filepath.Join(dir, database.File)
		if err = sqlite.Copy(ctx, filepath.Join(j.Dir, database.File), file); err == nil {
			err = sqlite.Check(ctx, file)
		}
		if err == nil {
			state, err = j.Inspect(ctx, file)
		}
		return state, file, err
	}
	// The head of the audit trail is read first, so the dump contains it.
	if state, err = j.Inspect(ctx, ""); err != nil || j.Dump == nil {
		return state, "", err
	}
	file = filepath.Join(dir, DumpName)
	w, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return state, "", err
	}
	// The command is the operator's own, and no shell reads it.
	cmd := exec.CommandContext(ctx, j.Dump[0], j.Dump[1:]...)
	cmd.Stdout, cmd.Stderr = w, j.Errors
	if err = cmd.Run(); err != nil {
		err = fmt.Errorf("%s: %w", j.Dump[0], err)
	}
	info, statErr := w.Stat()
	if err = errors.Join(err, statErr, w.Close()); err == nil && info.Size() == 0 {
		err = fmt.Errorf("%s printed no dump", j.Dump[0])
	}
	return state, file, err
}

// copyAll copies the regular files at a path, which need not exist, and below it. Files
// that disappear meanwhile are left out: somebody has processed them.
func copyAll(ctx context.Context, from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && d.Type().IsRegular() {
			var name string
			if name, err = filepath.Rel(from, path); err == nil {
				err = copyFile(path, filepath.Join(to, name))
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}
