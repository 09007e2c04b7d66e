package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A document is the part of an OpenAPI 3.1 document that a collection is made of.
type document struct {
	Info       struct{ Title, Description string }
	Security   []map[string]any
	Paths      map[string]map[string]json.RawMessage // by path, then by method
	Components struct {
		Parameters      map[string]parameter
		Responses       map[string]response
		Schemas         map[string]schema
		SecuritySchemes map[string]struct{ Type string }
	}
}

// An operation is a method of a path, with its references resolved.
type operation struct {
	ID          string `json:"operationId"`
	Summary     string
	Description string
	Security    *[]map[string]any
	Parameters  []parameter
	RequestBody struct{ Content map[string]media }
	Responses   map[string]response

	method, path string
	bearer       bool // takes an access token
}

type parameter struct {
	Ref         string `json:"$ref"`
	Name        string
	In          string
	Description string
}

type response struct {
	Ref     string `json:"$ref"`
	Content map[string]media
}

type media struct {
	Schema   schema
	Examples map[string]struct{ Value json.RawMessage }
}

type schema struct {
	Ref        string `json:"$ref"`
	Required   []string
	Properties map[string]schema
	Items      *schema
	Enum       []any
}

// operations returns the operations of the document in text, by operationId.
func operations(text string) (*document, map[string]*operation, error) {
	var d document
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return nil, nil, err
	}
	all := map[string]*operation{}
	for path, item := range d.Paths {
		var shared []parameter
		if raw, there := item["parameters"]; there {
			if err := json.Unmarshal(raw, &shared); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", path, err)
			}
		}
		for _, method := range []string{"get", "post", "put", "patch", "delete"} {
			raw, there := item[method]
			if !there {
				continue
			}
			o := &operation{method: strings.ToUpper(method), path: path}
			if err := json.Unmarshal(raw, o); err != nil {
				return nil, nil, fmt.Errorf("%s %s: %w", o.method, path, err)
			}
			o.Parameters = append(o.Parameters, shared...)
			d.resolve(o)
			all[o.ID] = o
		}
	}
	return &d, all, nil
}

// resolve replaces the references of o, except those to schemas.
func (d *document) resolve(o *operation) {
	for i, p := range o.Parameters {
		if p.Ref != "" {
			o.Parameters[i] = d.Components.Parameters[last(p.Ref)]
		}
	}
	for status, r := range o.Responses {
		if r.Ref != "" {
			o.Responses[status] = d.Components.Responses[last(r.Ref)]
		}
	}
	security := d.Security
	if o.Security != nil {
		security = *o.Security
	}
	for _, requirement := range security {
		for scheme := range requirement {
			kind := d.Components.SecuritySchemes[scheme].Type
			o.bearer = o.bearer || kind == "http" || kind == "oauth2"
		}
	}
}

// example returns the one example of o's JSON request body, nil when it takes none.
func (o *operation) example() (json.RawMessage, error) {
	content, takes := o.RequestBody.Content["application/json"]
	if !takes {
		return nil, nil
	}
	if len(content.Examples) != 1 {
		return nil, fmt.Errorf("%s has %d examples of a request body; the step must give its own", o.ID, len(content.Examples))
	}
	for _, e := range content.Examples {
		return e.Value, nil
	}
	return nil, nil
}

// schema returns the schema that s refers to, or s.
func (d *document) schema(s schema) schema {
	if s.Ref != "" {
		return d.Components.Schemas[last(s.Ref)]
	}
	return s
}

// members returns JavaScript statements that expect the required members of s,
// at any depth, in the value of the expression at.
func (d *document) members(s schema, at string) []string {
	s = d.schema(s)
	if s.Items != nil {
		inner := d.members(*s.Items, "item")
		lines := []string{fmt.Sprintf(`pm.expect(%s).to.be.an("array");`, at)}
		if len(inner) > 0 {
			lines = append(lines, at+".forEach(function (item) {")
			lines = append(append(lines, indent(inner)...), "});")
		}
		return lines
	}
	if len(s.Required) == 0 {
		return nil
	}
	keys, _ := json.Marshal(s.Required)
	lines := []string{fmt.Sprintf("pm.expect(%s).to.include.all.keys(%s);", at, strings.ReplaceAll(string(keys), ",", ", "))}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if slices.Contains(s.Required, name) {
			lines = append(lines, d.members(s.Properties[name], at+"."+name)...)
		}
	}
	return lines
}

func indent(lines []string) []string {
	indented := make([]string, len(lines))
	for i, line := range lines {
		if line != "" {
			indented[i] = "  " + line
		}
	}
	return indented
}

// last returns the last segment of a reference.
func last(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }
