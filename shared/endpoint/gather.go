package endpoint

import (
	"context"
	"net/http"
)

// A Gatherer is a connection that can send several writes together.
type Gatherer interface {
	Gather()        // from here on, writes may be held
	Release() error // send what is held, and what comes from here on at once
}

type gathererKey struct{}

// WithGatherer returns the context for the requests of a connection that is a
// [Gatherer].
func WithGatherer(ctx context.Context, g Gatherer) context.Context {
	return context.WithValue(ctx, gathererKey{}, g)
}

// Gather lets what is written of the answer to r until release is called go out
// in large pieces. TLS cuts a write into records of 16 KiB, each of which is a
// system call, a packet and a wake-up of the client by itself otherwise. Release
// soon: what is held waits for it. It does nothing under HTTP/2, whose requests
// share a connection and wait for its windows, nor where there is no connection,
// as on Lambda.
func Gather(r *http.Request) (release func() error) {
	g, ok := r.Context().Value(gathererKey{}).(Gatherer)
	if !ok || r.ProtoMajor != 1 {
		return func() error { return nil }
	}
	g.Gather()
	return g.Release
}
