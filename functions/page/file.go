package page

import (
	"bytes"
	"compress/gzip"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/voiceassist/gateway/shared/endpoint"
)

// A file is a file of the page, which is sent compressed to clients that accept it. It is
// safe for concurrent use.
type file struct {
	contentType   string
	plain, zipped func() variant // made when first needed, so that they do not delay a start
}

// A variant is the content of a file in one encoding.
type variant struct {
	body []byte
	tag  string // its entity tag
}

func newVariant(body []byte) variant { return variant{body, endpoint.ETag(body)} }

// types are the content types of the files by extension, wherever the gateway runs: those
// of package mime depend on the system.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml",
}

// load returns the file of the name, relative to dist. It panics if there is none, or of
// an unknown type: files are part of the program.
func load(name string) *file {
	body, err := built.ReadFile("dist/" + name)
	contentType, known := types[path.Ext(name)]
	if err != nil || !known {
		panic("page: no file of a known type: " + name)
	}
	return &file{
		contentType: contentType,
		plain:       sync.OnceValue(func() variant { return newVariant(body) }),
		zipped:      sync.OnceValue(func() variant { return newVariant(compress(body)) }),
	}
}

func compress(body []byte) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		_, err = z.Write(body)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		panic("page: " + err.Error()) // the level is valid, and memory takes everything
	}
	return b.Bytes()
}

// serve sends the file, or 304 if the client has it.
func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	v := f.plain()
	if accepts(r, "Accept-Encoding", "gzip") {
		v = f.zipped()
		h.Set("Content-Encoding", "gzip")
	}
	if !endpoint.NotModified(w, r, v.tag) {
		endpoint.WriteBytes(w, r, http.StatusOK, f.contentType, v.body)
	}
}

// accepts reports whether a header names the value with a weight above 0 (RFC 9110 section
// 12.4.2).
func accepts(r *http.Request, header, value string) bool {
	for item := range strings.SplitSeq(strings.Join(r.Header.Values(header), ","), ",") {
		name, params, err := mime.ParseMediaType(item) // codings have the same form
		if err != nil || name != value {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		return params["q"] == "" || err == nil && q > 0
	}
	return false
}
