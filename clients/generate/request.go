package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A request is a step with what the description says about it, ready to be
// written in the format of a tool.
type request struct {
	name        string
	description string // Markdown
	method      string
	path        string // may hold variables
	auth        string // variable with the access token, none when empty
	query       []parameter
	header      []parameter
	sent        map[string]string // values of the parameters that are sent; the others are optional
	json        string            // body
	text        string            // body
	form        []field           // body
	before      []string          // lines of JavaScript, for Postman
	tests       []string          // lines of JavaScript, for Postman
}

// pathParameter matches the parameter of a path.
var pathParameter = regexp.MustCompile(`\{\w+\}`)

// requests completes the steps of a folder with the description, and says which
// step does not agree with it.
func requests(d *document, all map[string]*operation, f folder) ([]request, error) {
	var list []request
	for _, s := range f.steps {
		o, known := all[s.operation]
		if !known {
			return nil, fmt.Errorf("%s: no operation %q", f.name, s.operation)
		}
		if s.name == "" {
			s.name = o.Summary
		}
		r, err := newRequest(d, o, s)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", f.name, s.name, err)
		}
		list = append(list, r)
	}
	return list, nil
}

func newRequest(d *document, o *operation, s step) (request, error) {
	r := request{
		name: s.name, method: o.method, path: pathParameter.ReplaceAllLiteralString(o.path, s.path),
		description: strings.TrimSpace(strings.TrimSuffix(o.Summary, ".") + ".\n\n" + o.Description),
		form:        s.form, sent: map[string]string{}, before: lines(s.before),
	}
	if o.bearer && s.as != nobody {
		r.auth = cmp.Or(s.as, "access_token")
	}
	for _, list := range []struct {
		in     string
		sent   []field
		target *[]parameter
	}{{"query", s.query, &r.query}, {"header", s.header, &r.header}} {
		for _, f := range list.sent {
			i := slices.IndexFunc(o.Parameters, func(p parameter) bool { return p.In == list.in && p.Name == f.name })
			if i < 0 {
				return r, fmt.Errorf("%s takes no %s in the %s", o.ID, f.name, list.in)
			}
			r.sent[f.name] = f.value
		}
		for _, p := range o.Parameters {
			if p.In == list.in {
				*list.target = append(*list.target, p)
			}
		}
	}
	if err := r.setBody(o, s); err != nil {
		return r, err
	}
	tests, err := d.tests(o, s)
	r.tests = tests
	return r, err
}

func (r *request) setBody(o *operation, s step) error {
	if s.form != nil {
		return nil
	}
	if _, takes := o.RequestBody.Content["application/json"]; !takes {
		r.text = s.body
		return nil
	}
	raw := json.RawMessage(s.body)
	if s.body == "" {
		example, err := o.example()
		if err != nil {
			return err
		}
		raw = example
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, raw, "", "  "); err != nil {
		return err
	}
	r.json = indented.String()
	return nil
}

// tests returns JavaScript that holds the response of a step against the
// description, and saves what later steps need.
func (d *document) tests(o *operation, s step) ([]string, error) {
	documented, there := o.Responses[strconv.Itoa(s.status)]
	if !there {
		return nil, fmt.Errorf("%s documents no %d, only %v", o.ID, s.status, slices.Sorted(maps.Keys(o.Responses)))
	}
	codes := documented.Content["application/problem+json"].Schema.Properties["code"].Enum
	if s.code != "" && !slices.Contains(codes, any(s.code)) {
		return nil, fmt.Errorf("%s documents no %d with the code %s, only %v", o.ID, s.status, s.code, codes)
	}
	var js []string
	if s.until != "" {
		js = append(js, repeat(s.until)...)
	}
	js = append(js, fmt.Sprintf(`pm.test("status is %d", function () { pm.expect(pm.response.code).to.equal(%d); });`, s.status, s.status))
	if s.code != "" {
		js = append(js, fmt.Sprintf(`pm.test("code is %s", function () { pm.expect(pm.response.json().code).to.equal(%q); });`, s.code, s.code))
		return js, nil
	}
	if s.text != "" {
		return append(js, fmt.Sprintf(`pm.test("body is the content", function () { pm.expect(pm.response.text()).to.equal(%q); });`, s.text)), nil
	}
	expected := documented.Content["application/json"].Schema
	if s.items != "" {
		expected = schema{Items: &schema{Ref: "#/components/schemas/" + s.items}}
	}
	inner := d.members(expected, "body")
	if s.until != "" {
		inner = append(inner, fmt.Sprintf("pm.expect(%s, JSON.stringify(body)).to.equal(true);", s.until))
	}
	for _, f := range s.save {
		inner = append(inner, fmt.Sprintf("pm.collectionVariables.set(%q, %s);", f.name, f.value))
	}
	if len(inner) > 0 {
		js = append(js, `pm.test("body is as documented", function () {`, "  const body = pm.response.json();")
		js = append(append(js, indent(inner)...), "});")
	}
	return js, nil
}

// repeat returns JavaScript that sends the request again, once a second and for a
// minute at most, until the condition holds.
func repeat(condition string) []string {
	return []string{
		"const body = pm.response.json();",
		`const tries = Number(pm.collectionVariables.get("tries") || 0) + 1;`,
		"const again = !(" + condition + ") && tries < 60;",
		`pm.collectionVariables.set("tries", again ? tries : 0);`,
		"if (again) {",
		"  pm.execution.setNextRequest(pm.info.requestName);",
		"  setTimeout(function () {}, 1000);",
		"  return;",
		"}",
	}
}

// everyTest returns JavaScript that holds every response against the description.
func (d *document) everyTest() []string {
	problem := d.members(schema{Ref: "#/components/schemas/Problem"}, "pm.response.json()")
	return append(append([]string{
		`pm.test("X-Correlation-ID is present", function () { pm.expect(pm.response.headers.get("X-Correlation-ID")).to.match(/^[A-Za-z0-9._-]{1,128}$/); });`,
		"if (pm.response.code >= 400) {",
		`  pm.test("failure is a problem document (RFC 9457)", function () {`,
		`    pm.expect(pm.response.headers.get("Content-Type")).to.include("application/problem+json");`,
	}, indent(indent(problem))...), "  });", "}")
}

func lines(js string) []string {
	if js == "" {
		return nil
	}
	return strings.Split(js, "\n")
}
