package reference

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"slices"
	"strings"
)

//go:embed page.html
var layout string

// render returns the page, which loads v.
func render(d *document, v *viewer) string {
	t := template.Must(template.New("page").Funcs(template.FuncMap{
		"prose":     prose,
		"pieces":    pieces,
		"pretty":    pretty,
		"last":      last,
		"tagged":    d.tagged,
		"needs":     needs,
		"codes":     codes,
		"contains":  func(list []string, item string) bool { return slices.Contains(list, item) },
		"schemaAt":  func(ref string) string { return "schema-" + last(ref) },
		"described": func(ref string) string { return d.schema(last(ref)).Description },
	}).Parse(layout))
	var b bytes.Buffer
	err := t.Execute(&b, struct {
		*document
		*viewer
	}{d, v})
	if err != nil {
		panic("reference: " + err.Error()) // template and document are parts of the program
	}
	return b.String()
}

// schema returns the schema of that name.
func (d *document) schema(name string) schema {
	for _, s := range d.Components.Schemas {
		if s.Name == name {
			return s.Value
		}
	}
	return schema{}
}

// tagged returns the operations that have the tag.
func (d *document) tagged(tag string) []*operation {
	return slices.DeleteFunc(d.operations(), func(o *operation) bool { return !slices.Contains(o.Tags, tag) })
}

// needs says what a caller may prove itself with.
func needs(o *operation) string {
	words := make([]string, len(o.Security))
	for i, way := range o.Security {
		words[i] = "none"
		for name := range way {
			words[i] = name
		}
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, " or ")
}

// codes returns the problem codes of s in words, "" where it is no problem.
func codes(s schema) []string {
	var list []string
	for _, property := range s.Properties {
		if property.Name == "code" {
			for _, raw := range property.Value.Enum {
				list = append(list, strings.Trim(string(raw), `"`))
			}
		}
	}
	return list
}

// A piece is a part of a sentence.
type piece struct {
	Text string
	Code bool // as programs write it
}

// prose splits text into paragraphs of pieces. Of Markdown it knows blank lines
// and backticks; the document uses no more.
func prose(text string) [][]piece {
	if text == "" {
		return nil
	}
	var paragraphs [][]piece
	for p := range strings.SplitSeq(text, "\n\n") {
		paragraphs = append(paragraphs, pieces(p))
	}
	return paragraphs
}

func pieces(text string) []piece {
	var list []piece
	code := false
	for part := range strings.SplitSeq(text, "`") {
		if part != "" {
			list = append(list, piece{part, code})
		}
		code = !code
	}
	return list
}

// pretty returns JSON on several lines.
func pretty(raw json.RawMessage) (string, error) {
	var b bytes.Buffer
	err := json.Indent(&b, raw, "", "  ")
	return b.String(), err
}
