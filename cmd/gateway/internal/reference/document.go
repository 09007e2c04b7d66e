package reference

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/voiceassist/gateway/docs"
	"github.com/voiceassist/gateway/shared/foundation/version"
)

// A document is the part of an OpenAPI 3.1 document that the page shows, in the
// order of the file.
type document struct {
	Info struct {
		Title       string `json:"title"`
		Version     string `json:"version"`
		Summary     string `json:"summary"`
		Description string `json:"description"`
	} `json:"info"`
	Tags []struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	} `json:"tags"`
	Paths      members[pathItem] `json:"paths"`
	Components struct {
		Parameters map[string]parameter `json:"parameters"`
		Headers    map[string]header    `json:"headers"`
		Responses  members[response]    `json:"responses"`
		Schemas    members[schema]      `json:"schemas"`
		Security   members[scheme]      `json:"securitySchemes"`
	} `json:"components"`
}

type pathItem struct {
	Parameters []parameter `json:"parameters"`
	Get        *operation  `json:"get"`
	Post       *operation  `json:"post"`
	Put        *operation  `json:"put"`
	Patch      *operation  `json:"patch"`
	Delete     *operation  `json:"delete"`
}

type operation struct {
	Method string `json:"-"`
	Path   string `json:"-"`

	ID          string            `json:"operationId"`
	Tags        []string          `json:"tags"`
	Summary     string            `json:"summary"`
	Description string            `json:"description"`
	Security    []map[string]any  `json:"security"`
	Parameters  []parameter       `json:"parameters"`
	RequestBody *body             `json:"requestBody"`
	Responses   members[response] `json:"responses"`
}

type parameter struct {
	Ref         string `json:"$ref"`
	Name        string `json:"name"`
	In          string `json:"in"`
	Required    bool   `json:"required"`
	Description string `json:"description"`
	Schema      schema `json:"schema"`
}

type header struct {
	Ref         string `json:"$ref"`
	Description string `json:"description"`
}

type body struct {
	Required    bool           `json:"required"`
	Description string         `json:"description"`
	Content     members[media] `json:"content"`
}

type response struct {
	Ref         string          `json:"$ref"`
	Description string          `json:"description"`
	Headers     members[header] `json:"headers"`
	Content     members[media]  `json:"content"`
}

type media struct {
	Schema   schema           `json:"schema"`
	Examples members[example] `json:"examples"`
}

type example struct {
	Summary string          `json:"summary"`
	Value   json.RawMessage `json:"value"`
}

type scheme struct {
	Description string `json:"description"`
}

// A schema is the part of a JSON Schema that the page shows.
type schema struct {
	Ref         string            `json:"$ref"`
	Type        types             `json:"type"`
	Format      string            `json:"format"`
	Description string            `json:"description"`
	Enum        []json.RawMessage `json:"enum"`
	Const       json.RawMessage   `json:"const"`
	Default     json.RawMessage   `json:"default"`
	Properties  members[schema]   `json:"properties"`
	Required    []string          `json:"required"`
	Items       *schema           `json:"items"`
	AnyOf       []schema          `json:"anyOf"`
}

// types is one type or several. JSON Schema writes them as a string or an array.
type types []string

// UnmarshalJSON reads either form.
func (t *types) UnmarshalJSON(raw []byte) error {
	if raw[0] == '[' {
		return json.Unmarshal(raw, (*[]string)(t))
	}
	*t = types{""}
	return json.Unmarshal(raw, &(*t)[0])
}

// members are the members of a JSON object, in the order of the text.
type members[T any] []member[T]

type member[T any] struct {
	Name  string
	Value T
}

// UnmarshalJSON reads an object.
func (m *members[T]) UnmarshalJSON(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("not an object: %.20s", raw)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		next := member[T]{Name: fmt.Sprint(name)}
		if err := dec.Decode(&next.Value); err != nil {
			return fmt.Errorf("%s: %w", next.Name, err)
		}
		*m = append(*m, next)
	}
	return nil
}

// documentText returns the document with the version of this program in place of
// the one in the file.
func documentText() string {
	const placeholder = `"version": "devel"`
	v, err := json.Marshal(version.String())
	if err != nil || !strings.Contains(docs.OpenAPI(), placeholder) {
		panic("reference: docs/openapi.json has no " + placeholder) // it is part of the program
	}
	return strings.Replace(docs.OpenAPI(), placeholder, `"version": `+string(v), 1)
}

// load parses the document of this program and resolves its references, except
// those to schemas and shared responses.
func load() *document {
	var d document
	if err := json.Unmarshal([]byte(documentText()), &d); err != nil {
		panic("reference: docs/openapi.json: " + err.Error()) // it is part of the program
	}
	for i := range d.Components.Responses {
		d.resolveHeaders(&d.Components.Responses[i].Value)
	}
	for i := range d.Paths {
		for _, o := range d.Paths[i].Value.operations() {
			o.Path = d.Paths[i].Name
			o.Parameters = append(o.Parameters, d.Paths[i].Value.Parameters...)
			for i, p := range o.Parameters {
				if p.Ref != "" {
					o.Parameters[i] = d.Components.Parameters[refName(p.Ref)]
				}
			}
			for i := range o.Responses {
				d.resolveHeaders(&o.Responses[i].Value)
			}
		}
	}
	return &d
}

// resolveHeaders replaces references to headers in r. References to responses stay:
// a shared response is shown once, and operations link to it.
func (d *document) resolveHeaders(r *response) {
	for i, h := range r.Headers {
		if h.Value.Ref != "" {
			r.Headers[i].Value = d.Components.Headers[refName(h.Value.Ref)]
		}
	}
}

// operations returns the operations of the path, with their methods set.
func (p *pathItem) operations() []*operation {
	var defined []*operation
	for _, o := range []struct {
		method string
		*operation
	}{{"GET", p.Get}, {"POST", p.Post}, {"PUT", p.Put}, {"PATCH", p.Patch}, {"DELETE", p.Delete}} {
		if o.operation != nil {
			o.Method = o.method
			defined = append(defined, o.operation)
		}
	}
	return defined
}

// operations returns the operations of all paths.
func (d *document) operations() []*operation {
	var all []*operation
	for i := range d.Paths {
		all = append(all, d.Paths[i].Value.operations()...)
	}
	return all
}

// refName returns the last segment of a reference.
func refName(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }
