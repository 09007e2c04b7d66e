package nextcloudtest

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var oneRange = regexp.MustCompile(`(?i)^bytes=(\d*)-(\d*)$`)

// deliver answers GET and HEAD of the file n with its content, or the part of it
// that Range asks for. As sabre/dav does, it answers one range itself; several
// are left to the web server around it, which knows no range of an empty file.
func (c *davCall) deliver(n *node, body io.ReadSeeker) *davFault {
	r := c.r.Clone(c.r.Context())
	text := r.Header.Get("Range")
	one := oneRange.FindStringSubmatch(text)
	switch {
	case one == nil && strings.HasPrefix(strings.ToLower(text), "bytes=") && strings.Contains(text, ","):
	case one == nil || one[1]+one[2] == "" || n.size == 0 || !c.ifRange(n):
		r.Header.Del("Range")
	case c.unchanged(n):
	default:
		r.Header.Del("If-Range")
		first, last, f := part(one[1], one[2], n.size)
		if f != nil {
			return f
		}
		if first > last { // of no bytes
			c.w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, n.size))
			c.w.Header().Set("Content-Length", "0")
			c.w.WriteHeader(http.StatusPartialContent)
			return nil
		}
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", first, last))
	}
	http.ServeContent(c.w, r, "", n.modified, body)
	return nil
}

// unchanged reports whether the answer is 304.
func (c *davCall) unchanged(n *node) bool {
	none := c.r.Header.Get("If-None-Match")
	return none != "" && listed(strings.TrimPrefix(none, "W/"), n.etag)
}

// ifRange compares the tag, or whether the file is not newer than the date.
func (c *davCall) ifRange(n *node) bool {
	text := c.r.Header.Get("If-Range")
	date, err := http.ParseTime(text)
	return text == "" || text == `"`+n.etag+`"` || err == nil && !n.modified.Truncate(time.Second).After(date)
}

// part returns the bytes that a range selects in a file of that size. The end 0
// counts as missing, as in PHP.
func part(from, to string, size int64) (first, last int64, f *davFault) {
	start, err := strconv.ParseInt(from, 10, 64)
	if err != nil && from != "" {
		start = size
	}
	end, err := strconv.ParseInt(to, 10, 64)
	if err != nil || from != "" && end == 0 {
		end = size - 1
	}
	switch {
	case from == "" && err != nil: // out of range
		return 0, size - 1, nil
	case from == "":
		return max(0, size-end), size - 1, nil
	case start >= size:
		return 0, 0, unsatisfiable("The start offset (%s) exceeded the size of the entity (%d)", from, size)
	case end < start:
		return 0, 0, unsatisfiable("The end offset (%s) is lower than the start offset (%s)", to, from)
	}
	return start, min(end, size-1), nil
}

func unsatisfiable(format string, args ...any) *davFault {
	return &davFault{416, "RequestedRangeNotSatisfiable", fmt.Sprintf(format, args...)}
}
