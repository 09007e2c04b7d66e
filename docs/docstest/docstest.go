// Package docstest checks requests and responses against docs/openapi.json, so that
// the document cannot differ from what the gateway does. Call [Check] for every
// exchange of a test.
package docstest

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Check fails the test unless the document describes the exchange: the path and
// the method, the status, the content type, the headers and the body. The document
// must allow a request that was accepted (2xx); a rejected request may be wrong in
// any way.
//
// The document describes only in prose what applies to every path: a CORS preflight
// gets 204, HEAD is answered like GET, a method that is not described gets 405, and
// a path that is not described gets 404.
//
// Check takes the bodies as arguments and does not read those of req and resp. It is
// safe for concurrent use.
func Check(tb testing.TB, req *http.Request, reqBody []byte, resp *http.Response, respBody []byte) {
	tb.Helper()
	check(tb, exchange{req, reqBody, resp, respBody}, true)
}

// CheckResponse is [Check] without the rule for accepted requests, for tests that send what
// the gateway tolerates beyond the document.
func CheckResponse(tb testing.TB, req *http.Request, resp *http.Response, respBody []byte) {
	tb.Helper()
	check(tb, exchange{req, nil, resp, respBody}, false)
}

func check(tb testing.TB, x exchange, strict bool) {
	tb.Helper()
	d, err := loadDocument()
	if err != nil {
		tb.Errorf("docs/openapi.json: %v", err)
		return
	}
	for _, wrong := range d.check(x, strict) {
		tb.Errorf("%s %s: %s", x.req.Method, x.req.URL.Path, wrong)
	}
}

// An exchange is a request and its response.
type exchange struct {
	req      *http.Request
	sent     []byte
	resp     *http.Response
	received []byte
}

// check returns the differences between the exchange and the document. strict includes
// those of accepted requests.
func (d *document) check(x exchange, strict bool) []string {
	if x.req.Method == http.MethodOptions && x.req.Header.Get("Access-Control-Request-Method") != "" {
		return preflight(x)
	}
	_, path := d.mux.Handler(x.req)
	operations, known := d.paths[path]
	if !known {
		if x.resp.StatusCode != http.StatusNotFound {
			return []string{fmt.Sprintf("answered %d, and the document has no such path", x.resp.StatusCode)}
		}
		return d.noSuchAddress.check(x)
	}
	method := x.req.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	o, known := operations[method]
	if !known {
		if x.resp.StatusCode != http.StatusMethodNotAllowed {
			return []string{fmt.Sprintf("answered %d, and the document has no such method at %s", x.resp.StatusCode, path)}
		}
		return d.methodNotAllowed.check(x)
	}
	answer, known := o.responses[x.resp.StatusCode]
	if !known {
		return []string{fmt.Sprintf("answered %d %.300s, and the document lists %v", x.resp.StatusCode, x.received, o.statuses())}
	}
	wrong := answer.check(x)
	if strict && x.resp.StatusCode < http.StatusMultipleChoices {
		wrong = append(wrong, o.checkRequest(x)...)
	}
	return wrong
}

func preflight(x exchange) []string {
	if x.resp.StatusCode != http.StatusNoContent || len(x.received) != 0 {
		return []string{fmt.Sprintf("a preflight was answered with %d %q, want 204 and nothing", x.resp.StatusCode, x.received)}
	}
	return nil
}

// check returns the differences between the response and its description.
func (a *response) check(x exchange) []string {
	var wrong []string
	for _, h := range a.headers {
		if why := h.check(x.resp.Header.Values(h.name)); why != "" {
			wrong = append(wrong, fmt.Sprintf("%d: the header %s %s", x.resp.StatusCode, h.name, why))
		}
	}
	contentType := x.resp.Header.Get("Content-Type")
	if len(a.content) == 0 {
		if len(x.received) != 0 || contentType != "" {
			wrong = append(wrong, fmt.Sprintf("%d: has a body of type %q, and none is described: %.300s",
				x.resp.StatusCode, contentType, x.received))
		}
		return wrong
	}
	media, _, err := mime.ParseMediaType(contentType)
	schema, known := a.content[media]
	if a.content[anyMediaType] != nil && media != "application/json" {
		return wrong
	}
	if err != nil || !known {
		return append(wrong, fmt.Sprintf("%d: is of type %q, and the document lists %v",
			x.resp.StatusCode, contentType, a.types()))
	}
	if x.req.Method == http.MethodHead {
		if len(x.received) != 0 {
			wrong = append(wrong, "an answer to HEAD has a body")
		}
		return wrong
	}
	if err := validateJSON(schema, x.received); err != nil {
		wrong = append(wrong, fmt.Sprintf("%d: the body is not as described: %v\n%.2000s", x.resp.StatusCode, err, x.received))
	}
	return wrong
}

// checkRequest returns the differences between an accepted request and the
// description.
func (o *operation) checkRequest(x exchange) []string {
	wrong := o.checkQuery(x.req.URL.Query())
	switch media, _, _ := mime.ParseMediaType(x.req.Header.Get("Content-Type")); {
	case len(o.body) == 0:
		// The gateway ignores a body that the operation does not read.
	case len(bytes.TrimSpace(x.sent)) == 0:
		if o.bodyRequired {
			wrong = append(wrong, "was accepted without a body, and the document requires one")
		}
	case o.body[anyMediaType] != nil:
	case o.body[media] == nil:
		wrong = append(wrong, fmt.Sprintf("was accepted with a body of type %q, which the document does not list", media))
	case media == "application/x-www-form-urlencoded":
		if err := validateForm(o.body[media], x.sent); err != nil {
			wrong = append(wrong, fmt.Sprintf("was accepted with a form that is not as described: %v", err))
		}
	default:
		if err := validateJSON(o.body[media], x.sent); err != nil {
			wrong = append(wrong, fmt.Sprintf("was accepted with a body that is not as described: %v", err))
		}
	}
	return wrong
}

func (o *operation) checkQuery(query map[string][]string) []string {
	var wrong []string
	for name, values := range query {
		schema, known := o.query[name]
		if !known {
			wrong = append(wrong, fmt.Sprintf("was accepted with the parameter %s, which the document does not list", name))
			continue
		}
		for _, value := range values {
			if err := validateText(schema, value); err != nil {
				wrong = append(wrong, fmt.Sprintf("was accepted with %s=%s, which is not as described: %v", name, value, err))
			}
		}
	}
	slices.Sort(wrong)
	return wrong
}

// check returns what is wrong with the values of a header, or "".
func (h header) check(values []string) string {
	if len(values) == 0 && h.required {
		return "is missing"
	}
	for _, value := range values {
		if err := validateText(h.schema, value); err != nil {
			return fmt.Sprintf("is %q, which is not as described: %v", value, err)
		}
	}
	if h.required && strings.TrimSpace(values[0]) == "" {
		return "is empty"
	}
	return ""
}
