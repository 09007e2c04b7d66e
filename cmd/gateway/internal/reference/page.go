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

// render returns the page of d, which loads the files of v.
func render(d *document, v *viewer) string {
	t := template.Must(template.New("page").Funcs(template.FuncMap{
		"paragraphs":  paragraphs,
		"spans":       spans,
		"pretty":      pretty,
		"refName":     refName,
		"tagged":      d.tagged,
		"credentials": credentials,
		"codes":       codes,
		"contains":    func(list []string, item string) bool { return slices.Contains(list, item) },
		"schemaAt":    func(ref string) string { return "schema-" + refName(ref) },
		"described":   func(ref string) string { return d.schema(refName(ref)).Description },
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

// credentials describes the credentials that an operation accepts.
func credentials(o *operation) string {
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

// codes returns the problem codes that s lists. It is empty if s is not a problem.
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

// A span is a part of a paragraph.
type span struct {
	Text string
	Code bool // in backticks
}

// paragraphs splits text into paragraphs of spans. It supports only the Markdown
// that the document uses: blank lines and backticks.
func paragraphs(text string) [][]span {
	if text == "" {
		return nil
	}
	var paragraphs [][]span
	for p := range strings.SplitSeq(text, "\n\n") {
		paragraphs = append(paragraphs, spans(p))
	}
	return paragraphs
}

func spans(text string) []span {
	var list []span
	code := false
	for part := range strings.SplitSeq(text, "`") {
		if part != "" {
			list = append(list, span{part, code})
		}
		code = !code
	}
	return list
}

// pretty returns indented JSON.
func pretty(raw json.RawMessage) (string, error) {
	var b bytes.Buffer
	err := json.Indent(&b, raw, "", "  ")
	return b.String(), err
}
