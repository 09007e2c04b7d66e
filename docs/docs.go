// Package docs holds the description of the interface that is part of the
// program: openapi.json. The pages beside it are for people.
package docs

import _ "embed"

//go:embed openapi.json
var openAPI string

// OpenAPI returns the OpenAPI 3.1 document of every call that clients may
// make, as JSON. It is written by hand; tests hold it against the code.
func OpenAPI() string { return openAPI }
