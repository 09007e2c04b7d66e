package nextcloudtest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// mkcol answers MKCOL.
func (c *davCall) mkcol() *davFault {
	c.mu.Lock()
	defer c.mu.Unlock()
	exists := &davFault{405, "MethodNotAllowed", "The resource you tried to create already exists"}
	if len(c.names) == 0 {
		return exists
	}
	parent, err := walk(c.root, c.names[:len(c.names)-1])
	name := c.names[len(c.names)-1]
	switch {
	case err != nil:
		return &davFault{409, "Conflict", "Parent node does not exist"}
	case !parent.folder():
		return &davFault{409, "Conflict", "Parent node is not a collection"}
	case parent.children[name] != nil:
		return exists
	}
	if f := refuseNew(name, false); f != nil {
		return f
	}
	if c.root == c.who.files && c.free(c.who) == 0 {
		return &davFault{403, "Forbidden", "Could not create directory //" + name}
	}
	n := c.newNode(name, true)
	c.attach(parent, n)
	c.w.Header().Set("OC-FileId", fmt.Sprintf("%08doc1bbel1r9q0", n.id))
	c.w.WriteHeader(http.StatusCreated)
	return nil
}

// remove answers DELETE. The trash takes no room, and is not shown.
func (c *davCall) remove() *davFault {
	c.mu.Lock()
	n, err := walk(c.root, c.names)
	if err != nil {
		c.mu.Unlock()
		return notFound(c.names)
	}
	seen := *n
	c.mu.Unlock()
	switch {
	case n == c.who.files:
		return &davFault{403, "Forbidden", "Permission denied to delete home folder"}
	case seen.busy:
		return locked(seen.name)
	}
	if f := c.conditions(&seen); f != nil {
		return f
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n.parent != nil {
		c.detach(n)
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// destination parses a Destination: a URL or its path. The host is ignored.
func (c *davCall) destination(header string) ([]string, *davFault) {
	u, err := url.Parse(header)
	if header == "" || err != nil {
		return nil, &davFault{400, "BadRequest", "The destination header was not supplied"}
	}
	below, ok := strings.CutPrefix(u.EscapedPath(), c.opts.BasePath+"/remote.php/dav/")
	if !ok {
		return nil, &davFault{403, "Forbidden", "Requested uri is out of base uri"}
	}
	segment, rest, _ := strings.Cut(strings.TrimPrefix(below, "files/"), "/")
	user, err := url.PathUnescape(segment)
	if err != nil || !strings.HasPrefix(below, "files/") {
		return nil, &davFault{409, "Conflict", "The destination node is not found"}
	}
	names, f := split(rest)
	if f != nil {
		return nil, f
	}
	c.mu.Lock()
	owner := c.find(user)
	c.mu.Unlock()
	switch {
	case owner == nil:
		return nil, &davFault{409, "Conflict", "The destination node is not found"}
	case owner != c.who:
		return nil, &davFault{403, "Forbidden", "Permission denied to create file"}
	}
	return names, nil
}

// transplant answers MOVE and COPY; the move of an upload joins its parts.
func (c *davCall) transplant() *davFault {
	to, f := c.destination(c.r.Header.Get("Destination"))
	if f != nil {
		return f
	}
	overwrite := strings.ToUpper(c.r.Header.Get("Overwrite"))
	if overwrite != "" && overwrite != "T" && overwrite != "F" {
		return &davFault{400, "BadRequest", "The HTTP Overwrite header should be either T or F"}
	}
	if c.root != c.who.files {
		return c.join(to, overwrite != "F")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := walk(c.root, c.names)
	if err != nil || len(c.names) == 0 {
		return notFound(c.names)
	}
	folder, there, err := place(c.root, to)
	switch {
	case err != nil || folder == nil:
		return &davFault{409, "Conflict", "The destination node is not found"}
	case there == n:
		return &davFault{403, "Forbidden", "Source and destination uri are identical."}
	case folder.within(n):
		return &davFault{409, "Conflict", "The destination may not be part of the same subtree as the source path."}
	case there != nil && overwrite == "F":
		return &davFault{412, "PreconditionFailed", "The destination node already exists, and the overwrite header is set to false"}
	case n.busy || there != nil && there.busy:
		return &davFault{500, "!OCP\\Lock\\LockedException", "locked"}
	}
	if f := refuseNew(to[len(to)-1], false); f != nil {
		return f
	}
	if free := c.free(c.who); c.r.Method == "COPY" && free >= 0 && n.size > free {
		return &davFault{507, "InsufficientStorage", fmt.Sprintf("Insufficient space in /, %d required, %d available", n.size, free)}
	}
	status := http.StatusCreated
	if there != nil {
		c.detach(there)
		status = http.StatusNoContent
	}
	if c.r.Method == "COPY" {
		n = c.clone(n, to[len(to)-1])
	} else {
		c.detach(n)
		n.name = to[len(to)-1]
	}
	c.attach(folder, n)
	c.written(status, n)
	return nil
}
