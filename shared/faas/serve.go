package faas

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
)

// serve answers one HTTP event of the front. A malformed request gets 400, not an error:
// an error would count against the function, and any client could trigger its alarms.
func (f Function) serve(ctx context.Context, via front, e *event) ([]byte, error) {
	q := via.read(e)
	r, err := q.http(ctx)
	if err != nil {
		return via.reject(ctx, q, malformed)
	}
	b, err := f.handle(via, q, r)
	if err != nil || len(b) <= via.limit {
		return b, err
	}
	f.log().LogAttrs(ctx, slog.LevelError, "answer too large for Lambda",
		slog.Int("bytes", len(b)), slog.Int("limit", via.limit), slog.String("path", r.URL.EscapedPath()))
	return via.reject(ctx, q, internalError)
}

// handle calls the handler. If the handler panics or aborts, the response is a 500,
// because nothing has been sent yet.
func (f Function) handle(via front, q request, r *http.Request) (answer []byte, err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			f.panicked(r.Context(), p)
		}
		answer, err = via.reject(r.Context(), q, internalError)
	}()
	return via.answer(q, func(w http.ResponseWriter) { f.HTTP.ServeHTTP(w, r) })
}
