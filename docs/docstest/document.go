package docstest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/voiceassist/gateway/docs"
)

// A document is docs/openapi.json with its schemas compiled.
type document struct {
	mux              *http.ServeMux // finds the path of a request in the same way as the gateway
	paths            map[string]map[string]*operation
	noSuchAddress    *response
	methodNotAllowed *response
}

type operation struct {
	query        map[string]*jsonschema.Schema
	body         map[string]*jsonschema.Schema // by media type
	bodyRequired bool
	responses    map[int]*response
}

type response struct {
	headers []header
	content map[string]*jsonschema.Schema // by media type; empty if there is no body
}

// anyMediaType allows every media type.
const anyMediaType = "*/*"

type header struct {
	name     string
	required bool
	schema   *jsonschema.Schema
}

func (o *operation) statuses() []int { return slices.Sorted(maps.Keys(o.responses)) }
func (a *response) types() []string  { return slices.Sorted(maps.Keys(a.content)) }

// loadDocument returns the compiled document, which all tests of a process share.
var loadDocument = sync.OnceValues(func() (*document, error) {
	return compile(docs.OpenAPI())
})

// location is the URL of the document in the compiler.
const location = "docs:///openapi.json"

// A compiler builds a document from the JSON of an OpenAPI document. Its methods
// take JSON pointers, because these identify schemas.
type compiler struct {
	root    any
	schemas *jsonschema.Compiler
	err     error // the first error
}

func compile(text string) (*document, error) {
	root, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := &compiler{root: root, schemas: jsonschema.NewCompiler()}
	c.schemas.DefaultDraft(jsonschema.Draft2020)
	c.schemas.AssertFormat()
	for _, format := range formats() {
		c.schemas.RegisterFormat(format)
	}
	if err := c.schemas.AddResource(location, root); err != nil {
		return nil, err
	}
	d := &document{
		mux: http.NewServeMux(), paths: map[string]map[string]*operation{},
		noSuchAddress:    c.response("/components/responses/NoSuchAddress"),
		methodNotAllowed: c.response("/components/responses/MethodNotAllowed"),
	}
	for path := range c.members("/paths") {
		at := "/paths/" + escapeToken(path)
		path = strings.Replace(path, "{path}", "{path...}", 1) // OpenAPI has no multi-segment wildcard
		d.mux.Handle(path, http.NotFoundHandler())             // only the pattern is used
		d.paths[path] = map[string]*operation{}
		for method := range c.members(at) {
			if method != "parameters" {
				d.paths[path][strings.ToUpper(method)] = c.operation(at, at+"/"+method)
			}
		}
	}
	return d, c.err
}

func (c *compiler) operation(path, at string) *operation {
	o := &operation{query: map[string]*jsonschema.Schema{}, responses: map[int]*response{}}
	for _, list := range []string{path + "/parameters", at + "/parameters"} {
		parameters, _ := c.at(list).([]any)
		for i := range parameters {
			p := c.resolve(list + "/" + strconv.Itoa(i))
			if c.at(p+"/in") == "query" {
				o.query[fmt.Sprint(c.at(p+"/name"))] = c.schema(p + "/schema")
			}
		}
	}
	if body := c.resolve(at + "/requestBody"); c.at(body) != nil {
		o.body = c.content(body + "/content")
		o.bodyRequired = c.at(body+"/required") == true
	}
	for text := range c.members(at + "/responses") {
		status, err := strconv.Atoi(text)
		c.addError(err)
		o.responses[status] = c.response(at + "/responses/" + text)
	}
	return o
}

func (c *compiler) response(at string) *response {
	at = c.resolve(at)
	a := &response{content: c.content(at + "/content")}
	for name := range c.members(at + "/headers") {
		h := c.resolve(at + "/headers/" + escapeToken(name))
		a.headers = append(a.headers, header{
			name: name, required: c.at(h+"/required") == true, schema: c.schema(h + "/schema"),
		})
	}
	slices.SortFunc(a.headers, func(a, b header) int { return strings.Compare(a.name, b.name) })
	return a
}

func (c *compiler) content(at string) map[string]*jsonschema.Schema {
	byType := map[string]*jsonschema.Schema{}
	for media := range c.members(at) {
		byType[media] = c.schema(at + "/" + escapeToken(media) + "/schema")
	}
	return byType
}

func (c *compiler) schema(at string) *jsonschema.Schema {
	if c.at(at) == nil {
		c.addError(fmt.Errorf("no schema at %s", at))
		return nil
	}
	s, err := c.schemas.Compile(location + "#" + strings.ReplaceAll(at, "%", "%25"))
	c.addError(err)
	return s
}

// resolve returns the target of the reference at the pointer, or the pointer itself
// if there is no reference.
func (c *compiler) resolve(at string) string {
	if ref, ok := c.at(at + "/$ref").(string); ok {
		return strings.TrimPrefix(ref, "#")
	}
	return at
}

// members returns the members of the object at the pointer, or nil if there is no
// object.
func (c *compiler) members(at string) map[string]any {
	object, _ := c.at(at).(map[string]any)
	return object
}

// at returns the value at a JSON pointer (RFC 6901), or nil if there is none.
func (c *compiler) at(pointer string) any {
	value := c.root
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch v := value.(type) {
		case map[string]any:
			value = v[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}

func (c *compiler) addError(err error) {
	if c.err == nil {
		c.err = err
	}
}

// escapeToken escapes a reference token of a JSON pointer.
func escapeToken(token string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(token)
}
