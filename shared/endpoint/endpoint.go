// Package endpoint turns a typed function into an http.Handler, and several of
// them into the gateway that clients see.
//
// A function takes a context and a request value and returns a response value
// or an error; it has no ResponseWriter, so it cannot answer twice or forget to
// return. [JSON], [Authenticated] and [AdminOnly] decode strictly, check, call and
// encode. [New] mounts routes and puts around them what every answer needs:
// correlation id, security headers, CORS, problems for every failure, one log
// event. The same handler runs under Lambda and in the binary.
//
// endpoint is the only package that writes response bodies; what must stream or
// answer in another form uses [Raw].
package endpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/ratelimit"
)

// A Route is one entry of the mux: a pattern as [http.ServeMux] takes it, with
// its method, and what serves it.
type Route struct {
	Pattern string
	Handler http.Handler
	Limit   ratelimit.Policy // beside [ratelimit.General]; "" for none, or [ratelimit.Unlimited]
}

// Routes are what a function serves.
type Routes []Route

// None is the request or response of a function that needs or gives nothing;
// as a response it is an empty body.
type None struct{}

func (None) empty() {}

// A Binder is a request that takes values from outside the body: path, query,
// headers. Bind runs after the body was decoded and before the checks.
type Binder interface {
	Bind(r *http.Request) error
}

// A Check looks at a request, of which it gets the address, before the function
// does. It reports every wrong member at once as a fault of kind [fault.Invalid].
//
// A request with `validate` tags needs validation.Check, which is passed in and
// not imported here: functions without such a request start faster without it.
type Check func(request any) error

// A Header is a response with headers of its own.
type Header interface {
	Header(h http.Header)
}

// A Status is a response that chooses among several of success.
type Status interface {
	Status() int
}

// requestTime bounds one call of a function. It is under the 29 s after which
// API Gateway gives up, so that the caller gets our answer and not its.
const requestTime = 25 * time.Second

// JSON adapts fn to HTTP for callers that need no token. It panics where Req has
// `validate` tags and there is no check, as [Authenticated] and [AdminOnly] do.
func JSON[Req, Resp any](status int, fn func(context.Context, audit.Origin, Req) (Resp, error), checks ...Check) http.Handler {
	dec := newDecoder[Req](checks)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTime)
		defer cancel()
		var req Req
		if err := dec.decode(w, r, &req); err != nil {
			Reject(w, r, err)
			return
		}
		answer(w, r, status)(fn(ctx, Origin(r), req))
	})
}

// Authenticated adapts fn to HTTP for callers with a bearer token of a live login.
func Authenticated[Req, Resp any](
	a *Authenticator, status int, fn func(context.Context, Caller, Req) (Resp, error), checks ...Check,
) http.Handler {
	return restricted(a, status, func(c Caller) (Caller, error) { return c, nil }, fn, checks)
}

// AdminOnly is [Authenticated] for administrators; everybody else gets
// [signin.ErrAdminRequired].
func AdminOnly[Req, Resp any](
	a *Authenticator, status int, fn func(context.Context, Admin, Req) (Resp, error), checks ...Check,
) http.Handler {
	return restricted(a, status, admin, fn, checks)
}

func admin(c Caller) (Admin, error) {
	if defense.AdministratorsOnly && !c.Account.Admin() {
		return Admin{}, signin.ErrAdminRequired
	}
	return Admin{Caller: c}, nil
}

// restricted adapts fn for callers that admit lets in.
//
// The signature of the token is checked before the body is read, so that nobody
// else makes us read one. Whether the login still lives and what the caller may
// do is asked afterwards: a client can take its time to send a body.
func restricted[C, Req, Resp any](
	a *Authenticator, status int, admit func(Caller) (C, error),
	fn func(context.Context, C, Req) (Resp, error), checks []Check,
) http.Handler {
	dec := newDecoder[Req](checks)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTime)
		defer cancel()
		claims, err := a.verify(r)
		if err != nil {
			Reject(w, r, err)
			return
		}
		var req Req
		malformed := dec.decode(w, r, &req)
		who, err := a.signedIn(ctx, r, claims)
		var caller C
		if err == nil {
			caller, err = admit(who)
		}
		if err == nil {
			err = malformed
		}
		if err != nil {
			Reject(w, r, err)
			return
		}
		answer(w, r, status)(fn(ctx, caller, req))
	})
}

// Raw adapts a handler that writes its own answers and returns the error of
// those it did not write. It is for what no typed response can say: streams,
// pages, the key set.
func Raw(fn func(w http.ResponseWriter, r *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := fn(w, r); err != nil {
			Reject(w, r, err)
		}
	})
}

// answer returns what writes the outcome of a function.
func answer(w http.ResponseWriter, r *http.Request, status int) func(resp any, err error) {
	return func(resp any, err error) {
		if err != nil {
			Reject(w, r, err)
			return
		}
		if s, ok := resp.(Status); ok {
			status = s.Status()
		}
		if h, ok := resp.(Header); ok {
			h.Header(w.Header())
		}
		if _, ok := resp.(interface{ empty() }); ok {
			w.WriteHeader(status)
			return
		}
		if l, ok := resp.(interface{ encoded() []byte }); ok {
			WriteBytes(w, r, status, "application/json", l.encoded())
			return
		}
		write(w, r, status, "application/json", resp)
	}
}

// WriteJSON sends a body as JSON, for handlers of [Raw].
func WriteJSON(w http.ResponseWriter, r *http.Request, status int, body any) {
	write(w, r, status, "application/json", body)
}

// write sends body as JSON with its length.
func write(w http.ResponseWriter, r *http.Request, status int, contentType string, body any) {
	var b bytes.Buffer
	if err := encoder(&b).Encode(body); err != nil {
		if _, failing := body.(problem); !failing {
			Reject(w, r, err)
		}
		return
	}
	WriteBytes(w, r, status, contentType, b.Bytes())
}

func encoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // the content type is JSON and sniffing is off
	return enc
}

// WriteBytes sends a body that is ready, with its length, and nothing but the
// headers to HEAD. An error of the connection has nobody left to be told to.
func WriteBytes(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(body)
	}
}
