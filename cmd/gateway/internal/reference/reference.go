// Package reference serves the API reference: the OpenAPI document for programs,
// and a page for people. The page contains the document as text, for browsers
// without scripts, for print and for screen readers. A script shows it in Swagger
// UI, where readers can try out calls. The page loads nothing from other origins.
//
// Start with [Routes]. Only the gateway binary serves it, not the functions.
// Package docstest checks requests and responses against the same document.
package reference

import (
	"github.com/voiceassist/gateway/shared/endpoint"
)

// Routes returns the routes of the document, the page and its files.
func Routes() endpoint.Routes {
	v := newViewer()
	document := newRenderedFile(jsonType, cacheBriefly, func() []byte { return []byte(documentText()) })
	page := newRenderedFile(htmlType, cacheBriefly, func() []byte { return []byte(render(load(), v)) })
	return append(v.routes(),
		endpoint.Route{Pattern: "GET /openapi.json", Handler: document},
		endpoint.Route{Pattern: "GET /docs", Handler: page.withPolicy(pagePolicy)},
	)
}
