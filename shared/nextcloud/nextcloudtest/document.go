package nextcloudtest

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"strings"
)

// An object is a JSON object with ordered members: the same document is also
// rendered as XML, where the order is visible.
type object []member

type member struct {
	name  string
	value any // nil, bool, string, number, []any or object
}

// MarshalJSON renders the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var b strings.Builder
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return []byte(b.String()), nil
}

func (o object) json() string {
	b, err := json.Marshal(o)
	if err != nil { // only for values that no code of this package puts in
		return "null"
	}
	return string(b)
}

// xml renders the object as Nextcloud does: indented by one blank for each
// level, list items as "element", empty values as nothing.
func (o object) xml() string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\"?>\n")
	writeXML(&b, "", o)
	return b.String()
}

func writeXML(b *strings.Builder, indent string, o object) {
	for _, m := range o {
		var children object
		switch v := m.value.(type) {
		case object:
			children = v
		case []any:
			for _, item := range v {
				children = append(children, member{"element", item})
			}
		default:
			fmt.Fprintf(b, "%s<%s>%s</%s>\n", indent, m.name, textXML(v), m.name)
			continue
		}
		if len(children) == 0 {
			fmt.Fprintf(b, "%s<%s/>\n", indent, m.name)
			continue
		}
		fmt.Fprintf(b, "%s<%s>\n", indent, m.name)
		writeXML(b, indent+" ", children)
		fmt.Fprintf(b, "%s</%s>\n", indent, m.name)
	}
}

// textXML returns a value as PHP prints it: true is 1, false and null are empty.
func textXML(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		if v {
			return "1"
		}
		return ""
	case string:
		return escapeXML(v)
	}
	return fmt.Sprint(v)
}

func escapeXML(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return strings.ReplaceAll(b.String(), "&#xA;", "\n")
}
