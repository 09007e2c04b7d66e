package endpoint

import (
	"context"
	"net/http"
)

// A Corker is a connection that can send several writes together.
type Corker interface {
	Cork()         // from here on, writes may be held
	Uncork() error // send what is held, and what comes from here on at once
}

type corkerKey struct{}

// WithCorker returns the context for the requests of a connection that is a
// [Corker].
func WithCorker(ctx context.Context, g Corker) context.Context {
	return context.WithValue(ctx, corkerKey{}, g)
}

// Cork lets what is written of the answer to r until release is called go out
// in large pieces. TLS cuts a write into records of 16 KiB, each of which is a
// system call, a packet and a wake-up of the client by itself otherwise. Release
// soon: what is held waits for it. It does nothing under HTTP/2, whose requests
// share a connection and wait for its windows, nor where there is no connection,
// as on Lambda.
func Cork(r *http.Request) (release func() error) {
	g, ok := r.Context().Value(corkerKey{}).(Corker)
	if !ok || r.ProtoMajor != 1 {
		return func() error { return nil }
	}
	g.Cork()
	return g.Uncork
}
