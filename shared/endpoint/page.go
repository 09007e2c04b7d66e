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
	defaultLimit = 50
	MaxLimit     = 200
	maxSkip      = 1_000_000 // beyond that, only a cursor makes sense
)

// MaxPage is the maximum size of a list response, in bytes: a page that reaches
// it ends before its limit of items. Lambda allows 6 MB, and a client that
// reads slowly keeps the response in memory.
const MaxPage = 1 << 20

var errBadQuery = fault.New(fault.Malformed, "malformed_query", "The query cannot be parsed.")

// Query returns the parsed query of r. It refuses text that is not UTF-8, or
// contains NUL, which no database accepts as text.
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

// SetNextLink sets the Link header to the next page (RFC 8288).
func SetNextLink(h http.Header, path string, query url.Values) {
	h.Set("Link", "<"+path+"?"+query.Encode()+`>; rel="next"`)
}

// A PageQuery is the part of a request that selects a page of a list: limit,
// skip and cursor. Embed it, and call its Bind.
type PageQuery struct {
	Limit  int    `json:"-"`
	Skip   int    `json:"-"`
	Before string `json:"-"` // the id in the cursor
	Key    string `json:"-"` // in the cursor of a list that is sorted by a key and then by id

	path  string
	query url.Values // as it was sent
	next  url.Values // the query of the next page
}

// Bind parses the query of a list that is sorted by id.
func (p *PageQuery) Bind(r *http.Request) error {
	if err := p.BindKeyed(r); err != nil {
		return err
	}
	return p.CheckCursor(false)
}

// BindKeyed parses the query of a list that may be sorted by a key. Call
// CheckCursor after it.
func (p *PageQuery) BindKeyed(r *http.Request) (err error) {
	if p.query, err = Query(r); err != nil {
		return err
	}
	var wrong fault.Fields
	p.path = r.URL.EscapedPath()
	p.Limit = IntParam(&wrong, p.query, "limit", defaultLimit, 1, MaxLimit)
	p.Skip = IntParam(&wrong, p.query, "skip", 0, 0, maxSkip)
	p.next = url.Values{"limit": {strconv.Itoa(p.Limit)}}
	if cursor := p.query.Get("cursor"); cursor != "" {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
		if err == nil {
			id := raw[:min(len(raw), uid.Length)]
			p.Key = string(raw[len(id):])
			p.Before, err = uid.Parse(string(id))
		}
		wrong.Check(err == nil, "cursor", "invalid_cursor", badCursor)
	}
	return wrong.Err()
}

const badCursor = "Must be a cursor from a Link header."

// CheckCursor returns an error for a cursor of another list: keyed is whether the
// list is sorted by a key.
func (p *PageQuery) CheckCursor(keyed bool) error {
	var wrong fault.Fields
	wrong.Check(p.Before == "" || keyed == (p.Key != ""), "cursor", "invalid_cursor", badCursor)
	return wrong.Err()
}

// Param returns another parameter of the query, or "". The link to the next
// page contains it. Call it after Bind.
func (p *PageQuery) Param(name string) string {
	value := p.query.Get(name)
	if value != "" {
		p.next.Set(name, value)
	}
	return value
}

// Params is Param for a list: it returns all values of the parameter, separated by commas.
func (p *PageQuery) Params(name string) string {
	values := strings.Join(p.query[name], ",")
	if values != "" {
		p.next.Set(name, values)
	}
	return values
}

// IntParam returns a query parameter as an integer from lo to hi, or def if it
// is absent. It adds an error to wrong for any other value.
func IntParam(wrong *fault.Fields, query url.Values, name string, def, lo, hi int) int {
	if !query.Has(name) {
		return def
	}
	n, err := strconv.Atoi(query.Get(name))
	wrong.Check(err == nil && n >= lo && n <= hi, name, "out_of_range",
		"Must be a whole number from "+strconv.Itoa(lo)+" to "+strconv.Itoa(hi)+".")
	return n
}

// A List is a page as a JSON array, with a Link to the next page if there is
// one.
type List struct {
	body []byte
	path string
	next url.Values // nil on the last page
}

// NewList returns the page of rows, which the caller queried with a limit one
// higher than that of the page: a surplus row shows that there is a next page.
// The page ends before it exceeds its limit or [MaxPage], but always contains
// the first row. cursor returns the id of a row, followed by the key if the list is
// sorted by one. conv returns the form of a row on the wire.
func NewList[Row, T any](p PageQuery, rows []Row, cursor func(Row) string, conv func(Row) T) (List, error) {
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
		l.next.Set("cursor", base64.RawURLEncoding.EncodeToString([]byte(cursor(rows[shown-1]))))
	}
	return l, nil
}

const listEnd = "]\n"

func (l List) encoded() []byte { return l.body }

// Header sets the Link header.
func (l List) Header(h http.Header) {
	if l.next != nil {
		SetNextLink(h, l.path, l.next)
	}
}
