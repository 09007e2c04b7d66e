// Package reference serves the description of the interface: the OpenAPI
// document for programs, and a page for people. The page has the document as
// text, for readers without scripts, for print and for screen readers; a script
// shows it in Swagger UI, where calls can be tried out. Nothing is loaded from
// elsewhere.
//
// The binary alone mounts it. Package docstest checks requests and responses
// against the same document.
package reference

import (
	"github.com/voiceassist/gateway/shared/endpoint"
)

// Routes returns what the package serves. The page is made here, once.
func Routes() endpoint.Routes {
	v := newViewer()
	return append(v.routes(),
		endpoint.Route{Pattern: "GET /openapi.json", Handler: newFile(jsonType, briefly, []byte(text()))},
		endpoint.Route{Pattern: "GET /docs", Handler: newFile(htmlType, briefly, []byte(render(load(), v))).under(pagePolicy)},
	)
}
