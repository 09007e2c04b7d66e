package nextcloudtest

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
)

// serveUploads answers below /remote.php/dav/uploads/ ("chunked upload v2"). The
// uploads are those of the caller, whatever user the path names.
func (s *Server) serveUploads(w http.ResponseWriter, r *http.Request, path string, who *account) {
	_, below, _ := strings.Cut(path, "/")
	names, f := split(below)
	if f != nil {
		refuse(w, r, f)
		return
	}
	s.mu.Lock()
	s.home(who)
	if who.uploads == nil {
		who.uploads = s.newNode("", true)
	}
	c := &davCall{Server: s, w: w, r: r, who: who, root: who.uploads, names: names}
	s.mu.Unlock()
	c.serve()
}

// join answers MOVE of an upload's ".file": its parts, in the order of their
// numbers, become one file.
func (c *davCall) join(to []string, overwrite bool) *davFault {
	if len(c.names) != 2 || c.names[1] != ".file" {
		return notFound(c.names)
	}
	c.mu.Lock()
	upload := c.root.children[c.names[0]]
	c.mu.Unlock()
	if upload == nil {
		return notFound(c.names[:1])
	}
	if f := c.joinable(upload, to, overwrite); f != nil {
		return f
	}
	if f := c.tagged(); f != nil {
		return f
	}
	blob, err := c.concat(upload)
	if err != nil {
		return &davFault{500, "!Exception", "cannot write"}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	folder, there, err := place(c.home(c.who), to)
	if err != nil || folder == nil {
		return &davFault{409, "Conflict", "The destination node is not found"}
	}
	if there != nil && there.busy {
		return &davFault{500, "!OCP\\Lock\\LockedException", "locked"}
	}
	status, size := http.StatusNoContent, upload.size
	if there == nil {
		there = c.newNode(to[len(to)-1], false)
		there.blob, there.size = blob, size
		c.attach(folder, there)
		status = http.StatusCreated
	} else {
		c.replace(there, blob, size, "")
	}
	if upload.parent != nil {
		c.detach(upload)
	}
	if f := c.setTime(there); f != nil {
		return f
	}
	c.written(status, there)
	return nil
}

// joinable makes the checks before joining.
func (c *davCall) joinable(upload *node, to []string, overwrite bool) *davFault {
	c.mu.Lock()
	defer c.mu.Unlock()
	total := c.r.Header.Get("OC-Total-Length")
	folder, there, err := place(c.home(c.who), to)
	free := c.free(c.who)
	switch {
	case total != "" && total != strconv.FormatInt(upload.size, 10):
		return &davFault{400, "BadRequest", fmt.Sprintf("Chunks on server do not sum up to %s but to %d bytes", total, upload.size)}
	case err != nil || folder == nil:
		return &davFault{409, "Conflict", "The destination node is not found"}
	case there != nil && !overwrite:
		return &davFault{412, "PreconditionFailed", "The destination node already exists, and the overwrite header is set to false"}
	case free >= 0 && upload.size > free:
		return &davFault{507, "InsufficientStorage", fmt.Sprintf("Insufficient space in /, %d required, %d available", upload.size, free)}
	}
	if there == nil {
		return refuseNew(to[len(to)-1], false)
	}
	return nil
}

// concat concatenates the parts.
func (c *davCall) concat(upload *node) (blob string, err error) {
	file, err := c.blob()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	c.mu.Lock()
	parts := make([]*node, 0, len(upload.children))
	for _, part := range upload.children {
		parts = append(parts, part)
	}
	c.mu.Unlock()
	slices.SortFunc(parts, func(a, b *node) int {
		x, _ := strconv.Atoi(a.name)
		y, _ := strconv.Atoi(b.name)
		return cmp.Or(x-y, strings.Compare(a.name, b.name))
	})
	for _, part := range parts {
		from, err := os.Open(part.blob)
		if err != nil {
			return "", err
		}
		_, err = io.Copy(file, from)
		if err := errors.Join(err, from.Close()); err != nil {
			return "", err
		}
	}
	return file.Name(), nil
}
