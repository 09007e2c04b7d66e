package main

import (
	"fmt"
	"strings"
)

// bruno returns the collection as a folder of Bruno's files, and its environments.
func bruno(c collection) map[string]string {
	files := map[string]string{
		"bruno/bruno.json": pretty(object{"version": "1", "name": c.title, "type": "collection"}),
	}
	var root bru
	root.block("auth", "mode: bearer")
	root.block("auth:bearer", "token: {{access_token}}")
	root.fields("vars:pre-request", variables())
	root.block("tests", forBruno(c.everyTest)...)
	root.block("docs", lines(c.description)...)
	files["bruno/collection.bru"] = root.String()
	for i, f := range c.folders {
		dir := fmt.Sprintf("bruno/%02d %s/", i+1, f.name)
		var about bru
		about.block("meta", "name: "+f.name, fmt.Sprintf("seq: %d", i+1))
		files[dir+"folder.bru"] = about.String()
		for j, r := range f.requests {
			files[fmt.Sprintf("%s%02d %s.bru", dir, j+1, strings.ReplaceAll(r.name, "/", " "))] = brunoRequest(r, j+1)
		}
	}
	for _, e := range environments() {
		var vars bru
		vars.fields("vars", []field{{"base_url", e.baseURL}, {"admin_email", e.adminEmail}})
		files["bruno/environments/"+e.name+".bru"] = strings.TrimSuffix(vars.String(), "\n") + "vars:secret [\n  admin_password\n]\n"
	}
	return files
}

func brunoRequest(r request, seq int) string {
	var b bru
	b.block("meta", "name: "+r.name, "type: http", fmt.Sprintf("seq: %d", seq))
	body, auth := "none", "inherit"
	switch {
	case r.form != nil:
		body = "formUrlEncoded"
	case r.json != "":
		body = "json"
	case r.text != "":
		body = "text"
	}
	if r.auth == "" {
		auth = "none"
	} else if r.auth != "access_token" {
		auth = "bearer"
	}
	url := "{{base_url}}" + r.path
	b.block(strings.ToLower(r.method), "url: "+url, "body: "+body, "auth: "+auth)
	b.fields("params:query", brunoFields(r.query, r.sent))
	b.fields("headers", brunoFields(r.header, r.sent))
	if auth == "bearer" {
		b.block("auth:bearer", "token: {{"+r.auth+"}}")
	}
	b.block("body:json", lines(r.json)...)
	b.block("body:text", lines(r.text)...)
	b.fields("body:form-urlencoded", r.form)
	b.block("script:pre-request", forBruno(r.before)...)
	b.block("tests", forBruno(r.tests)...)
	b.block("docs", lines(r.description)...)
	return b.String()
}

// brunoFields returns the parameters that are sent, and the others disabled, which
// a tilde does.
func brunoFields(all []parameter, sent map[string]string) []field {
	var fields []field
	for _, p := range all {
		value, is := sent[p.Name]
		name := p.Name
		if !is {
			name = "~" + name
		}
		fields = append(fields, field{name, value})
	}
	return fields
}

// forBruno returns a script for Postman as Bruno takes it.
func forBruno(lines []string) []string {
	script := strings.NewReplacer(
		"pm.test(", "test(", "pm.expect(", "expect(",
		"pm.response.code", "res.getStatus()",
		"pm.response.json()", "res.getBody()",
		"pm.response.text()", "res.getBody()",
		"pm.response.headers.get(", "res.getHeader(",
		"pm.collectionVariables.get(", "bru.getVar(",
		"pm.collectionVariables.set(", "bru.setVar(",
		"pm.execution.setNextRequest(pm.info.requestName)", "bru.runner.setNextRequest(req.getName())",
		"setTimeout(function () {}, 1000)", "await bru.sleep(1000)",
	)
	translated := make([]string, len(lines))
	for i, line := range lines {
		translated[i] = script.Replace(line)
	}
	return translated
}

// bru is a file of Bruno: blocks of indented lines.
type bru struct{ strings.Builder }

// block writes a block, unless it is empty.
func (b *bru) block(name string, lines ...string) {
	if len(lines) > 0 {
		fmt.Fprintf(b, "%s {\n%s\n}\n\n", name, strings.Join(indent(lines), "\n"))
	}
}

// fields writes a block of names and values.
func (b *bru) fields(name string, all []field) {
	var lines []string
	for _, f := range all {
		lines = append(lines, f.name+": "+f.value)
	}
	b.block(name, lines...)
}
