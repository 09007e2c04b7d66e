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

// An Upload is a file to be stored.
type Upload struct {
	Body        io.Reader
	Size        int64  // bytes of the body; -1 when unknown
	IfMatch     string // the header, as RFC 9110 section 13.1.1 has it; "" for no condition
	IfNoneMatch string // the header, as RFC 9110 section 13.1.2 has it; "" for no condition

	// Confirm is asked once, when the body has arrived and before the file appears.
	// Its error ends the upload and is what Put returns. Nil confirms everything.
	Confirm func() error
}

// A Stored file is what became of an [Upload].
type Stored struct {
	ETag    string
	Created bool // nothing was there before
}

// Put stores a file at p: all of it or nothing, and until it is there whole,
// what was there stays readable. A new file goes up in one request, as the
// server makes it appear when it is complete. One that replaces another goes up
// beside it, in chunks, since the server would overwrite it in place and lose
// both when the line breaks; so does one of unknown or great size. Chunks of
// known size are passed on as they arrive: one that breaks off is sent again as
// long as all that was read of it is in memory ([Config.Buffer]), and ends the
// upload otherwise. Before a large file goes up in chunks, the server is asked
// whether there is room for it and nobody is writing it.
//
// Errors are [ErrNoParent], [ErrIsFolder], [ErrPrecondition], [ErrQuota],
// [ErrLocked], [ErrTooLarge], [ErrSource], [ErrCorrupted] and those of every
// call. After one without a status it is open whether the file was stored; the
// same call settles it. ETags change with the second only, so conditions do not
// protect from what happens within one.
func (f *Folder) Put(ctx context.Context, p Path, u Upload) (Stored, error) {
	const op = "put"
	if p.IsRoot() {
		return Stored{}, &Error{Op: op, Kind: ErrIsFolder}
	}
	there, err := f.Stat(ctx, p)
	exists := err == nil
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		return Stored{}, err
	case exists && there.Folder:
		return Stored{}, &Error{Op: op, Kind: ErrIsFolder}
	case !u.holds(there, exists):
		return Stored{}, &Error{Op: op, Kind: ErrPrecondition}
	}
	from := &source{body: u.Body, size: u.Size}
	if exists || u.Size < 0 || u.Size > f.client.Whole {
		return f.putChunks(ctx, p, u, from, there, exists)
	}
	stored, err := f.putWhole(ctx, p, u, from)
	if from.untouched() && u.Size > 0 && (errors.Is(err, ErrTooLarge) || errors.Is(err, ErrPrecondition) && u.IfNoneMatch == "") {
		// What stands before the server takes no such body, or somebody made the
		// file meanwhile; nothing of ours is on its way yet.
		return f.putChunks(ctx, p, u, from, Entry{}, errors.Is(err, ErrPrecondition))
	}
	if errors.Is(err, ErrPrecondition) && u.IfNoneMatch == "" {
		err = &Error{Op: op, Kind: ErrLocked, Status: http.StatusPreconditionFailed, RetryAfter: time.Second}
	}
	return stored, err
}

// putWhole stores a new file in one request.
func (f *Folder) putWhole(ctx context.Context, p Path, u Upload, from *source) (Stored, error) {
	const op = "put"
	header := http.Header{"If-None-Match": {"*"}, "X-Hash": {"sha256"}}
	if u.Size >= worthAsking {
		header.Set("Expect", "100-continue")
	}
	from.hash, from.confirm = sha256.New(), u.confirm
	if u.Size == 0 { // there is no last byte to hold back
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
		return Stored{}, f.takeBack(ctx, p, resp.Header.Get("Etag"))
	}
	return Stored{ETag: resp.Header.Get("Etag"), Created: true}, nil
}

// worthAsking is the size, in bytes, from which on a body waits until the
// server wants it.
const worthAsking = 1 << 20

// sameHash compares what the server hashed with what we sent. A server that
// does not say proves nothing, and is believed.
func sameHash(h http.Header, sent []byte) bool {
	theirs := h.Get("X-Hash-Sha256")
	return theirs == "" || strings.EqualFold(theirs, hex.EncodeToString(sent))
}

// takeBack removes what did not arrive as it was sent, unless it was changed
// since.
func (f *Folder) takeBack(ctx context.Context, p Path, etag string) error {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	err := f.Delete(ctx, p, etag)
	return &Error{Op: "put", Kind: ErrCorrupted, Status: http.StatusCreated, cause: err}
}

// afterwards is for what must be done though the caller may have gone.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
}

// confirm asks [Upload.Confirm].
func (u Upload) confirm() error {
	if u.Confirm == nil {
		return nil
	}
	return u.Confirm()
}

// holds reports whether the conditions allow to store over what is there.
func (u Upload) holds(there Entry, exists bool) bool {
	if u.IfMatch != "" && (!exists || !lists(u.IfMatch, there.ETag, false)) {
		return false
	}
	return u.IfNoneMatch == "" || !exists || !lists(u.IfNoneMatch, there.ETag, true)
}

// lists reports whether a list of entity tags holds one, by the weak or the
// strong comparison (RFC 9110 section 8.8.3.2). A star holds every one.
func lists(header, etag string, weak bool) bool {
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

// A source is the body of an upload: counted, hashed, and held to its size. The
// transport may still read it after a call was answered.
type source struct {
	body io.Reader
	size int64 // -1 when unknown

	// confirm is asked before the last byte is handed out; nil where something
	// else makes the file appear.
	confirm func() error

	mu      sync.Mutex
	read    int64
	hash    hash.Hash // nil where each part is hashed by itself
	err     error     // what was wrong with the body
	refused error     // by confirm
}

var errShort = errors.New("it ended before the size that was told")

// Read reads the body. A fault of it is [ErrSource]. The last bytes are returned
// once the upload is confirmed: without them, the server keeps nothing.
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

// arrived returns how much of the body is there with n more bytes.
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

// blame says whose fault a failure was: a server that sees the body break off
// says that the request is bad.
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
