package faas

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
)

// serve answers one HTTP event of the front. A request that is none is its
// client's fault and gets 400: as an error it would count against the function,
// and anybody could raise its alarms.
func (f Function) serve(ctx context.Context, via front, e *event) ([]byte, error) {
	q := via.read(e)
	out := newRecorder(q.method)
	if r, err := q.http(ctx); err != nil {
		refuse(ctx, out, q, malformed)
	} else {
		f.handle(out, q, r)
	}
	b, err := encode(via.write(q, out.finish()))
	if err != nil || len(b) <= via.limit {
		return b, err
	}
	f.log().LogAttrs(ctx, slog.LevelError, "answer too large for Lambda",
		slog.Int("bytes", len(b)), slog.Int("limit", via.limit), slog.String("path", q.path))
	out = newRecorder(q.method)
	refuse(ctx, out, q, broken)
	return encode(via.write(q, out.finish()))
}

// handle calls the handler. After a panic, or an answer it broke off, the
// answer is a 500, as nothing has left us yet.
func (f Function) handle(out *recorder, q request, r *http.Request) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			f.panicked(r.Context(), p)
		}
		*out = *newRecorder(out.method)
		refuse(r.Context(), out, q, broken)
	}()
	f.HTTP.ServeHTTP(out, r)
}
