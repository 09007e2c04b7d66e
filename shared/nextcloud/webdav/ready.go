package webdav

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// worthProbing is the size, in bytes, from which on a file that goes up in
// chunks is worth the two questions of [Folder.ready].
const worthProbing = 8 << 20

// ready finds out before a transfer what the server would tell after it: that
// somebody is writing the file ([ErrLocked]), or that the storage is full
// ([ErrQuota]). Whatever else is wrong, the upload meets it.
func (f *Folder) ready(ctx context.Context, p Path, size int64, there Entry, exists bool) error {
	if size >= 0 && size < worthProbing {
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

// unlocked reads a byte of the file, which is refused while somebody writes it.
// HEAD and PROPFIND are not.
func (f *Folder) unlocked(ctx context.Context, p Path) error {
	_, err := f.run(ctx, call{
		op: "ask for the lock", method: http.MethodGet, url: f.of(p), header: http.Header{"Range": {"bytes=0-0"}},
		ok: []int{http.StatusOK, http.StatusPartialContent},
	})
	return err
}

// fits asks whether so many bytes fit into the folder of p. No property tells:
// they are up to five minutes old. But the server looks at the free space before
// it refuses a name: no file may end in ".part". Servers that look at the name
// first look at the space when the first chunk comes.
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
