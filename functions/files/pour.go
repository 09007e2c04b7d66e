package files

import (
	"errors"
	"io"
	"sync"
	"time"
)

const (
	pourSize = 128 << 10            // bytes that are written together
	pourTime = 5 * time.Millisecond // after which less is, where no more came
)

// vessels are what content is poured with.
var vessels = sync.Pool{New: func() any { return new([pourSize]byte) }}

// pour copies all of from in large pieces: a storage sends it in small ones, of
// which each would be a TLS record, or several, and a wake-up of the client. What
// comes slowly is held for [pourTime] at most. It returns the bytes written, and
// what ended it where that was not the end of from.
func pour(to io.Writer, from io.Reader) (int64, error) {
	b := vessels.Get().(*[pourSize]byte)
	defer vessels.Put(b)
	p := &pouring{to: to, held: b[:]}
	p.mu.Lock() // on a busy machine late may run before it is assigned
	p.timer = time.AfterFunc(pourTime, p.late)
	p.mu.Unlock()
	for {
		n, err := from.Read(p.held[p.end:])
		if failed := p.add(n, err != nil); failed != nil {
			return p.written, failed
		}
		if errors.Is(err, io.EOF) {
			return p.written, nil
		}
		if err != nil {
			return p.written, err
		}
	}
}

// A pouring is one copy. One goroutine reads behind end, while the timer may
// write what is before it.
type pouring struct {
	to    io.Writer
	timer *time.Timer

	mu         sync.Mutex
	held       []byte
	start, end int // of what is held and not written
	written    int64
	err        error // of the writer
}

// add takes note of n more bytes behind end, the last ones perhaps, and returns
// how the writer failed.
func (p *pouring) add(n int, last bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n > 0 && p.start == p.end {
		p.timer.Reset(pourTime)
	}
	p.end += n
	if last || p.end == len(p.held) {
		p.write()
		p.start, p.end = 0, 0
	}
	return p.err
}

// late writes what has come in time.
func (p *pouring) late() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.write()
}

// write writes what is held. The caller has the lock.
func (p *pouring) write() {
	p.timer.Stop()
	if p.start == p.end || p.err != nil {
		return
	}
	var n int
	n, p.err = p.to.Write(p.held[p.start:p.end])
	p.start += n
	p.written += int64(n)
	if p.err == nil && p.start < p.end {
		p.err = io.ErrShortWrite
	}
}
