package endpoint

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/uid"
)

// The sizes of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 200
	MaxSkip      = 1_000_000 // past that a cursor is the only way that makes sense
)

// MaxPage is how many bytes the body of a list has at most: a page that is full
// before its limit ends there. Lambda carries 6 MB, and whoever does not read
// the answer holds it in memory.
const MaxPage = 1 << 20

var errBadQuery = fault.New(fault.Malformed, "malformed_query", "The query cannot be parsed.")

// Query returns the query of r. One that is not of UTF-8, or has a NUL, which no
// database takes for text, is refused.
func Query(r *http.Request) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, errBadQuery.Because(err)
	}
	for name, values := range query {
		for _, text := range append(values, name) {
			if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
				return nil, errBadQuery
			}
		}
	}
	return query, nil
}

// SetNextLink sets the Link to the next page (RFC 8288).
func SetNextLink(h http.Header, path string, query url.Values) {
	h.Set("Link", "<"+path+"?"+query.Encode()+`>; rel="next"`)
}

// A PageQuery is the part of a request that asks for a page of a list: limit,
// skip and cursor. Embed it, and call its Bind.
type PageQuery struct {
	Limit  int    `json:"-"`
	Skip   int    `json:"-"`
	Before string `json:"-"` // the id that the cursor stands for

	path  string
	query url.Values // as it was sent
	next  url.Values // what of it the next page needs
}

// Bind reads the query.
func (p *PageQuery) Bind(r *http.Request) (err error) {
	if p.query, err = Query(r); err != nil {
		return err
	}
	var wrong fault.Fields
	p.path = r.URL.EscapedPath()
	p.Limit = IntParam(&wrong, p.query, "limit", DefaultLimit, 1, MaxLimit)
	p.Skip = IntParam(&wrong, p.query, "skip", 0, 0, MaxSkip)
	p.next = url.Values{"limit": {strconv.Itoa(p.Limit)}}
	if cursor := p.query.Get("cursor"); cursor != "" {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
		if err == nil {
			p.Before, err = uid.Parse(string(raw))
		}
		wrong.Check(err == nil, "cursor", "invalid_cursor", "Must be a cursor from a Link header.")
	}
	return wrong.Err()
}

// Param returns another parameter of the query, "" where there is none; the link
// to the next page keeps it. Call it after Bind.
func (p *PageQuery) Param(name string) string {
	value := p.query.Get(name)
	if value != "" {
		p.next.Set(name, value)
	}
	return value
}

// IntParam returns the whole number from lo to hi that a parameter of the query is,
// def where it is not there. Any other value goes to wrong.
func IntParam(wrong *fault.Fields, query url.Values, name string, def, lo, hi int) int {
	if !query.Has(name) {
		return def
	}
	n, err := strconv.Atoi(query.Get(name))
	wrong.Check(err == nil && n >= lo && n <= hi, name, "out_of_range",
		"Must be a whole number from "+strconv.Itoa(lo)+" to "+strconv.Itoa(hi)+".")
	return n
}

// A List is one page as a JSON array, with a Link to the next one when there is
// more.
type List struct {
	body []byte
	path string
	next url.Values // nil on the last page
}

// NewList returns the page of rows, which were asked for with one more than the
// limit. It ends before the row that would go over the limit or over [MaxPage];
// that there is such a row says that there is a next page. The first row always
// fits. id gives the id of a row; conv its form on the wire.
func NewList[Row, T any](p PageQuery, rows []Row, id func(Row) string, conv func(Row) T) (List, error) {
	var b bytes.Buffer
	enc := encoder(&b)
	shown := 0
	for before := "["; shown < min(len(rows), p.Limit); before = "," {
		start := b.Len()
		b.WriteString(before)
		if err := enc.Encode(conv(rows[shown])); err != nil {
			return List{}, err
		}
		b.Truncate(b.Len() - len("\n"))
		if b.Len()+len(listEnd) > MaxPage && shown > 0 {
			b.Truncate(start)
			break
		}
		shown++
	}
	if shown == 0 {
		b.WriteByte('[')
	}
	b.WriteString(listEnd)
	l := List{body: b.Bytes(), path: p.path}
	if shown < len(rows) {
		l.next = p.next
		l.next.Set("cursor", base64.RawURLEncoding.EncodeToString([]byte(id(rows[shown-1]))))
	}
	return l, nil
}

const listEnd = "]\n"

func (l List) encoded() []byte { return l.body }

// Header sets the Link.
func (l List) Header(h http.Header) {
	if l.next != nil {
		SetNextLink(h, l.path, l.next)
	}
}
