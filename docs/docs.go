// Package docs embeds openapi.json, the description of the API. The other files of
// the folder are for people.
package docs

import (
	_ "embed"
	"encoding/json"
	"strings"
)

//go:embed openapi.json
var openAPI string

// OpenAPI returns the OpenAPI 3.1 document, as JSON. It describes every operation
// that clients may call. It is written by hand; tests compare it with the code.
func OpenAPI() string { return openAPI }

// Operations returns every operation of the document as "METHOD /path", in the
// order of the document.
func Operations() []string {
	var document struct {
		Paths json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal([]byte(openAPI), &document); err != nil {
		panic("docs: openapi.json: " + err.Error()) // it is part of the program
	}
	var all []string
	for _, path := range members(document.Paths) {
		for _, method := range members(path.value) {
			switch method.name {
			case "get", "put", "post", "delete", "patch":
				all = append(all, strings.ToUpper(method.name)+" "+path.name)
			}
		}
	}
	return all
}

type member struct {
	name  string
	value json.RawMessage
}

// members returns the members of a JSON object, in the order of the text.
func members(object json.RawMessage) []member {
	d := json.NewDecoder(strings.NewReader(string(object)))
	if _, err := d.Token(); err != nil {
		panic("docs: openapi.json: " + err.Error()) // it is part of the program
	}
	var all []member
	for d.More() {
		name, err := d.Token()
		m := member{}
		if err == nil {
			m.name, _ = name.(string)
			err = d.Decode(&m.value)
		}
		if err != nil {
			panic("docs: openapi.json: " + err.Error()) // it is part of the program
		}
		all = append(all, m)
	}
	return all
}
