package endpoint

import (
	_ "embed"
	"html"
	"strings"
)

//go:embed document.css
var documentStyle string

// DocumentStyle returns the style sheet of documents.
func DocumentStyle() string { return documentStyle }

// A Document is a page for people that needs no script. It has the look of the page at /,
// which uses the same style sheet.
type Document struct {
	Language string // the tag of the texts, such as "en"
	Title    string // also the heading
	Head     string // HTML of the head, with the style
	Body     string // HTML below the heading
}

// HTML returns the document. It escapes the title; the caller has escaped the rest.
func (d Document) HTML() []byte {
	title := html.EscapeString(d.Title)
	return []byte(strings.Join([]string{
		"<!doctype html>\n<html lang=\"", d.Language, "\">\n<head>\n<meta charset=\"utf-8\">\n",
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n",
		"<title>", title, " · VoiceAssist</title>\n", d.Head, "</head>\n<body>\n<div class=\"outside\">\n<main class=\"card\">\n<p class=\"brand\">",
		logo, " VoiceAssist</p>\n<h1>", title, "</h1>\n", d.Body, "</main>\n</div>\n</body>\n</html>\n",
	}, ""))
}

// logo is drawn as in the page at /, in the colors of the style sheet.
const logo = `<svg class="logo" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8"/>` +
	`<path d="M8 14v4M12 11v10M16 8v16M20 11v10M24 14v4"/></svg>`
