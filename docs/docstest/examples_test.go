package docstest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/voiceassist/gateway/docs"
)

// TestDocument_ExamplesAreAsDescribed sends every example of the document
// through its own schema.
func TestDocument_ExamplesAreAsDescribed(t *testing.T) {
	t.Parallel()
	root, err := jsonschema.UnmarshalJSON(strings.NewReader(docs.OpenAPI()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("openapi.json", root); err != nil {
		t.Fatal(err)
	}
	found := 0
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case []any:
			for i, item := range v {
				walk(fmt.Sprintf("%s/%d", at, i), item)
			}
		case map[string]any:
			examples, ok := v["examples"].(map[string]any)
			if one, alone := v["example"]; alone {
				examples, ok = map[string]any{"alone": map[string]any{"value": one}}, true
			}
			if ok && v["schema"] != nil {
				schema, err := c.Compile("openapi.json#" + at + "/schema")
				if err != nil {
					t.Fatal(err)
				}
				for name, example := range examples {
					found++
					value, ok := example.(map[string]any)["value"]
					if !ok {
						t.Errorf("%s: the example %s has no value", at, name)
					}
					if err := schema.Validate(value); err != nil {
						t.Errorf("%s: the example %s is not as described: %v", at, name, err)
					}
				}
				return
			}
			for name, member := range v {
				walk(at+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(name), member)
			}
		}
	}
	walk("", root)
	if found < 50 {
		t.Errorf("only %d examples were found", found)
	}
}

// TestDocument_HasExamples has an example of every body that a call reads or
// returns, and of every parameter in a path. Types that stand for any content are
// left out.
func TestDocument_HasExamples(t *testing.T) {
	t.Parallel()
	type parameter struct {
		Ref, Name, In string
		Example       any
	}
	type response struct {
		Ref     string
		Content map[string]struct{ Examples map[string]any }
	}
	type operation struct {
		Parameters  []parameter
		RequestBody response
		Responses   map[string]response
	}
	var document struct {
		Paths      map[string]map[string]json.RawMessage
		Components struct {
			Parameters map[string]parameter
			Responses  map[string]response
		}
	}
	text := strings.ReplaceAll(docs.OpenAPI(), `"$ref"`, `"ref"`)
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	last := func(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }
	exemplified := func(call, what string, r response) (found int) {
		if r.Ref != "" {
			r = document.Components.Responses[last(r.Ref)]
		}
		for mediaType, content := range r.Content {
			if mediaType != "*/*" && len(content.Examples) == 0 {
				t.Errorf("%s: no example of %s, %s", call, what, mediaType)
			}
			found++
		}
		return found
	}
	inPath := func(call string, raw json.RawMessage) {
		var parameters []parameter
		if err := json.Unmarshal(raw, &parameters); err != nil {
			t.Fatal(err)
		}
		for _, p := range parameters {
			if p.Ref != "" {
				p = document.Components.Parameters[last(p.Ref)]
			}
			if p.In == "path" && p.Example == nil {
				t.Errorf("%s: no example of the parameter %s", call, p.Name)
			}
		}
	}
	found := 0
	for path, methods := range document.Paths {
		for method, raw := range methods {
			call := strings.ToUpper(method) + " " + path
			if method == "parameters" {
				inPath(path, raw)
				continue
			}
			var o operation
			if err := json.Unmarshal(raw, &o); err != nil {
				t.Fatalf("%s: %v", call, err)
			}
			list, err := json.Marshal(o.Parameters)
			if err != nil {
				t.Fatal(err)
			}
			inPath(call, list)
			found += exemplified(call, "the request", o.RequestBody)
			for status, r := range o.Responses {
				found += exemplified(call, "the response "+status, r)
			}
		}
	}
	if found < 300 {
		t.Errorf("only %d bodies were found", found)
	}
}
