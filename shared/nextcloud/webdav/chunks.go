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
	maxChunks = 9_999   // of one upload; Nextcloud accepts numbers up to 10000
	minChunk  = 1 << 20 // bytes, unless [Config.BufferSize] is smaller
	// chunkAttempts is for one chunk, if all that was read of it is in memory.
	chunkAttempts = 4
	// assemblyAttempts is for assembling the chunks while the file is locked, for 5.5 s:
	// the whole body has been sent, so giving up costs more.
	assemblyAttempts = 6
)

// putChunks stores a file through an upload folder ("chunked upload v2"): it uploads
// chunks, which the server then assembles and moves to p in one step.
func (f *Folder) putChunks(
	ctx context.Context, p Path, u Upload, from *source, there Entry, exists bool,
) (Stored, error) {
	if u.Size > f.client.ChunkSize*maxChunks {
		return Stored{}, &Error{Op: "put", Kind: ErrTooLarge}
	}
	if err := f.ready(ctx, p, u.Size, there, exists); err != nil {
		return Stored{}, err
	}
	return f.upload(ctx, p, u, from, func(up chunkedUpload) (Entry, bool, error) { return there, exists, up.begin(ctx) })
}

// upload uploads the body in chunks after begin, which returns what exists at p. It removes
// the chunks if anything fails.
func (f *Folder) upload(
	ctx context.Context, p Path, u Upload, from *source, begin func(chunkedUpload) (Entry, bool, error),
) (stored Stored, err error) {
	f.client.uploads.Add(1)
	defer f.client.uploads.Add(-1)
	up := chunkedUpload{Folder: f, id: "gateway-" + strings.ToLower(rand.Text()), header: http.Header{"Destination": {f.of(p).String()}}}
	if u.Size >= 0 {
		up.header.Set("Oc-Total-Length", strconv.FormatInt(u.Size, 10)) // newer servers check the quota with it
	}
	defer func() {
		if err != nil {
			f.abort(ctx, up.id)
		}
	}()
	there, exists, err := begin(up)
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
	return f.assemble(ctx, p, up.id, total, u, there, exists)
}

// A chunkedUpload is an upload in progress.
type chunkedUpload struct {
	*Folder

	id     string
	header http.Header // of each request
}

// begin creates the folder of the chunks.
func (up chunkedUpload) begin(ctx context.Context) error {
	_, err := up.run(ctx, call{
		op: "begin upload", method: "MKCOL", url: up.ofUpload(up.id), header: up.header,
		ok: []int{http.StatusCreated, http.StatusMethodNotAllowed}, // the latter on a retry
	})
	return err
}

// send uploads the chunks and returns their total size.
func (up chunkedUpload) send(ctx context.Context, from *source) (total int64, err error) {
	if from.size < 0 {
		return up.sendBuffered(ctx, from)
	}
	total, err = up.stream(ctx, from)
	if err != nil {
		err = from.blame("put", err)
	}
	return total, err
}

// stream passes on a body of known size as it arrives, in large chunks: each chunk costs the
// server time. If a proxy in front of the server rejects such large bodies, the chunks are
// as large as the buffer.
func (up chunkedUpload) stream(ctx context.Context, from *source) (total int64, err error) {
	limit := up.client.ChunkSize
	s := &replayReader{from: from, limit: up.client.share()}
	for n := 1; total < from.size || n == 1; {
		left := from.size - total
		size := min(left, max(limit, left/int64(maxChunks-n+1)+1))
		err := up.put(ctx, chunk{n: n, size: size, open: func() io.Reader { return s.open(size) }, again: s.again})
		switch {
		case err == nil:
			s.next(up.client.share())
			total, n = total+size, n+1
		case errors.Is(err, ErrTooLarge) && size > up.client.BufferSize && s.again():
			limit = up.client.BufferSize
		default:
			return total, err
		}
	}
	return total, nil
}

