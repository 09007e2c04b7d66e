package endpoint

import (
	"context"
	"net/http"
)

// A Corker is a connection that can combine several writes into one.
type Corker interface {
	Cork()         // from now on, the connection may delay writes
	Uncork() error // sends the delayed writes, and later ones immediately
}

type corkerKey struct{}

// WithCorker returns the context for the requests of a connection.
func WithCorker(ctx context.Context, g Corker) context.Context {
	return context.WithValue(ctx, corkerKey{}, g)
}

// Cork sends what is written in response to r in large pieces, until the caller
// calls uncork. Otherwise TLS splits every write into records of 16 KiB, each
// of which costs a system call, a packet and a wake-up of the client. Call
// uncork soon, since the client waits for what is delayed. Cork does nothing
// under HTTP/2, where requests share a connection and its flow-control windows,
// or on Lambda, where there is no connection.
func Cork(r *http.Request) (release func() error) {
	g, ok := r.Context().Value(corkerKey{}).(Corker)
	if !ok || r.ProtoMajor != 1 {
		return func() error { return nil }
	}
	g.Cork()
	return g.Uncork
}
