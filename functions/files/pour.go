package files

import (
	"errors"
	"io"
	"sync"
	"time"
)

const (
	pourSize = 128 << 10            // bytes in one write
	pourTime = 5 * time.Millisecond // delay after which less is written
)

// buffers holds the buffers of copies in progress.
var buffers = sync.Pool{New: func() any { return new([pourSize]byte) }}

// pour copies from from to to in large writes. A storage sends small pieces, each of
// which would be a TLS record or several, and would wake the client. Content that
// arrives slowly is delayed for at most [pourTime]. It returns the number of bytes
// written, and the error that ended the copy before the end of from.
func pour(to io.Writer, from io.Reader) (int64, error) {
	b := buffers.Get().(*[pourSize]byte)
	defer buffers.Put(b)
	p := &pourBuffer{to: to, held: b[:]}
	p.mu.Lock() // on a busy machine, late can run before the assignment
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

// A pourBuffer is one copy. One goroutine reads behind end, while the timer can
// write what is before it.
type pourBuffer struct {
	to    io.Writer
	timer *time.Timer

	mu         sync.Mutex
	held       []byte
	start, end int // of what is buffered and not written
	written    int64
	err        error // of the writer
}

// add adds n bytes behind end and returns the error of the writer. With last, it
// writes everything.
func (p *pourBuffer) add(n int, last bool) error {
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

// late writes what the buffer holds, after a pause of the source.
func (p *pourBuffer) late() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.write()
}

// write writes what the buffer holds. The caller has the lock.
func (p *pourBuffer) write() {
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
