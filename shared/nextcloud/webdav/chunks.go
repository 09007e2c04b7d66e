package webdav

import (
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

	"github.com/voiceassist/gateway/shared/nextcloud/internal/transport"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

const (
	maxChunks  = 9_999   // of one upload; Nextcloud takes numbers to 10000
	minChunk   = 1 << 20 // bytes, unless the configured one is smaller
	chunkTries = 4       // of one chunk, as long as all that was read of it is held in memory
	joinTries  = 6       // of joining them, while somebody reads the file: all was sent, so they take 5.5 s
)

// putChunks stores a file through an upload folder ("chunked upload v2"): its
// parts are put beside each other, then joined and moved to p at once.
func (f *Folder) putChunks(
	ctx context.Context, p Path, u Upload, from *source, there Entry, exists bool,
) (stored Stored, err error) {
	if u.Size > f.client.Chunk*maxChunks {
		return Stored{}, &Error{Op: "put", Kind: ErrTooLarge}
	}
	if err := f.ready(ctx, p, u.Size, there, exists); err != nil {
		return Stored{}, err
	}
	f.client.uploads.Add(1)
	defer f.client.uploads.Add(-1)
	up := upload{Folder: f, id: "gateway-" + strings.ToLower(rand.Text()), header: http.Header{"Destination": {f.of(p).String()}}}
	if u.Size >= 0 {
		up.header.Set("Oc-Total-Length", strconv.FormatInt(u.Size, 10)) // newer servers refuse by it what does not fit
	}
	defer func() {
		if err != nil {
			f.abandon(ctx, up.id)
		}
	}()
	_, err = f.run(ctx, call{
		op: "begin upload", method: "MKCOL", url: f.upload(up.id), header: up.header,
		ok: []int{http.StatusCreated, http.StatusMethodNotAllowed}, // the latter to a second try
	})
	if err != nil {
		return Stored{}, err
	}
	total, err := up.send(ctx, from)
	if err == nil {
		err = u.confirm()
	}
	if err != nil {
		return Stored{}, err
	}
	return f.joinChunks(ctx, p, up.id, total, u, there, exists)
}

// An upload is one that goes up in chunks.
type upload struct {
	*Folder

	id     string
	header http.Header // of each of its requests
}

// send puts the parts and returns their size.
func (up upload) send(ctx context.Context, from *source) (total int64, err error) {
	if from.size < 0 {
		return up.sendRead(ctx, from)
	}
	total, err = up.sendThrough(ctx, from)
	if err != nil {
		err = from.blame("put", err)
	}
	return total, err
}

// sendThrough passes a body of known size on as it arrives, in parts that cost
// no memory: each of them costs the server time. Where what stands before the
// server takes no such body, they are as large as those that are held in memory.
func (up upload) sendThrough(ctx context.Context, from *source) (total int64, err error) {
	most := up.client.Chunk
	s := &stream{from: from, most: up.client.share()}
	for n := 1; total < from.size || n == 1; {
		left := from.size - total
		size := min(left, max(most, left/int64(maxChunks-n+1)+1))
		err := up.put(ctx, part{n: n, size: size, open: func() io.Reader { return s.open(size) }, again: s.again})
		switch {
		case err == nil:
			s.next(up.client.share())
			total, n = total+size, n+1
		case errors.Is(err, ErrTooLarge) && size > up.client.Buffer && s.again():
			most = up.client.Buffer
		default:
			return total, err
		}
	}
	return total, nil
}

// sendRead puts the parts of a body of unknown size, one after the other. While
// one is on its way the next is read.
func (up upload) sendRead(ctx context.Context, from *source) (total int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	read := readChunks(ctx, from, up.client.chunkSize())
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
		size := c.data.size()
		err := up.put(ctx, part{n: n, size: size, open: c.data.reader, again: func() bool { return true }})
		if err != nil {
			return total, err
		}
		total += size
		read.empty <- c.data
	}
}

// A part of an upload.
type part struct {
	n     int // from 1
	size  int64
	open  func() io.Reader // of its bytes, from its beginning; the reader before it ends
	again func() bool      // whether it can be opened once more
}

// put puts one part, and again when it did not arrive: the server writes each of
// them anew.
func (up upload) put(ctx context.Context, p part) error {
	header := up.header.Clone()
	header.Set("X-Hash", "sha256")
	if p.size >= worthAsking {
		header.Set("Expect", "100-continue")
	}
	for try := 1; ; try++ {
		body := &hashed{from: p.open(), sum: sha256.New()}
		resp, err := up.run(ctx, call{
			op: "put chunk", method: http.MethodPut, url: up.upload(up.id, fmt.Sprintf("%05d", p.n)),
			header: header, body: body, size: p.size, ok: []int{http.StatusCreated, http.StatusNoContent},
		})
		if err == nil {
			if sameHash(resp.Header, body.hash()) {
				return nil
			}
			err = &Error{Op: "put chunk", Kind: ErrCorrupted, Status: resp.StatusCode}
		}
		if try == chunkTries || !errors.Is(err, ocs.ErrUnavailable) && !errors.Is(err, ErrLocked) {
			return err
		}
		if transport.Sleep(ctx, time.Duration(try*try)*250*time.Millisecond) != nil || !p.again() {
			return err
		}
	}
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
		op: "join chunks", method: "MOVE", url: f.upload(id, ".file"), header: header, patient: true, moves: true, tries: joinTries,
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
	f.run(ctx, call{ //nolint:errcheck // best effort
		op: "abandon upload", method: http.MethodDelete, url: f.upload(id),
		ok: []int{http.StatusNoContent, http.StatusNotFound},
	})
}

// share returns how many bytes an upload may hold at this moment. All uploads
// together hold what one would, so that many at once do not take many times as
// much.
func (c *Client) share() int64 {
	return min(c.Buffer, max(c.Buffer/max(1, c.uploads.Load()), minChunk))
}

// chunkSize returns a function of the size in bytes of the next part of an
// upload of unknown size: more as their numbers run out.
func (c *Client) chunkSize() func() int64 {
	n := int64(0)
	return func() int64 {
		n++
		return min(c.Buffer, max(c.share(), c.Buffer*(n-1)/maxChunks))
	}
}
