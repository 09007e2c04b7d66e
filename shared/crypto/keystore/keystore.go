// Package keystore stores the generated keys of a gateway in one file, keys.json:
// secrets and signing keys, each with the times that a rotation needs. The file
// is replaced as a whole. A reader, or a process that starts after a crash, finds
// either the old keys or the new ones.
//
// [File] reads and replaces the file. [Keys] decide which key signs at a given
// time, and what the next step of a rotation is. The package does not generate
// keys, and does not depend on their format.
//
// Begin with [File.Update] and [Keys.Next].
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

// Name is the name of the file in its directory.
const Name = "keys.json"

const (
	maxFile     = 256 << 10             // bytes; a set has about 10 keys of at most 3 KiB
	lockTimeout = 10 * time.Second      // how long a rotation waits for another one
	lockRetry   = 20 * time.Millisecond // between two attempts to take the lock
)

// A Set is the content of the file.
type Set struct {
	Secrets Keys // used if JWT_SECRET is not set
	Data    Keys // used if DATA_SECRET is not set
	Signing Keys // private keys in PEM
}

// A File is the keys.json of one directory. It is safe for concurrent use, also by
// several processes if the file system supports locks.
type File struct{ path string }

// In returns the file in dir, which need not exist.
func In(dir string) File { return File{filepath.Join(dir, Name)} }

// Path returns the path of the file.
func (f File) Path() string { return f.path }

// Read returns the content of the file, or an empty set if it does not exist.
// Errors do not quote the content.
func (f File) Read() (Set, error) {
	text, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return Set{}, nil
	}
	if err != nil {
		return Set{}, err
	}
	set, err := unmarshal(text)
	if err != nil {
		return Set{}, fmt.Errorf("%s: %w", f.path, err)
	}
	return set, nil
}

// Update replaces the set with the result of change. It writes nothing if change
// returns an error or an equal set. The file is locked during the call, and change
// may be slow; another Update gives up after 10 seconds. After an error or a crash
// the file contains either the old set or the new one. When Update returns nil, the
// new set has been synced to disk.
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

// lock takes the lock, which is a separate file: an update replaces keys.json, and
// a lock on the old file would not exclude anybody.
func (f File) lock(ctx context.Context) (unlock func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lockTimeout, fmt.Errorf("%s is locked by another process", f.path))
	defer cancel()
	l, err := os.OpenFile(f.path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		locked, err := filelock.TryLock(l)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", l.Name(), err), l.Close())
		}
		if locked {
			return func() { _ = l.Close() }, nil // closing releases the lock
		}
		select {
		case <-time.After(lockRetry):
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), l.Close())
		}
	}
}

// write replaces the file. The temporary file has a fixed name, so that the next
// write removes one that a crash left behind: it contains keys.
func (f File) write(set Set) error {
	temp := f.path + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	w, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = w.Write(marshal(set))
	if err := errors.Join(err, w.Sync(), w.Close()); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := os.Rename(temp, f.path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// The JSON form of the file. Times have the format of RFC 3339.
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

func marshal(set Set) []byte {
	store := func(keys Keys) []storedKey {
		var list []storedKey
		for _, k := range keys {
			list = append(list, storedKey{k.Text.Reveal(), k.Published.UTC(), k.Signs.UTC()})
		}
		return list
	}
	text, err := json.MarshalIndent(storedSet{store(set.Secrets), store(set.Data), store(set.Signing)}, "", "  ")
	if err != nil {
		panic("keystore: marshal: " + err.Error()) // strings, and times with years of four digits
	}
	return append(text, '\n')
}

func unmarshal(text []byte) (Set, error) {
	if len(text) > maxFile {
		return Set{}, fmt.Errorf("is longer than %d bytes", maxFile)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var s storedSet
	if d.Decode(&s) != nil || d.More() { // the error is dropped: it may quote a key
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
	return set, errors.Join(set.Secrets.validate("secrets"), set.Data.validate("data_secrets"), set.Signing.validate("signing_keys"))
}
