package endpoint

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/voiceassist/gateway/shared/fault"
	"github.com/voiceassist/gateway/shared/uid"
)

// The sizes of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 200
	MaxSkip      = 1_000_000 // past that a cursor is the only way that makes sense
)

// A PageQuery is the part of a request that asks for a page of a list: limit,
// skip and cursor. Embed it, and call its Bind.
type PageQuery struct {
	Limit  int    `json:"-"`
	Skip   int    `json:"-"`
	Before string `json:"-"` // the id that the cursor stands for

	path  string
	query url.Values
}

// Bind reads the query.
func (p *PageQuery) Bind(r *http.Request) error {
	var wrong fault.Fields
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return fault.New(fault.Malformed, "malformed_query", "The query cannot be parsed.").Because(err)
	}
	p.path, p.query = r.URL.EscapedPath(), query
	p.Limit = whole(&wrong, query, "limit", DefaultLimit, 1, MaxLimit)
	p.Skip = whole(&wrong, query, "skip", 0, 0, MaxSkip)
	if cursor := query.Get("cursor"); cursor != "" {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
		if err == nil {
			p.Before, err = uid.Parse(string(raw))
		}
		wrong.Check(err == nil, "cursor", "invalid_cursor", "Must be a cursor from a Link header.")
	}
	return wrong.Err()
}

func whole(wrong *fault.Fields, query url.Values, name string, def, lo, hi int) int {
	if !query.Has(name) {
		return def
	}
	n, err := strconv.Atoi(query.Get(name))
	wrong.Check(err == nil && n >= lo && n <= hi, name, "out_of_range",
		"Must be a whole number from "+strconv.Itoa(lo)+" to "+strconv.Itoa(hi)+".")
	return n
}

// A List is one page as a JSON array, with a Link to the next one (RFC 8288)
// when there is more.
type List[T any] struct {
	Items []T
	next  string
}

// PageOf returns the page of rows, which were asked for with one more than the
// limit: the extra row says that there is a next page and is left out. id gives
// the id of a row; conv its form on the wire.
func PageOf[Row, T any](p PageQuery, rows []Row, id func(Row) string, conv func(Row) T) List[T] {
	var next string
	if len(rows) > p.Limit {
		rows = rows[:p.Limit]
		q := p.query
		q.Del("skip")
		q.Set("limit", strconv.Itoa(p.Limit))
		q.Set("cursor", base64.RawURLEncoding.EncodeToString([]byte(id(rows[len(rows)-1]))))
		next = p.path + "?" + q.Encode()
	}
	items := make([]T, len(rows))
	for i, row := range rows {
		items[i] = conv(row)
	}
	return List[T]{Items: items, next: next}
}

// MarshalJSON returns the array.
func (l List[T]) MarshalJSON() ([]byte, error) { return json.Marshal(l.Items) }

// Header sets the Link.
func (l List[T]) Header(h http.Header) {
	if l.next != "" {
		h.Set("Link", "<"+l.next+`>; rel="next"`)
	}
}
