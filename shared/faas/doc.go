// Package faas runs an http.Handler, and jobs, under AWS Lambda. Only this package knows
// Lambda. Start with [Main], with [MainJob] for a function that also runs jobs, or with
// [MainResource] for one that also serves a custom resource of CloudFormation.
//
// The package may import only foundation and config, and the libraries of AWS.
//
// One handler serves every front that may invoke a function: API Gateway HTTP APIs
// (payload 2.0) and REST APIs (payload 1.0), Function URLs, and load balancers with or
// without multi-value headers. They are distinguished by the top level of the event, which
// AWS writes, never by anything a client sends. Any other event that is not a job is
// refused with an error, so a schedule can never be taken for "GET /".
//
// # Requests and answers
//
// github.com/awslabs/aws-lambda-go-api-proxy is the bridge: it converts an event to an
// *http.Request, and what the handler writes to a response. It gets no new releases and
// has known faults: it believes a forged X-Forwarded-For, lets a second WriteHeader
// override the first, and fails if nothing was written. So every event is first converted
// to the one form that the bridge handles without loss, the few fields that it still gets
// wrong are set on its request, and our own ResponseWriter wraps the bridge's. The request
// is then the one that net/http's server would have read from the wire, and the
// ResponseWriter follows the rules of that server: the first status wins, the default is
// 200, and HEAD gets no body. A request that no server would accept gets a 400.
//
// A test for each fault shows it in the bridge alone and its fix here, so that a release
// without the fault is noticed.
//
// # What Lambda cannot do
//
// Responses are not streamed, Flush only fixes status and headers, and a
// response of more than 6 MB becomes a 500. An HTTP API decodes the path before we see it,
// so "%2F" and "/" cannot be distinguished there.
package faas