// sendBuffered uploads the chunks of a body of unknown size one after the other. It reads
// the next chunk while it sends one.
func (up chunkedUpload) sendBuffered(ctx context.Context, from *source) (total int64, err error) {
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
		err := up.put(ctx, chunk{n: n, size: size, open: c.data.reader, again: func() bool { return true }})
		if err != nil {
			return total, err
		}
		total += size
		read.empty <- c.data
	}
}

// A chunk is a part of an upload.
type chunk struct {
	n     int // from 1
	size  int64
	open  func() io.Reader // reads the chunk from its start; ends earlier readers
	again func() bool      // whether it can be opened again
}

// put uploads one chunk, and retries if it did not arrive: the server replaces the
// chunk.
func (up chunkedUpload) put(ctx context.Context, p chunk) error {
	header := up.header.Clone()
	header.Set("X-Hash", "sha256")
	if p.size >= minExpect {
		header.Set("Expect", "100-continue")
	}
	for attempt := 1; ; attempt++ {
		body := &hashingReader{from: p.open(), sum: sha256.New()}
		resp, err := up.run(ctx, call{
			op: "put chunk", method: http.MethodPut, url: up.ofUpload(up.id, fmt.Sprintf("%05d", p.n)),
			header: header, body: body, size: p.size, ok: []int{http.StatusCreated, http.StatusNoContent},
		})
		if err == nil {
			if sameHash(resp.Header, body.hash()) {
				return nil
			}
			err = &Error{Op: "put chunk", Kind: ErrCorrupted, Status: resp.StatusCode}
		}
		if attempt == chunkAttempts || !errors.Is(err, ocs.ErrUnavailable) && !errors.Is(err, ErrLocked) {
			return err
		}
		if transport.Sleep(ctx, time.Duration(attempt*attempt)*250*time.Millisecond) != nil || !p.again() {
			return err
		}
	}
}

// assemble makes the server assemble the chunks to the file at p.
func (f *Folder) assemble(
	ctx context.Context, p Path, id string, total int64, u Upload, there Entry, exists bool,
) (Stored, error) {
	header := http.Header{
		"Destination": {f.of(p).String()}, "Oc-Total-Length": {strconv.FormatInt(total, 10)}, "Overwrite": {"T"},
	}
	if !exists && u.IfNoneMatch != "" {
		header.Set("Overwrite", "F")
	}
	if u.IfMatch != "" { // the server checks again that the ETag is the same
		header.Set("If", "<"+f.of(p).String()+"> (["+there.ETag+"])")
	}
	resp, err := f.run(ctx, call{
		op: "join chunks", method: "MOVE", url: f.ofUpload(id, ".file"), header: header, slow: true, moves: true, attempts: assemblyAttempts,
		ok: []int{http.StatusCreated, http.StatusNoContent},
	})
	if err != nil {
		return Stored{}, err
	}
	return Stored{ETag: resp.Header.Get("Etag"), Created: resp.StatusCode == http.StatusCreated}, nil
}

// abort removes the chunks of a failed upload. Best effort: the server removes them after a
// day.
func (f *Folder) abort(ctx context.Context, id string) {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	f.run(ctx, call{ //nolint:errcheck // best effort
		op: "abandon upload", method: http.MethodDelete, url: f.ofUpload(id),
		ok: []int{http.StatusNoContent, http.StatusNotFound},
	})
}

// share returns how many bytes an upload may buffer at this moment. Concurrent uploads
// share one buffer size.
func (c *Client) share() int64 {
	return min(c.BufferSize, max(c.BufferSize/max(1, c.uploads.Load()), minChunk))
}

// chunkSize returns a function that returns the size, in bytes, of the next chunk of an
// upload of unknown size: larger as the chunk numbers run out.
func (c *Client) chunkSize() func() int64 {
	n := int64(0)
	return func() int64 {
		n++
		return min(c.BufferSize, max(c.share(), c.BufferSize*(n-1)/maxChunks))
	}
}
