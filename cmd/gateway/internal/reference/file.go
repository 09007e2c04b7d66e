package reference

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/voiceassist/gateway/shared/endpoint"
)

// Media types of files.
const (
	cssType    = "text/css; charset=utf-8"
	htmlType   = "text/html; charset=utf-8"
	jsonType   = "application/json"
	scriptType = "text/javascript; charset=utf-8"
)

// How long clients cache a file.
const (
	cacheBriefly = "public, max-age=300"                 // seconds; then they revalidate
	cacheForever = "public, max-age=31536000, immutable" // for URLs that change with the content (RFC 8246)
)

// A file is a response that never changes while the program runs. It is sent
// compressed to clients that accept gzip.
type file struct {
	contentType, caching string
	policy               string // content security policy; "" keeps the default of the gateway
	plain, zipped        func() representation
}

// A representation is one form of a file, with its entity tag.
type representation struct {
	body []byte
	tag  string
}

// newFile returns a file of content, which is compressed at the first request for
// gzip.
func newFile(contentType, caching string, content []byte) *file {
	return newRenderedFile(contentType, caching, func() []byte { return content })
}

// newRenderedFile returns a file of what render returns, which is called once, at the
// first request: to render the page takes longer than everything else at the start of
// the server.
func newRenderedFile(contentType, caching string, render func() []byte) *file {
	content := sync.OnceValue(render)
	return &file{
		contentType: contentType, caching: caching,
		plain:  lazily(func() ([]byte, error) { return content(), nil }),
		zipped: lazily(func() ([]byte, error) { return compress(content()) }),
	}
}

// newZippedFile returns a file from gzip-compressed content.
func newZippedFile(contentType, caching string, zipped func() ([]byte, error)) *file {
	return &file{
		contentType: contentType, caching: caching,
		plain: lazily(func() ([]byte, error) {
			content, err := zipped()
			if err != nil {
				return nil, err
			}
			return decompress(content)
		}),
		zipped: lazily(zipped),
	}
}

// withPolicy sets the content security policy.
func (f *file) withPolicy(policy string) *file {
	f.policy = policy
	return f
}

func lazily(content func() ([]byte, error)) func() representation {
	return sync.OnceValue(func() representation {
		body, err := content()
		if err != nil {
			panic("reference: " + err.Error()) // the content is part of the program
		}
		return representation{body, endpoint.ETag(body)}
	})
}

// ServeHTTP implements [http.Handler].
func (f *file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", f.caching)
	h.Add("Vary", "Accept-Encoding")
	if f.policy != "" {
		h.Set("Content-Security-Policy", f.policy)
	}
	form, zipped := f.plain, acceptsGzip(r)
	if zipped {
		form = f.zipped
	}
	if endpoint.NotModified(w, r, form().tag) {
		return
	}
	if zipped {
		h.Set("Content-Encoding", "gzip")
	}
	endpoint.WriteBytes(w, r, http.StatusOK, f.contentType, form().body)
}

// acceptsGzip reports whether the client of r accepts gzip (RFC 9110 section
// 12.5.3). Without the header it may support no encoding.
func acceptsGzip(r *http.Request) bool {
	accepts := false
	for coding := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(strings.ToLower(coding), ";")
		q, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(weight), "q="), 64)
		wanted := err != nil || q > 0
		switch strings.TrimSpace(name) {
		case "gzip":
			return wanted
		case "*":
			accepts = wanted
		}
	}
	return accepts
}

func compress(content []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	err := w.Close()
	return b.Bytes(), err
}

func decompress(zipped []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
