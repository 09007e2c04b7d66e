// Package endpoint turns typed functions into HTTP handlers and serves them as
// the gateway that clients see.
//
// A function takes a context, the caller or the origin of the request, and a
// request value. It returns a response value or an error. It has no
// ResponseWriter, so it cannot answer twice or forget to return. [JSON],
// [Authenticated] and [AdminOnly] decode the request strictly, check it, call
// the function and encode the response. [New] mounts routes and adds what every
// response needs: the correlation id, security headers, CORS, a problem for
// every failure, and one log event. The same handler runs on Lambda and in the
// binary.
//
// Only this package writes response bodies. Handlers that stream or send
// another format use [Raw].
//
// Begin with [JSON], then read gateway.serve. The package may import foundation,
// crypto and the domain rules, but neither the store nor a function: an
// [Authenticator] gets the store through an interface.
package endpoint
