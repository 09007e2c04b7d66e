package webdav

import (
	"errors"
	"hash"
	"io"
	"sync"
)

// A replayReader passes on a body chunk by chunk as it arrives. It keeps the start of the
// current chunk, so that the chunk can be sent again if not much of it was read. It is safe
// for concurrent use: the transport may still read a chunk after the response.
type replayReader struct {
	from  io.Reader
	limit int64 // bytes of a chunk that are kept

	mu   sync.Mutex
	kept buffer // all that was read of the current chunk, unless it exceeds limit
	read int64  // bytes of the current chunk
	now  *replay
}

var errReadOn = errors.New("another try reads the body")

// open returns a reader of the current chunk from its start, with size bytes. Earlier
// readers end.
func (s *replayReader) open(size int64) io.Reader {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = &replay{of: s, size: size}
	return s.now
}

// again reports whether the current chunk can be opened again.
func (s *replayReader) again() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read == s.kept.size()
}

// next starts the next chunk, of which up to limit bytes are kept.
func (s *replayReader) next(limit int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept.reset(limit)
	s.read, s.limit, s.now = 0, limit, nil
}

// take reads from the body and keeps the data.
func (s *replayReader) take(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if s.read == s.kept.size() && s.read+int64(n) <= s.limit {
		s.kept.add(p[:n])
	}
	s.read += int64(n)
	return n, err
}

// A replay reads one chunk of a replayReader.
type replay struct {
	of   *replayReader
	size int64
	at   int64
}

// Read returns the kept data first, then reads from the body.
func (r *replay) Read(p []byte) (n int, err error) {
	s := r.of
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.now != r, r.at < s.read && s.read != s.kept.size():
		return 0, errReadOn
	case r.at == r.size:
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), r.size-r.at)]
	if r.at < s.read {
		n = s.kept.copyTo(p, r.at)
	} else {
		n, err = s.take(p)
	}
	r.at += int64(n)
	if errors.Is(err, io.EOF) && r.at < r.size {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// A hashingReader hashes what it reads. It is safe for concurrent use.
type hashingReader struct {
	from io.Reader

	mu  sync.Mutex
	sum hash.Hash
}

// Read reads and hashes.
func (h *hashingReader) Read(p []byte) (int, error) {
	n, err := h.from.Read(p)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sum.Write(p[:n])
	return n, err
}

func (h *hashingReader) hash() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sum.Sum(nil)
}
