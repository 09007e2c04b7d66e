package nextcloudtest

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const multistatus = "<?xml version=\"1.0\"?>\n" +
	`<d:multistatus xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns" ` +
	`xmlns:oc="http://owncloud.org/ns" xmlns:nc="http://nextcloud.org/ns">`

// propfind answers PROPFIND (RFC 4918 section 9.1), also to any depth.
func (c *davCall) propfind() *davFault {
	wanted, err := wantedProps(c.r.Body)
	if err != nil {
		return &davFault{400, "BadRequest", "The XML is not well-formed"}
	}
	depth := map[string]int{"0": 0, "1": 1, "": 1}
	levels, bounded := depth[c.r.Header.Get("Depth")]
	if !bounded {
		levels = 1 << 20
	}
	c.mu.Lock()
	n, err := walk(c.root, c.names)
	if err != nil {
		c.mu.Unlock()
		return notFound(c.names)
	}
	at, ok := strings.CutSuffix(strings.TrimRight(c.r.URL.EscapedPath(), "/"), "")
	if !ok {
		at = ""
	}
	var b strings.Builder
	b.WriteString(multistatus)
	c.items(&b, n, hrefPath(at), levels, wanted)
	b.WriteString("</d:multistatus>\n")
	c.mu.Unlock()
	c.w.Header().Set("Vary", "Brief,Prefer")
	answer(c.w, http.StatusMultiStatus, davXML, b.String())
	return nil
}

// hrefPath writes an escaped path as the server does.
func hrefPath(escaped string) string {
	parts := strings.Split(escaped, "/")
	for i, part := range parts {
		parts[i] = href(part)
	}
	return strings.Join(parts, "/")
}

// items writes n and its descendants down to the given depth.
func (c *davCall) items(b *strings.Builder, n *node, at string, levels int, wanted []string) {
	known := c.props(n)
	slash := ""
	if n.folder() {
		slash = "/"
	}
	b.WriteString("<d:response><d:href>" + at + slash + "</d:href>")
	b.WriteString(propstats(known, wanted, c.r.ContentLength != 0))
	b.WriteString("</d:response>")
	if levels == 0 {
		return
	}
	for _, name := range n.names() {
		c.items(b, n.children[name], at+"/"+hrefOf(name), levels-1, wanted)
	}
}

// propstats writes the properties that exist, and those that do not if they were
// requested by name.
func propstats(known map[string]string, wanted []string, named bool) string {
	var found, missing strings.Builder
	for _, name := range wanted {
		switch value, has := known[name]; {
		case has && value == "":
			fmt.Fprintf(&found, "<%s/>", name)
		case has:
			fmt.Fprintf(&found, "<%s>%s</%s>", name, value, name)
		case named:
			fmt.Fprintf(&missing, "<%s/>", name)
		}
	}
	out := ""
	if found.Len() > 0 || missing.Len() == 0 {
		out = propstat(found.String(), "200 OK")
	}
	if missing.Len() > 0 {
		out += propstat(missing.String(), "404 Not Found")
	}
	return out
}

func propstat(props, status string) string {
	return "<d:propstat><d:prop>" + props + "</d:prop><d:status>HTTP/1.1 " + status + "</d:status></d:propstat>"
}

// props returns the properties of a node of the caller.
func (c *davCall) props(n *node) map[string]string {
	known := map[string]string{
		"d:getlastmodified": n.modified.UTC().Format(http.TimeFormat),
		"d:getetag":         "&quot;" + n.etag + "&quot;",
		"d:resourcetype":    "",
		"oc:fileid":         fmt.Sprint(n.id),
		"oc:id":             fmt.Sprintf("%08doc1bbel1r9q0", n.id),
		"oc:permissions":    "RGDNVW",
		"oc:size":           fmt.Sprint(n.size),
		"nc:has-preview":    "false",
	}
	if n.folder() {
		known["d:resourcetype"] = "<d:collection/>"
		known["oc:permissions"] = "RGDNVCK"
		known["d:quota-used-bytes"] = fmt.Sprint(n.size)
		known["d:quota-available-bytes"] = c.availableBytes(c.who)
		if n == c.who.files {
			known["d:quota-used-bytes"] = fmt.Sprint(c.usedBy(c.who))
			known["oc:size"] = fmt.Sprint(c.usedBy(c.who))
		}
		return known
	}
	known["d:getcontentlength"] = fmt.Sprint(n.size)
	known["d:getcontenttype"] = typeOf(n.name)
	if n.checksum != "" {
		known["oc:checksums"] = "<oc:checksum>" + escapeXML(n.checksum) + "</oc:checksum>"
	}
	return known
}

// wantedProps reads the properties that a PROPFIND asks for (RFC 4918 section
// 14.20). Without a body it returns the defaults of Nextcloud.
func wantedProps(body io.Reader) ([]string, error) {
	var doc struct {
		XMLName xml.Name `xml:"DAV: propfind"`
		Prop    struct {
			Names []struct{ XMLName xml.Name } `xml:",any"`
		} `xml:"DAV: prop"`
	}
	switch err := xml.NewDecoder(body).Decode(&doc); {
	case errors.Is(err, io.EOF):
		return []string{
			"d:getlastmodified", "d:getcontentlength", "d:resourcetype", "d:quota-used-bytes", "d:quota-available-bytes",
			"d:getetag", "d:getcontenttype",
		}, nil
	case err != nil:
		return nil, err
	}
	prefix := map[string]string{"DAV:": "d:", "http://owncloud.org/ns": "oc:", "http://nextcloud.org/ns": "nc:"}
	var names []string
	for _, n := range doc.Prop.Names {
		if p, ok := prefix[n.XMLName.Space]; ok {
			names = append(names, p+n.XMLName.Local)
		}
	}
	return names, nil
}
