package webdav

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud"
)

const (
	maxChunks  = 9_999   // of one upload; Nextcloud takes numbers to 10000
	minChunk   = 1 << 20 // bytes, unless the configured one is smaller
	chunkTries = 4       // of one chunk; each is held in memory, so that the upload goes on where it was
)

// putChunks stores a file through an upload folder ("chunked upload v2"): its
// parts are put beside each other, then joined and moved to p at once.
func (f *Folder) putChunks(
	ctx context.Context, p Path, u Upload, from *source, there Entry, exists bool,
) (stored Stored, err error) {
	if u.Size > f.client.Chunk*maxChunks {
		return Stored{}, &Error{Op: "put", Kind: ErrTooLarge}
	}
	f.client.uploads.Add(1)
	defer f.client.uploads.Add(-1)
	id, target := "gateway-"+strings.ToLower(rand.Text()), f.of(p).String()
	defer func() {
		if err != nil {
			f.abandon(ctx, id)
		}
	}()
	_, err = f.run(ctx, call{
		op: "begin upload", method: "MKCOL", url: f.upload(id), header: http.Header{"Destination": {target}},
		ok: []int{http.StatusCreated, http.StatusMethodNotAllowed}, // the latter to a second try
	})
	if err != nil {
		return Stored{}, err
	}
	total, err := f.sendChunks(ctx, id, target, from)
	if err == nil {
		err = u.confirm()
	}
	if err != nil {
		return Stored{}, err
	}
	return f.joinChunks(ctx, p, id, total, u, there, exists)
}

// sendChunks puts the parts, one after the other, and returns their size. While
// one is on its way the next is read.
func (f *Folder) sendChunks(ctx context.Context, id, target string, from *source) (total int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	read := readChunks(ctx, from, f.client.chunkSize(from.size))
	for n := 1; ; n++ {
		c, more := <-read.full
		switch {
		case !more:
			return total, ctx.Err()
		case c.err != nil:
			return total, &Error{Op: "put", Kind: ErrSource, cause: c.err}
		case n > maxChunks:
			return total, &Error{Op: "put", Kind: ErrTooLarge}
		}
		if err := f.sendChunk(ctx, id, target, n, c.data); err != nil {
			return total, err
		}
		total += c.data.size()
		read.empty <- c.data
	}
}

// sendChunk puts one part, and again when it did not arrive: the server writes
// each of them anew.
func (f *Folder) sendChunk(ctx context.Context, id, target string, n int, data *data) error {
	for try := 1; ; try++ {
		sum := sha256.New()
		resp, err := f.run(ctx, call{
			op: "put chunk", method: http.MethodPut, url: f.upload(id, fmt.Sprintf("%05d", n)),
			header: http.Header{"Destination": {target}, "X-Hash": {"sha256"}},
			body:   io.TeeReader(data.reader(), sum), size: data.size(),
			ok: []int{http.StatusCreated, http.StatusNoContent},
		})
		if err == nil {
			if err = arrived(resp, sum.Sum(nil)); err == nil {
				return nil
			}
		}
		if try == chunkTries || !errors.Is(err, nextcloud.ErrUnavailable) && !errors.Is(err, ErrLocked) {
			return err
		}
		if gone := sleep(ctx, time.Duration(try*try)*250*time.Millisecond); gone != nil {
			return err
		}
	}
}

func arrived(resp *http.Response, sum []byte) error {
	if sameHash(resp.Header, sum) {
		return nil
	}
	return &Error{Op: "put chunk", Kind: ErrCorrupted, Status: resp.StatusCode}
}

// joinChunks makes the file appear.
func (f *Folder) joinChunks(
	ctx context.Context, p Path, id string, total int64, u Upload, there Entry, exists bool,
) (Stored, error) {
	header := http.Header{
		"Destination": {f.of(p).String()}, "Oc-Total-Length": {strconv.FormatInt(total, 10)}, "Overwrite": {"T"},
	}
	if !exists && u.IfNoneMatch != "" {
		header.Set("Overwrite", "F")
	}
	if u.IfMatch != "" { // the same file still, as far as a second can tell
		header.Set("If", "<"+f.of(p).String()+"> (["+there.ETag+"])")
	}
	resp, err := f.run(ctx, call{
		op: "join chunks", method: "MOVE", url: f.upload(id, ".file"), header: header, patient: true, moves: true,
		ok: []int{http.StatusCreated, http.StatusNoContent},
	})
	if err != nil {
		return Stored{}, err
	}
	return Stored{ETag: resp.Header.Get("Etag"), Created: resp.StatusCode == http.StatusCreated}, nil
}

// abandon removes the parts of an upload that failed; where it cannot, the
// server forgets them after a day.
func (f *Folder) abandon(ctx context.Context, id string) {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	f.run(ctx, call{ //nolint:errcheck // see above
		op: "abandon upload", method: http.MethodDelete, url: f.upload(id),
		ok: []int{http.StatusNoContent, http.StatusNotFound},
	})
}

// chunkSize returns a function of the size in bytes of the next part of an
// upload of that size, -1 for unknown. Uploads share the memory that one would
// take, so that many at once do not take many times as much; yet no part is so
// small that their numbers would run out.
func (c *Client) chunkSize(size int64) func() int64 {
	n, sent := int64(0), int64(0)
	return func() int64 {
		least := c.Chunk * n / maxChunks // of an unknown size: more as numbers run out
		if size >= 0 {
			least = (size-sent)/max(1, maxChunks-1-n) + 1
		}
		next := max(c.Chunk/max(1, c.uploads.Load()), least, minChunk)
		next = min(next, c.Chunk)
		n, sent = n+1, sent+next
		return next
	}
}

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
	if need := int((size + pieceSize - 1) / pieceSize); len(d.pieces) > need {
		clear(d.pieces[need:]) // others may need the memory
		d.pieces = d.pieces[:need]
	}
	for i := range d.pieces {
		d.pieces[i] = d.pieces[i][:0]
	}
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
