package faas

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"
)

// serve answers one HTTP event of the front. A request that cannot be converted
// is its client's fault and gets 400: as an error it would count against the
// function, and anybody could raise its alarms.
func (f Function) serve(ctx context.Context, via front, e *event) ([]byte, error) {
	q := via.read(e)
	body, err := q.plain()
	if err != nil || !isToken(q.method) { // the adapter would print both
		return exchange(ctx, via, q, blank, refusing(ctx, q, malformed))
	}
	q.body, q.base64 = body, false
	b, err := exchange(ctx, via, q, q, func(out *recorder, r *http.Request) {
		if err := q.restore(r); err != nil {
			refuse(ctx, out, q, malformed)
			return
		}
		f.handle(out, q, r)
	})
	switch {
	case err != nil: // the handler never ran
		return exchange(ctx, via, q, blank, refusing(ctx, q, malformed))
	case len(b) > via.limit:
		f.log().LogAttrs(ctx, slog.LevelError, "answer too large for Lambda",
			slog.Int("bytes", len(b)), slog.Int("limit", via.limit), slog.String("path", q.path))
		return exchange(ctx, via, q, blank, refusing(ctx, q, broken))
	}
	return b, nil
}

// blank is a request that the adapter always converts, for answers that do not
// depend on one.
var blank = request{method: http.MethodGet} //nolint:gochecknoglobals // a constant

// exchange has the adapter convert the event of convert, calls handle with the
// request, and returns the answer to q in the form of the front. It fails when
// the adapter does; handle was not called then.
func exchange(
	ctx context.Context, via front, q, convert request, handle func(*recorder, *http.Request),
) ([]byte, error) {
	out := newRecorder(q.method)
	adapter := httpadapter.NewV2(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handle(out, r)
		out.finish()
		out.send(w)
	}))
	resp, err := adapter.ProxyWithContext(ctx, convert.event())
	if err != nil {
		return nil, err
	}
	return encode(via.write(q, answer{resp, out.sent}))
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
