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

const maxListing = 64 << 20 // bytes of the XML of one listing, some 100,000 entries

// An Entry is a file or a folder.
type Entry struct {
	Path        Path
	Folder      bool
	Size        int64     // bytes; of a folder, of all that is in it
	ContentType string    // by the name's extension; "" for a folder
	ETag        string    // as RFC 9110 section 8.8.3 has it, with its quotes
	ModifiedAt  time.Time // to the second; zero when unknown
}

const wanted = `<?xml version="1.0"?><d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop>` +
	`<d:resourcetype/><d:getetag/><d:getlastmodified/><d:getcontentlength/><d:getcontenttype/><oc:size/>` +
	`</d:prop></d:propfind>`

// Stat returns what is at p, or [ErrNotFound].
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
	case found.ETag == "": // a folder that is not the user's answers, too, but has none
		return Entry{}, &Error{Op: "stat", Kind: ErrNotFound, Status: http.StatusMultiStatus}
	}
	return found, nil
}

// List calls each with what is in the folder p, as it comes, in the server's
// order. It returns [ErrIsFile] for a file, [ErrTooMuch] for a folder that is too
// large to be listed, and otherwise what each returned, which ends the listing.
// What was told before an error counts for nothing.
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

// What is wrong with a listing.
var (
	errHref   = errors.New("an entry of another folder")
	errNoSelf = errors.New("the answer does not tell of what was asked for")
)

// propfind calls each with every item of the answer, as it comes.
func (f *Folder) propfind(ctx context.Context, op string, p Path, depth string, each func(Entry) error) error {
	resp, err := f.do(ctx, call{
		op: op, method: "PROPFIND", url: f.of(p), ok: []int{http.StatusMultiStatus},
		header: http.Header{"Depth": {depth}, "Content-Type": {"application/xml"}}, text: wanted,
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

// items reads a multistatus (RFC 4918 section 13) item by item.
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
		var item response
		if err := dec.DecodeElement(&item, &start); err != nil {
			return err
		}
		e, err := f.entry(item, p)
		if err != nil {
			return err
		}
		self = self || e.Path == p
		if err := each(e); err != nil {
			return err
		}
	}
}

// A response is one item (RFC 4918 section 14.24).
type response struct {
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

func (f *Folder) entry(r response, p Path) (Entry, error) {
	at, err := f.whose(r.Href, p)
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

// whose returns the path of an item: p itself, or what lies directly in it. The
// user may be written otherwise than we did, and a server may give a whole URL,
// so only what comes behind the user is looked at.
func (f *Folder) whose(href string, p Path) (Path, error) {
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
