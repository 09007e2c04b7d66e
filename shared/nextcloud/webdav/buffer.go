package webdav

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// A chunkReader reads a body in chunks, into two buffers alternately.
type chunkReader struct {
	full  chan readChunk // closed after the last chunk
	empty chan *buffer   // to be filled
}

// A readChunk is a chunk in memory, or the error of reading it.
type readChunk struct {
	data *buffer
	err  error
}

// readChunks reads chunks of the sizes that size returns; an empty body is one empty chunk.
// It ends with ctx, after a Read that is in progress.
func readChunks(ctx context.Context, from io.Reader, size func() int64) chunkReader {
	r := chunkReader{full: make(chan readChunk), empty: make(chan *buffer, 2)}
	r.empty <- &buffer{}
	r.empty <- &buffer{}
	go func() {
		defer close(r.full)
		for first := true; ; first = false {
			var d *buffer
			select {
			case d = <-r.empty:
			case <-ctx.Done():
				return
			}
			err := d.fill(from, size())
			ended := errors.Is(err, io.EOF)
			if ended {
				err = nil
			}
			if d.size() == 0 && err == nil && !first {
				return
			}
			select {
			case r.full <- readChunk{d, err}:
			case <-ctx.Done():
				return
			}
			if ended || err != nil {
				return
			}
		}
	}()
	return r
}

// A buffer holds a part of a body. It grows with the data, in pieces that are reused.
type buffer struct {
	pieces [][]byte // all but the last are full
}

const pieceSize = 256 << 10

// fill replaces the content with up to size bytes.
func (b *buffer) fill(from io.Reader, size int64) error {
	b.reset(size)
	for i := 0; size > 0; {
		if i == len(b.pieces) {
			b.pieces = append(b.pieces, make([]byte, 0, pieceSize))
		}
		piece := b.pieces[i]
		n, err := from.Read(piece[len(piece):min(pieceSize, len(piece)+int(min(size, pieceSize)))])
		b.pieces[i], size = piece[:len(piece)+n], size-int64(n)
		if err != nil {
			return err
		}
		if len(b.pieces[i]) == pieceSize {
			i++
		}
	}
	return nil
}

// reset empties the buffer for up to size bytes.
func (b *buffer) reset(size int64) {
	if need := int((size + pieceSize - 1) / pieceSize); len(b.pieces) > need {
		clear(b.pieces[need:]) // frees the memory for others
		b.pieces = b.pieces[:need]
	}
	for i := range b.pieces {
		b.pieces[i] = b.pieces[i][:0]
	}
}

// add appends a copy of p.
func (b *buffer) add(p []byte) {
	for i := int(b.size() / pieceSize); len(p) > 0; i++ {
		if i == len(b.pieces) {
			b.pieces = append(b.pieces, make([]byte, 0, pieceSize))
		}
		n := min(len(p), pieceSize-len(b.pieces[i]))
		b.pieces[i], p = append(b.pieces[i], p[:n]...), p[n:]
	}
}

// copyTo copies bytes from the offset at to p, at most to the end of a piece.
func (b *buffer) copyTo(p []byte, at int64) int {
	return copy(p, b.pieces[at/pieceSize][at%pieceSize:])
}

func (b *buffer) size() (n int64) {
	for _, piece := range b.pieces {
		n += int64(len(piece))
	}
	return n
}

// reader returns a reader of the content.
func (b *buffer) reader() io.Reader {
	pieces := make([]io.Reader, len(b.pieces))
	for i, piece := range b.pieces {
		pieces[i] = bytes.NewReader(piece)
	}
	return io.MultiReader(pieces...)
}
