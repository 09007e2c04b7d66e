package webdav

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// reading is a body being read part by part, into two buffers by turns.
type reading struct {
	full  chan chunk // closed behind the last one
	empty chan *data // to be filled
}

type chunk struct {
	data *data
	err  error
}

// readChunks reads from in parts of the sizes that size tells; a body of nothing
// is one empty part. It ends with ctx, or with the Read that is under way then.
func readChunks(ctx context.Context, from io.Reader, size func() int64) reading {
	r := reading{full: make(chan chunk), empty: make(chan *data, 2)}
	r.empty <- &data{}
	r.empty <- &data{}
	go func() {
		defer close(r.full)
		for first := true; ; first = false {
			var d *data
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
			case r.full <- chunk{d, err}:
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

// data is a part of a body in memory. It takes as much as has come, in pieces
// that are all used again.
type data struct {
	pieces [][]byte // all but the last are full
}

const pieceSize = 256 << 10

// fill reads up to size bytes, over what was there.
func (d *data) fill(from io.Reader, size int64) error {
	d.reset(size)
	for i := 0; size > 0; {
		if i == len(d.pieces) {
			d.pieces = append(d.pieces, make([]byte, 0, pieceSize))
		}
		piece := d.pieces[i]
		n, err := from.Read(piece[len(piece):min(pieceSize, len(piece)+int(min(size, pieceSize)))])
		d.pieces[i], size = piece[:len(piece)+n], size-int64(n)
		if err != nil {
			return err
		}
		if len(d.pieces[i]) == pieceSize {
			i++
		}
	}
	return nil
}

// reset empties it for up to size bytes.
func (d *data) reset(size int64) {
	if need := int((size + pieceSize - 1) / pieceSize); len(d.pieces) > need {
		clear(d.pieces[need:]) // others may need the memory
		d.pieces = d.pieces[:need]
	}
	for i := range d.pieces {
		d.pieces[i] = d.pieces[i][:0]
	}
}

// add puts a copy of p at its end.
func (d *data) add(p []byte) {
	for i := int(d.size() / pieceSize); len(p) > 0; i++ {
		if i == len(d.pieces) {
			d.pieces = append(d.pieces, make([]byte, 0, pieceSize))
		}
		n := min(len(p), pieceSize-len(d.pieces[i]))
		d.pieces[i], p = append(d.pieces[i], p[:n]...), p[n:]
	}
}

// copyTo copies what there is from at on into p, as far as one piece goes.
func (d *data) copyTo(p []byte, at int64) int {
	return copy(p, d.pieces[at/pieceSize][at%pieceSize:])
}

func (d *data) size() (n int64) {
	for _, piece := range d.pieces {
		n += int64(len(piece))
	}
	return n
}

// reader reads it from its beginning.
func (d *data) reader() io.Reader {
	pieces := make([]io.Reader, len(d.pieces))
	for i, piece := range d.pieces {
		pieces[i] = bytes.NewReader(piece)
	}
	return io.MultiReader(pieces...)
}
