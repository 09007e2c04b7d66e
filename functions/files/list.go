package files

import (
	"bytes"
	"container/heap"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
)

// An entry is a file or a folder of a listing.
type entry struct {
	Name        string     `json:"name"`
	Path        string     `json:"path"`         // relative to the user's folder, not escaped
	Type        string     `json:"type"`         // file, folder
	Size        int64      `json:"size"`         // bytes; of a folder, including its content
	ContentType *string    `json:"content_type"` // null for a folder
	ETag        string     `json:"etag"`         // in the form of If-Match
	ModifiedAt  *time.Time `json:"modified_at"`  // null when unknown
}

func entryOf(e webdav.Entry) entry {
	out := entry{Name: e.Path.Name(), Path: e.Path.String(), Type: "file", Size: e.Size, ETag: e.ETag}
	if e.Folder {
		out.Type = "folder"
	} else {
		out.ContentType = &e.ContentType
	}
	if !e.ModifiedAt.IsZero() {
		at := e.ModifiedAt.UTC()
		out.ModifiedAt = &at
	}
	return out
}

// list responds with a page of a folder, ordered by the bytes of the names.
// Nextcloud always returns all entries, so every page costs the same; entries
// outside the page are discarded as they arrive.
func (f *Function) list(w http.ResponseWriter, r *http.Request, t target) error {
	p, err := pageOf(r)
	if err != nil {
		return err
	}
	if err := t.List(r.Context(), t.path, p.add); err != nil {
		return err
	}
	if p.cut != "" {
		p.next(w.Header(), r.URL.EscapedPath())
	}
	endpoint.WriteBytes(w, r, http.StatusOK, "application/json", p.body())
	return nil
}

const maxCursor = 255 // bytes of a name in Nextcloud, at most

// A page collects the first entries of a folder after the last one of the previous
// page: at most limit, and at most [endpoint.MaxPage] bytes.
type page struct {
	after string // the last name of the previous page
	limit int
	named bool // the query has a limit

	held items // the entries of the page so far
	size int   // of held, in bytes
	text bytes.Buffer
	cut  string // the first name that does not fit, "" while there is room
}

// pageOf reads limit and cursor from the query. Without a limit, the size limits the
// page.
func pageOf(r *http.Request) (*page, error) {
	query, err := endpoint.Query(r)
	if err != nil {
		return nil, err
	}
	var wrong fault.Fields
	p := &page{named: query.Has("limit"), size: len("[]\n")}
	p.limit = endpoint.IntParam(&wrong, query, "limit", endpoint.MaxPage, 1, endpoint.MaxLimit)
	if cursor := query.Get("cursor"); cursor != "" {
		name, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
		wrong.Check(err == nil && utf8.Valid(name) && len(name) <= maxCursor, "cursor", "invalid_cursor", "Must be a cursor from a Link header.")
		p.after = string(name)
	}
	return p, wrong.Err()
}

// add adds an entry of the folder.
func (p *page) add(e webdav.Entry) error {
	name := e.Path.Name()
	if name <= p.after || p.cut != "" && name >= p.cut {
		return nil
	}
	p.text.Reset()
	enc := json.NewEncoder(&p.text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(entryOf(e)); err != nil {
		return err
	}
	text := bytes.TrimSuffix(p.text.Bytes(), []byte("\n"))
	heap.Push(&p.held, item{strings.Clone(name), bytes.Clone(text)})
	p.size += len(text) + len(",")
	for len(p.held) > p.limit || p.size > endpoint.MaxPage {
		last := heap.Pop(&p.held).(item)
		p.size -= len(last.json) + len(",")
		p.cut = last.name
	}
	return nil
}

// body returns the page as a JSON array.
func (p *page) body() []byte {
	slices.SortFunc(p.held, func(a, b item) int { return strings.Compare(a.name, b.name) })
	body := make([]byte, 0, p.size)
	body = append(body, '[')
	for i, it := range p.held {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, it.json...)
	}
	return append(body, "]\n"...)
}

// next sets the Link header to the next page, if there is one.
func (p *page) next(h http.Header, path string) {
	last := slices.MaxFunc(p.held, func(a, b item) int { return strings.Compare(a.name, b.name) })
	query := url.Values{"cursor": {base64.RawURLEncoding.EncodeToString([]byte(last.name))}}
	if p.named {
		query.Set("limit", strconv.Itoa(p.limit))
	}
	endpoint.SetNextLink(h, path, query)
}

// An item is an entry on a page.
type item struct {
	name string
	json []byte
}

// items is a heap with the last name at its top.
type items []item

func (s items) Len() int           { return len(s) }
func (s items) Less(i, j int) bool { return s[i].name > s[j].name }
func (s items) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }

// Push and Pop are for [heap].
func (s *items) Push(x any) { *s = append(*s, x.(item)) }

// Pop takes the last item.
func (s *items) Pop() any {
	old := *s
	last := old[len(old)-1]
	old[len(old)-1] = item{}
	*s = old[:len(old)-1]
	return last
}
