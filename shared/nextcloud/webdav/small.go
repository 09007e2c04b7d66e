package webdav

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"io"
	"sync/atomic"

	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

// maxSmall is the size, in bytes, up to which a body is read before it is sent. It can then
// be sent again, and a slow sender does not keep a process of the server waiting.
const maxSmall = 256 << 10

func (u Upload) isSmall() bool { return u.Size >= 0 && u.Size <= maxSmall }

// putSmall reads a small body into memory, and sends it as a new file at once, without asking
// first whether there is one. The server refuses that if there is. Then putSmall sends it as
// one chunk, which replaces the file.
func (f *Folder) putSmall(ctx context.Context, p Path, u Upload) (stored Stored, err error) {
	content := make([]byte, u.Size)
	if _, err := io.ReadFull(u.Body, content); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errShort
		}
		return Stored{}, &Error{Op: "put", Kind: ErrSource, cause: errors.Join(ErrSource, err)}
	}
	from := func() *source { return &source{body: bytes.NewReader(content), size: u.Size} }
	if u.IfMatch == "" && !f.client.replaced.has(f, p) { // or it most likely exists
		stored, err = f.putWhole(ctx, p, u, from())
		isLost := wasLost(ctx, err)
		if u.IfNoneMatch == "*" || !isLost && !errors.Is(err, ErrPrecondition) {
			return stored, err
		}
		if !isLost {
			f.client.replaced.add(f, p)
		}
	}
	return f.upload(ctx, p, u, from(), func(up chunkedUpload) (there Entry, exists bool, err error) {
		begun := make(chan error, 1)
		go func() { begun <- up.begin(ctx) }() // takes as long as to ask what exists
		there, exists, err = f.target(ctx, p, u)
		return there, exists, cmp.Or(err, <-begun)
	})
}

// wasLost reports whether err is that of a connection that broke before the response.
func wasLost(ctx context.Context, err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == 0 && errors.Is(e.Kind, ocs.ErrUnavailable) && !errors.Is(err, errSlow) && ctx.Err() == nil
}

// A pathSet remembers paths of files that existed when they were uploaded, until another
// path takes their place. It only saves a request that would be refused, so errors of it do
// no harm. It is safe for concurrent use.
type pathSet struct {
	seed  maphash.Seed
	paths [4096]atomic.Uint64 // hashes
}

func newPathSet() *pathSet { return &pathSet{seed: maphash.MakeSeed()} }

func (s *pathSet) has(f *Folder, p Path) bool {
	place, hash := s.place(f, p)
	return place.Load() == hash
}

func (s *pathSet) add(f *Folder, p Path) {
	place, hash := s.place(f, p)
	place.Store(hash)
}

func (s *pathSet) place(f *Folder, p Path) (*atomic.Uint64, uint64) {
	hash := maphash.Comparable(s.seed, [2]string{f.user, p.Escaped()})
	return &s.paths[hash%uint64(len(s.paths))], hash
}
