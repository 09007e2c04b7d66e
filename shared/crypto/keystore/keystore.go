// Package keystore keeps what a gateway signs with in one file, keys.json: the
// secrets and the signing keys, each with the times that a rotation goes by. One
// file that is replaced as a whole has no state half way: whoever reads it, and
// wherever a write is cut off, there are the keys before or the keys after.
//
// [File] reads and replaces it; [Keys] say which key signs at a time, and what a
// rotation does next. The package makes no keys, and knows nothing about them
// but their times.
package keystore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/filelock"
	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// Name is that of the file in its directory.
const Name = "keys.json"

const (
	maxFile  = 256 << 10             // bytes; a set has some 10 keys of 3 KiB at most
	patience = 10 * time.Second      // how long a rotation waits for another
	retry    = 20 * time.Millisecond // between two looks at the lock
)

// A Set is all that the file holds.
type Set struct {
	Secrets Keys // what JWT_SECRET and JWT_PREVIOUS_SECRETS hold elsewhere
	Data    Keys // what DATA_SECRET and DATA_PREVIOUS_SECRETS hold elsewhere
	Signing Keys // private keys in PEM
}

// A File is the keys.json of one directory. Its methods may be called
// concurrently, by any number of processes on one machine or file system that
// has locks.
type File struct{ path string }

// In returns the file in dir, whether it exists or not.
func In(dir string) File { return File{filepath.Join(dir, Name)} }

// Path returns where the file is.
func (f File) Path() string { return f.path }

// Read returns what is in the file; nothing where there is none. An error does
// not quote what is there.
func (f File) Read() (Set, error) {
	text, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return Set{}, nil
	}
	if err != nil {
		return Set{}, err
	}
	set, err := decode(text)
	if err != nil {
		return Set{}, fmt.Errorf("%s: %w", f.path, err)
	}
	return set, nil
}

// Update replaces the set by what change makes of it, unless that is the same or
// an error. No other Update of the file runs meanwhile; change may take its time.
// After an error, and after a crash at any point, the file is as before or as
// after; when Update returns nil it is on the disk.
func (f File) Update(ctx context.Context, change func(Set) (Set, error)) error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return err
	}
	unlock, err := f.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	before, err := f.Read()
	if err != nil {
		return err
	}
	after, err := change(before)
	if err != nil || reflect.DeepEqual(before, after) {
		return err
	}
	return f.write(after)
}

// lock takes the lock of the file, which is one beside it: the file itself is
// another after each change.
func (f File) lock(ctx context.Context) (unlock func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("%s is locked by another process", f.path))
	defer cancel()
	l, err := os.OpenFile(f.path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		locked, err := filelock.Try(l)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", l.Name(), err), l.Close())
		}
		if locked {
			return func() { _ = l.Close() }, nil // which gives the lock back
		}
		select {
		case <-time.After(retry):
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), l.Close())
		}
	}
}

// write replaces the file. The draft has one name, so that one that a crash left
// behind, with keys in it, does not stay.
func (f File) write(set Set) error {
	draft := f.path + ".new"
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	w, err := os.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = w.Write(encode(set))
	if err := errors.Join(err, w.Sync(), w.Close()); err != nil {
		return errors.Join(err, os.Remove(draft))
	}
	if err := os.Rename(draft, f.path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// The file as it is kept. Times are those of RFC 3339.
type (
	storedSet struct {
		Secrets []storedKey `json:"secrets,omitempty"`
		Data    []storedKey `json:"data_secrets,omitempty"`
		Signing []storedKey `json:"signing_keys,omitempty"`
	}
	storedKey struct {
		Key       string    `json:"key"`
		Published time.Time `json:"published"`
		Signs     time.Time `json:"signs,omitzero"`
	}
)

func encode(set Set) []byte {
	store := func(keys Keys) []storedKey {
		var list []storedKey
		for _, k := range keys {
			list = append(list, storedKey{k.Text.Reveal(), k.Published.UTC(), k.Signs.UTC()})
		}
		return list
	}
	text, err := json.MarshalIndent(storedSet{store(set.Secrets), store(set.Data), store(set.Signing)}, "", "  ")
	if err != nil {
		panic("keystore: encode: " + err.Error()) // strings, and times of this age
	}
	return append(text, '\n')
}

func decode(text []byte) (Set, error) {
	if len(text) > maxFile {
		return Set{}, fmt.Errorf("is longer than %d bytes", maxFile)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var s storedSet
	if d.Decode(&s) != nil || d.More() { // whose error may quote a key
		return Set{}, errors.New("is not JSON in the format of `gateway keys`")
	}
	load := func(list []storedKey) Keys {
		var keys Keys
		for _, k := range list {
			keys = append(keys, Key{secret.String(k.Key), k.Published, k.Signs})
		}
		return keys
	}
	set := Set{load(s.Secrets), load(s.Data), load(s.Signing)}
	return set, errors.Join(set.Secrets.check("secrets"), set.Data.check("data_secrets"), set.Signing.check("signing_keys"))
}
