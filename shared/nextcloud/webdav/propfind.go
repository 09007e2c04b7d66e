package webdav

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

const maxListing = 64 << 20 // bytes of the XML of one listing; about 100,000 entries

// An Entry is a file or a folder.
type Entry struct {
	Path        Path
	Folder      bool
	Size        int64     // bytes; of a folder, with its content
	ContentType string    // from the extension of the name; "" for a folder
	ETag        string    // RFC 9110 section 8.8.3, with quotes
	ModifiedAt  time.Time // to the second; zero if unknown
}

const propfindBody = `<?xml version="1.0"?><d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop>` +
	`<d:resourcetype/><d:getetag/><d:getlastmodified/><d:getcontentlength/><d:getcontenttype/><oc:size/>` +
	`</d:prop></d:propfind>`

// Stat returns the entry at p, or [ErrNotFound].
func (f *Folder) Stat(ctx context.Context, p Path) (Entry, error) {
	var found Entry
	err := f.propfind(ctx, "stat", p, "0", func(e Entry) error {
		if e.Path == p {
			found = e
		}
		return nil
	})
	switch {
	case err != nil:
		return Entry{}, err
	case found.ETag == "": // the folder of another user exists, but has no ETag
		return Entry{}, &Error{Op: "stat", Kind: ErrNotFound, Status: http.StatusMultiStatus}
	}
	return found, nil
}

// List calls each for every entry of the folder p as it arrives, in the server's order. It
// returns [ErrIsFile] for a file, and [ErrTooMuch] for a folder that is too large to be
// listed. An error of each ends the listing and is wrapped. After an error, the entries so
// far are not a complete listing.
func (f *Folder) List(ctx context.Context, p Path, each func(Entry) error) error {
	isFile := false
	err := f.propfind(ctx, "list", p, "1", func(e Entry) error {
		if e.Path == p {
			isFile = !e.Folder
			return nil
		}
		return each(e)
	})
	if err == nil && isFile {
		return &Error{Op: "list", Kind: ErrIsFile, Status: http.StatusMultiStatus}
	}
	return err
}

// Errors of malformed listings.
var (
	errHref   = errors.New("an entry of another folder")
	errNoSelf = errors.New("the answer does not tell of what was asked for")
)

// propfind calls each for every item of the response as it arrives.
func (f *Folder) propfind(ctx context.Context, op string, p Path, depth string, each func(Entry) error) error {
	resp, err := f.do(ctx, call{
		op: op, method: "PROPFIND", url: f.of(p), ok: []int{http.StatusMultiStatus},
		header: http.Header{"Depth": {depth}, "Content-Type": {"application/xml"}}, text: propfindBody,
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body := &io.LimitedReader{R: resp.Body, N: maxListing}
	switch err = f.items(body, p, each); {
	case err != nil && body.N <= 0:
		return &Error{Op: op, Kind: ErrTooMuch, Status: resp.StatusCode}
	case err != nil:
		return &Error{Op: op, Kind: ocs.ErrBadAnswer, Status: resp.StatusCode, cause: err}
	}
	return nil
}

// items reads a multistatus response (RFC 4918 section 13) item by item.
func (f *Folder) items(body io.Reader, p Path, each func(Entry) error) error {
	dec, self, root := xml.NewDecoder(body), false, false
	for {
		t, err := dec.Token()
		switch {
		case errors.Is(err, io.EOF) && root && self:
			return nil
		case errors.Is(err, io.EOF):
			return errNoSelf
		case err != nil:
			return err
		}
		start, ok := t.(xml.StartElement)
		switch {
		case !ok:
			continue
		case start.Name.Space == "DAV:" && start.Name.Local == "multistatus":
			root = true
			continue
		case !root || start.Name.Space != "DAV:" || start.Name.Local != "response":
			return errNoSelf
		}
		var it item
		if err := dec.DecodeElement(&it, &start); err != nil {
			return err
		}
		e, err := f.entry(it, p)
		if err != nil {
			return err
		}
		self = self || e.Path == p
		if err := each(e); err != nil {
			return err
		}
	}
}

// An item is a response element (RFC 4918 section 14.24).
type item struct {
	Href  string `xml:"DAV: href"`
	Stats []struct {
		Status string `xml:"DAV: status"`
		Prop   struct {
			Type struct {
				Collection *struct{} `xml:"DAV: collection"`
			} `xml:"DAV: resourcetype"`
			ETag     string `xml:"DAV: getetag"`
			Modified string `xml:"DAV: getlastmodified"`
			Length   string `xml:"DAV: getcontentlength"`
			Kind     string `xml:"DAV: getcontenttype"`
			Size     string `xml:"http://owncloud.org/ns size"`
		} `xml:"DAV: prop"`
	} `xml:"DAV: propstat"`
}

func (f *Folder) entry(r item, p Path) (Entry, error) {
	at, err := f.pathOf(r.Href, p)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Path: at}
	for _, s := range r.Stats {
		if !strings.Contains(s.Status, " 200 ") {
			continue
		}
		e.Folder, e.ETag, e.ContentType = s.Prop.Type.Collection != nil, s.Prop.ETag, s.Prop.Kind
		e.ModifiedAt, _ = http.ParseTime(s.Prop.Modified)
		size := s.Prop.Length
		if e.Folder {
			size = s.Prop.Size
		}
		e.Size, _ = strconv.ParseInt(size, 10, 64)
	}
	return e, nil
}

// pathOf returns the path of an item: p itself, or an entry of p. A server may spell the
// user in another letter case, and may send a complete URL, so only the part after the user
// is compared.
func (f *Folder) pathOf(href string, p Path) (Path, error) {
	u, err := url.Parse(href)
	if err != nil {
		return Path{}, errHref
	}
	_, below, found := strings.Cut(u.EscapedPath(), "/remote.php/dav/files/")
	if !found {
		return Path{}, errHref
	}
	_, below, _ = strings.Cut(below, "/")
	names := strings.Split(strings.TrimSuffix(below, "/"), "/")
	for i, name := range names {
		if names[i], err = url.PathUnescape(name); err != nil {
			return Path{}, errHref
		}
		names[i] = norm.NFC.String(names[i])
	}
	at := Path{strings.Join(names, "/")}
	if at == p || p.child(names[len(names)-1]) == at && !at.IsRoot() {
		return at, nil
	}
	return Path{}, errHref
}
