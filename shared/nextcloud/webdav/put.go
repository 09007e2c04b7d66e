package webdav

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// An Upload is a file to store.
type Upload struct {
	Body        io.Reader
	Size        int64  // of the body in bytes; -1 if unknown
	IfMatch     string // as in RFC 9110 section 13.1.1; "" for no condition
	IfNoneMatch string // as in RFC 9110 section 13.1.2; "" for no condition

	// Confirm is called after the body has arrived and before the file appears, and again
	// if the file takes another request. Its error ends the upload, and Put returns it. Nil
	// confirms everything.
	Confirm func() error
}

// A Stored is the result of an [Upload].
type Stored struct {
	ETag    string
	Created bool // there was no file before
}

// Put stores a file at p, completely or not at all. Until then, an existing file stays
// readable. A new file is uploaded in one request, since the server publishes it only when
// it is complete. A small one takes no other request: see small.go. A file that replaces
// another is uploaded in chunks, since the server would
// overwrite the old one in place, and lose both if the connection breaks; so is a file of
// unknown or very large size. Chunks of known size are passed on as they arrive: one that
// breaks off is sent again if all that was read of it is in memory ([Config.BufferSize]),
// and ends the upload otherwise. Before a large upload in chunks, Put checks that the
// storage has room and that the file is not locked.
//
// Errors are [ErrNoParent], [ErrIsFolder], [ErrPrecondition], [ErrQuota], [ErrLocked],
// [ErrTooLarge], [ErrSource], [ErrCorrupted] and those of every call. After an error without
// a status the file may have been stored; the same call can be repeated. ETags have a
// resolution of one second, so conditions do not detect changes within the same second.
func (f *Folder) Put(ctx context.Context, p Path, u Upload) (Stored, error) {
	const op = "put"
	if p.IsRoot() {
		return Stored{}, &Error{Op: op, Kind: ErrIsFolder}
	}
	if u.isSmall() {
		return f.putSmall(ctx, p, u)
	}
	there, exists, err := f.target(ctx, p, u)
	if err != nil {
		return Stored{}, err
	}
	from := &source{body: u.Body, size: u.Size}
	if exists || u.Size < 0 || u.Size > f.client.MaxWhole {
		return f.putChunks(ctx, p, u, from, there, exists)
	}
	stored, err := f.putWhole(ctx, p, u, from)
	if from.untouched() && u.Size > 0 && (errors.Is(err, ErrTooLarge) || errors.Is(err, ErrPrecondition) && u.IfNoneMatch == "") {
		// A proxy in front of the server rejects such large bodies, or another client has
		// just created the file. Nothing of the body has been read yet.
		return f.putChunks(ctx, p, u, from, Entry{}, errors.Is(err, ErrPrecondition))
	}
	if errors.Is(err, ErrPrecondition) && u.IfNoneMatch == "" {
		err = &Error{Op: op, Kind: ErrLocked, Status: http.StatusPreconditionFailed, RetryAfter: time.Second}
	}
	return stored, err
}

// target returns what exists at p, unless that rules the upload out.
func (f *Folder) target(ctx context.Context, p Path, u Upload) (there Entry, exists bool, err error) {
	there, err = f.Stat(ctx, p)
	exists = err == nil
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		return Entry{}, false, err
	case exists && there.Folder:
		return Entry{}, false, &Error{Op: "put", Kind: ErrIsFolder}
	case !u.allows(there, exists):
		return Entry{}, false, &Error{Op: "put", Kind: ErrPrecondition}
	}
	return there, exists, nil
}

// putWhole stores a new file in one request.
func (f *Folder) putWhole(ctx context.Context, p Path, u Upload, from *source) (Stored, error) {
	const op = "put"
	header := http.Header{"If-None-Match": {"*"}, "X-Hash": {"sha256"}}
	if u.Size >= minExpect {
		header.Set("Expect", "100-continue")
	}
	from.hash, from.confirm = sha256.New(), u.confirm
	if u.Size == 0 { // there is no last byte to withhold
		if err := u.confirm(); err != nil {
			return Stored{}, err
		}
	}
	resp, err := f.run(ctx, call{
		op: op, method: http.MethodPut, url: f.of(p), header: header, body: from, size: u.Size,
		ok:    []int{http.StatusCreated, http.StatusNoContent},
		kinds: map[int]error{http.StatusNotFound: ErrNoParent, http.StatusConflict: ErrIsFolder},
	})
	if err != nil {
		return Stored{}, from.blame(op, err)
	}
	if !sameHash(resp.Header, from.sum()) {
		return Stored{}, f.removeCorrupted(ctx, p, resp.Header.Get("Etag"))
	}
	return Stored{ETag: resp.Header.Get("Etag"), Created: true}, nil
}

