package webdav

import (
	"errors"
	"hash"
	"io"
	"sync"
)

// A stream is a body that is passed on part by part as it arrives. The beginning
// of the current part is kept, so that it can be sent again if not much of it
// was read. It is safe for concurrent use: the transport may still read a part
// after the call was answered.
type stream struct {
	from io.Reader
	most int64 // bytes of a part that are kept

	mu   sync.Mutex
	kept data  // all of the current part that was read, unless that is more than most
	read int64 // bytes of the current part
	now  *partReader
}

var errReadOn = errors.New("another try reads the body")

// open returns the current part from its beginning, as so many bytes of the
// body. Readers that were opened before end.
func (s *stream) open(size int64) io.Reader {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = &partReader{of: s, size: size}
	return s.now
}

// again reports whether the current part can be opened once more.
func (s *stream) again() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read == s.kept.size()
}

// next begins a part, of which most bytes are kept.
func (s *stream) next(most int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept.reset(most)
	s.read, s.most, s.now = 0, most, nil
}

// take reads on in the body and keeps what was read.
func (s *stream) take(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if s.read == s.kept.size() && s.read+int64(n) <= s.most {
		s.kept.add(p[:n])
	}
	s.read += int64(n)
	return n, err
}

// A partReader reads one part of a stream.
type partReader struct {
	of   *stream
	size int64
	at   int64
}

// Read returns what is kept before it reads on.
func (r *partReader) Read(p []byte) (n int, err error) {
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

// hashed is a body whose hash is taken on its way. It is safe for concurrent
// use.
type hashed struct {
	from io.Reader

	mu  sync.Mutex
	sum hash.Hash
}

// Read reads on, and hashes what it read.
func (h *hashed) Read(p []byte) (int, error) {
	n, err := h.from.Read(p)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sum.Write(p[:n])
	return n, err
}

func (h *hashed) hash() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sum.Sum(nil)
}
