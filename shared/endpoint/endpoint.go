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
	"github.com/voiceassist/gateway/shared/identity/apikey"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/ratelimit"
)

// A Route is a pattern of [http.ServeMux] with a method, and its handler.
type Route struct {
	Pattern string
	Handler http.Handler
	Limit   ratelimit.Policy // beside [ratelimit.General]; "" for none, or [ratelimit.Unlimited]
	Busy    func() error     // refuses a request before any work, even reading it; nil for none
	Scope   apikey.Scope     // what an API key needs for it; "" refuses API keys
	Quiet   bool             // a machine asks often, so a success is logged at DEBUG
}

// Routes are the routes of a function.
type Routes []Route

// None is an empty request or response. An empty response has no body.
type None struct{}

func (None) empty() {}

// A Binder is a request that reads values from outside the body: from the path,
// the query or headers. Bind runs after the body was decoded and before the
// checks.
type Binder interface {
	Bind(r *http.Request) error
}

// A Check validates a request, given as a pointer, before the function runs. It
// reports all invalid members in one fault of kind [fault.Invalid].
//
// Requests with `validate` tags need validation.Check. It is a parameter rather
// than an import, because functions without such requests start faster without
// it.
type Check func(request any) error

// A Header is a response that sets headers.
type Header interface {
	Header(h http.Header)
}

// A Status is a response that chooses its status, for functions with several
// successful ones.
type Status interface {
	Status() int
}

// requestTime limits one call of a function. It is shorter than the 29 s after
// which API Gateway gives up, so that clients get the gateway's own response.
const requestTime = 25 * time.Second

// JSON adapts fn for callers without a token. It panics if Req has `validate`
// tags and there is no check, as [Authenticated] and [AdminOnly] do.
func JSON[Req, Resp any](status int, fn func(context.Context, audit.Origin, Req) (Resp, error), checks ...Check) http.Handler {
	dec := newDecoder[Req](checks)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTime)
		defer cancel()
		var req Req
		if err := dec.decode(w, r, &req); err != nil {
			reject(w, r, err)
			return
		}
		answer(w, r, status)(fn(ctx, Origin(r), req))
	})
}

// Authenticated adapts fn for callers with the access token of a live login or,
// if the route has a Scope, with an API key.
func Authenticated[Req, Resp any](
	a *Authenticator, status int, fn func(context.Context, Caller, Req) (Resp, error), checks ...Check,
) http.Handler {
	return restricted(a, status, func(c Caller) (Caller, error) { return c, nil }, fn, checks)
}

// AdminOnly is [Authenticated] for administrators. Other callers get
// [signin.ErrAdminRequired].
func AdminOnly[Req, Resp any](
	a *Authenticator, status int, fn func(context.Context, Admin, Req) (Resp, error), checks ...Check,
) http.Handler {
	return restricted(a, status, admin, fn, checks)
}

func admin(c Caller) (Admin, error) {
	if c.Key != "" {
		return Admin{}, apikey.ErrNotAccepted // whatever the route says
	}
	if defense.AdministratorsOnly && !c.Account.Admin() {
		return Admin{}, signin.ErrAdminRequired
	}
	return Admin{Caller: c}, nil
}

// restricted adapts fn for the callers that admit accepts.
//
// It checks the signature of the token, or the form of the API key, before it reads the body, so that only
// clients of ours can make it read one. It checks the login and the caller's
// role after it has read the body, because a client may take long to send one.
func restricted[C, Req, Resp any](
	a *Authenticator, status int, admit func(Caller) (C, error),
	fn func(context.Context, C, Req) (Resp, error), checks []Check,
) http.Handler {
	dec := newDecoder[Req](checks)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTime)
		defer cancel()
		sent, err := a.verify(r)
		if err != nil {
			reject(w, r, err)
			return
		}
		var req Req
		malformed := dec.decode(w, r, &req)
		who, err := a.caller(ctx, r, sent)
		var caller C
		if err == nil {
			caller, err = admit(who)
		}
		if err == nil {
			err = malformed
		}
		if err != nil {
			reject(w, r, err)
			return
		}
		answer(w, r, status)(fn(ctx, caller, req))
	})
}

// Raw adapts a handler that writes its own responses, and returns an error for
// those it did not write. It is for streams, pages and the key set.
func Raw(fn func(w http.ResponseWriter, r *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := fn(w, r); err != nil {
			reject(w, r, err)
		}
	})
}

// answer returns a function that writes the result of an endpoint function.
func answer(w http.ResponseWriter, r *http.Request, status int) func(resp any, err error) {
	return func(resp any, err error) {
		if err != nil {
			reject(w, r, err)
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

// write sends body as JSON with its length.
func write(w http.ResponseWriter, r *http.Request, status int, contentType string, body any) {
	var b bytes.Buffer
	if err := encoder(&b).Encode(body); err != nil {
		if _, failing := body.(problem); !failing {
			reject(w, r, err)
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

// WriteBytes sends an encoded body with its length; in response to HEAD, only
// the headers. It ignores errors of the connection: nobody is left to report
// them to.
func WriteBytes(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(body)
	}
}
