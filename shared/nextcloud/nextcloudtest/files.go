package nextcloudtest

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// A davCall is a request for a path in the caller's folder.
type davCall struct {
	*Server

	w     http.ResponseWriter
	r     *http.Request
	who   *account
	root  *node // files, or uploads
	names []string
}

// refuse answers with a fault.
func refuse(w http.ResponseWriter, r *http.Request, f *davFault) {
	class, foreign := strings.CutPrefix(f.class, "!")
	switch {
	case foreign:
	case class == "InvalidPath":
		class = `OCA\DAV\Connector\Sabre\Exception\InvalidPath`
	default:
		class = sabre + class
	}
	if r.Method == http.MethodHead {
		w.WriteHeader(f.status)
		return
	}
	davError(w, f.status, class, f.message)
}

// notFound is the answer for a missing path.
func notFound(names []string) *davFault {
	folder := strings.Join(names[:max(len(names)-1, 0)], "/")
	return &davFault{404, "NotFound", "File with name /" + folder + "/" + names[len(names)-1] + " could not be located"}
}

// serve dispatches by method.
func (c *davCall) serve() {
	var f *davFault
	switch c.r.Method {
	case http.MethodGet, http.MethodHead:
		f = c.get()
	case http.MethodPut:
		f = c.put()
	case "MKCOL":
		f = c.mkcol()
	case http.MethodDelete:
		f = c.remove()
	case "MOVE", "COPY":
		f = c.transplant()
	case "PROPFIND":
		f = c.propfind()
	case http.MethodOptions:
		c.w.Header().Set("Allow", "OPTIONS, GET, HEAD, DELETE, PROPFIND, PUT, PROPPATCH, COPY, MOVE, REPORT")
		c.w.WriteHeader(http.StatusOK)
	default:
		f = &davFault{501, "NotImplemented", "There was no plugin in the system that was willing to handle this " + c.r.Method + " method."}
	}
	if f != nil {
		refuse(c.w, c.r, f)
	}
}

// get answers GET and HEAD. A folder answers with a text.
func (c *davCall) get() *davFault {
	c.mu.Lock()
	n, err := walk(c.root, c.names)
	if err != nil {
		c.mu.Unlock()
		return notFound(c.names)
	}
	seen := *n
	c.mu.Unlock()
	if seen.busy {
		return locked(seen.name)
	}
	h := c.w.Header()
	if seen.folder() {
		const text = "This is the WebDAV interface. It can only be accessed by WebDAV clients such as the Nextcloud desktop sync client."
		answer(c.w, http.StatusOK, "text/html; charset=UTF-8", text)
		return nil
	}
	etag := `"` + seen.etag + `"`
	if f := c.conditions(&seen); f != nil {
		return f
	}
	body, err := seen.open()
	if err != nil {
		return &davFault{500, "!Exception", "cannot read"}
	}
	if closer, ok := body.(interface{ Close() error }); ok {
		defer closer.Close()
	}
	h.Set("ETag", etag)
	h.Set("OC-ETag", etag)
	h.Set("Content-Type", served(seen.name))
	escaped := strings.ReplaceAll(url.QueryEscape(seen.name), "+", "%20") // in both, as recorded
	h.Set("Content-Disposition", "attachment; filename*=UTF-8''"+escaped+`; filename="`+escaped+`"`)
	if seen.checksum != "" {
		h.Set("OC-Checksum", seen.checksum)
	}
	return c.deliver(&seen, body)
}

// typeOf returns the media type for the extension of a name.
func typeOf(name string) string {
	kind := mime.TypeByExtension(path.Ext(name))
	kind, _, _ = strings.Cut(kind, ";")
	if kind == "" {
		return "application/octet-stream"
	}
	return kind
}

// served returns the media type of a download, never one that a browser would
// execute.
func served(name string) string {
	switch kind := typeOf(name); kind {
	case "text/html", "text/plain", "image/svg+xml", "text/javascript", "application/javascript":
		return "text/plain;charset=UTF-8"
	default:
		return kind
	}
}

// conditions evaluates If-Match and If-None-Match; n is nil if the path does not
// exist.
func (c *davCall) conditions(n *node) *davFault {
	if match := c.r.Header.Get("If-Match"); match != "" {
		if n == nil {
			return &davFault{412, "PreconditionFailed", "An If-Match header was specified and the resource did not exist"}
		}
		if !listed(match, n.etag) {
			return &davFault{412, "PreconditionFailed", "An If-Match header was specified, but none of the specified ETags matched."}
		}
	}
	none := c.r.Header.Get("If-None-Match")
	if none != "" && n != nil && listed(none, n.etag) && c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		return &davFault{412, "PreconditionFailed", "An If-None-Match header was specified, but the ETag matched (or * was specified)."}
	}
	return c.tagged()
}

// tagged evaluates an If header (RFC 4918 section 10.4) with one tagged list of
// one entity tag, which is all that clients of files send.
func (c *davCall) tagged() *davFault {
	header := c.r.Header.Get("If")
	if header == "" {
		return nil
	}
	failed := &davFault{412, "PreconditionFailed", "None of the tokens in the If header matched."}
	resource, list, ok := strings.Cut(strings.TrimPrefix(header, "<"), "> (")
	target, f := c.destination(resource)
	if !ok || f != nil {
		return failed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := walk(c.home(c.who), target)
	if err != nil || !listed(strings.Trim(list, "[]()"), n.etag) {
		return failed
	}
	return nil
}

func listed(header, etag string) bool {
	for tag := range strings.SplitSeq(header, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || tag == `"`+etag+`"` {
			return true
		}
	}
	return false
}

// written answers a call that wrote a node, with its tags.
func (c *davCall) written(status int, n *node) {
	h := c.w.Header()
	etag := `"` + n.etag + `"`
	h.Set("ETag", etag)
	h.Set("OC-ETag", etag)
	h.Set("OC-FileId", fmt.Sprintf("%08doc1bbel1r9q0", n.id))
	h.Set("Content-Length", "0")
	h.Set("Content-Type", "text/html; charset=UTF-8")
	c.w.WriteHeader(status)
}

// setTime reads X-OC-MTime. It rejects an invalid value after the file was
// written, as the server does.
func (c *davCall) setTime(n *node) *davFault {
	value := c.r.Header.Get("X-OC-MTime")
	if value == "" {
		return nil
	}
	seconds, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return &davFault{500, "!InvalidArgumentException", "X-OC-MTime header must be an integer (unix timestamp)."}
	}
	if seconds < 1 {
		return &davFault{500, "!InvalidArgumentException", "X-OC-MTime header must be a valid positive integer"}
	}
	n.modified = time.Unix(int64(seconds), 0)
	c.w.Header().Set("X-OC-MTime", "accepted")
	return nil
}