// minExpect is the size, in bytes, from which a request waits for the server's 100 Continue
// before it sends the body.
const minExpect = 1 << 20

// sameHash compares the server's hash with that of the data that was sent. It accepts a
// response without a hash.
func sameHash(h http.Header, sent []byte) bool {
	theirs := h.Get("X-Hash-Sha256")
	return theirs == "" || strings.EqualFold(theirs, hex.EncodeToString(sent))
}

// removeCorrupted removes a file that arrived corrupted, unless it changed since.
func (f *Folder) removeCorrupted(ctx context.Context, p Path, etag string) error {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	err := f.Delete(ctx, p, etag)
	return &Error{Op: "put", Kind: ErrCorrupted, Status: http.StatusCreated, cause: err}
}

// afterwards returns a context for cleaning up after ctx has ended.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
}

// confirm calls [Upload.Confirm].
func (u Upload) confirm() error {
	if u.Confirm == nil {
		return nil
	}
	return u.Confirm()
}

// allows reports whether the conditions allow the upload to replace what exists.
func (u Upload) allows(there Entry, exists bool) bool {
	if u.IfMatch != "" && (!exists || !matches(u.IfMatch, there.ETag, false)) {
		return false
	}
	return u.IfNoneMatch == "" || !exists || !matches(u.IfNoneMatch, there.ETag, true)
}

// matches reports whether a list of entity tags contains etag, by the weak or the strong
// comparison (RFC 9110 section 8.8.3.2). A star matches every tag.
func matches(header, etag string, weak bool) bool {
	if strings.TrimSpace(header) == "*" {
		return true
	}
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimSpace(tag)
		if weak {
			tag, etag = strings.TrimPrefix(tag, "W/"), strings.TrimPrefix(etag, "W/")
		}
		if tag == etag && !strings.HasPrefix(tag, "W/") && tag != "" {
			return true
		}
	}
	return false
}

// A source is the body of an upload. It counts and hashes the data and checks the size. The
// transport may still read it after the response.
type source struct {
	body io.Reader
	size int64 // -1 if unknown

	// confirm is called before the last byte is returned; nil if another request publishes
	// the file.
	confirm func() error

	mu      sync.Mutex
	read    int64
	hash    hash.Hash // nil if each chunk is hashed separately
	err     error     // of reading the body
	refused error     // error of confirm
}

var errShort = errors.New("it ended before the size that was told")

// Read reads the body. Its errors are [ErrSource]. It returns the last bytes only after the
// upload is confirmed: without them, the server stores nothing.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	if n > 0 && s.confirm != nil && s.arrived(n) == s.size {
		if refused := s.confirm(); refused != nil {
			return 0, s.refuse(refused)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read += int64(n)
	if s.hash != nil {
		s.hash.Write(p[:n])
	}
	switch {
	case err == nil:
	case !errors.Is(err, io.EOF):
		s.err = errors.Join(ErrSource, err)
		err = s.err
	case s.size >= 0 && s.read < s.size:
		s.err = errors.Join(ErrSource, errShort)
		err = s.err
	}
	return n, err
}

// arrived returns how many bytes of the body have been read, with n more.
func (s *source) arrived(n int) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read + int64(n)
}

func (s *source) refuse(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = err
	return err
}

func (s *source) untouched() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read == 0 && s.err == nil
}

func (s *source) sum() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hash.Sum(nil)
}

// blame returns the cause of a failed upload: if reading the body failed, the server only
// reports a bad request.
func (s *source) blame(op string, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused != nil {
		return s.refused
	}
	if s.err == nil {
		return err
	}
	e, _ := errors.AsType[*Error](err)
	return &Error{Op: op, Kind: ErrSource, Status: e.Status, cause: s.err}
}
