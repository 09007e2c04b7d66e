package webdav

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// minPrecheck is the size, in bytes, from which an upload in chunks is checked by
// [Folder.ready].
const minPrecheck = 8 << 20

// ready checks before a transfer what the server would only report after it: that the file
// is locked ([ErrLocked]), or that the storage is full ([ErrQuota]). The upload itself
// detects all other errors.
func (f *Folder) ready(ctx context.Context, p Path, size int64, there Entry, exists bool) error {
	if size >= 0 && size < minPrecheck {
		return nil
	}
	if exists && there.Size > 0 {
		if err := f.unlocked(ctx, p); errors.Is(err, ErrLocked) {
			return err
		}
	}
	if size >= 0 {
		if err := f.fits(ctx, p, size); errors.Is(err, ErrQuota) {
			return err
		}
	}
	return nil
}

// unlocked reads one byte of the file, which fails while the file is being written. HEAD and
// PROPFIND do not fail then.
func (f *Folder) unlocked(ctx context.Context, p Path) error {
	_, err := f.run(ctx, call{
		op: "ask for the lock", method: http.MethodGet, url: f.of(p), header: http.Header{"Range": {"bytes=0-0"}},
		ok: []int{http.StatusOK, http.StatusPartialContent},
	})
	return err
}

// fits checks whether the storage has room for size bytes in the folder of p. Properties
// are no help, since they are up to five minutes old. But the server checks the free space
// before it rejects a name: no file may end in ".part". Servers that check the name first
// check the space at the first chunk.
func (f *Folder) fits(ctx context.Context, p Path, size int64) error {
	refused := p.parent().child("gateway-" + strings.ToLower(rand.Text()) + ".part")
	resp, err := f.run(ctx, call{
		op: "ask for room", method: http.MethodPut, url: f.of(refused),
		header: http.Header{"Oc-Total-Length": {strconv.FormatInt(size, 10)}},
		ok:     []int{http.StatusCreated, http.StatusLocked},
	})
	if err == nil && resp.StatusCode == http.StatusCreated {
		return f.Delete(ctx, refused, "")
	}
	return err
}
