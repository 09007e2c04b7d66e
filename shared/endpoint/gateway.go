package endpoint

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/ratelimit"
)

// Settings are the settings that all functions and the binary share.
type Settings struct {
	Log     *slog.Logger
	Origins Origins            // origins whose pages may call the gateway
	Proxies Proxies            // proxies whose X-Forwarded-For is trusted
	Limits  *ratelimit.Limiter // rate limits of clients; nil for none
	Now     func() time.Time   // measures the duration of requests
	// Observe is called once for each request, after its response and with its context; may
	// be nil.
	Observe func(context.Context, Event)
}

// An Event describes one request after its response.
type Event struct {
	Method string // a standard method, or "other"
	Route  string // the pattern that matched, or ""
	Status int
	Took   time.Duration
	Code   string // of the fault that was the response; "" for none
	Key    string // what became of the API key that was sent: [KeyAccepted], or the code of the fault; "" for none
}

// KeyAccepted is the Key of an [Event] whose API key was accepted.
const KeyAccepted = "accepted"

// An exchange collects what is known about a request while it is handled. It is the
// context of the request, so that handlers find it.
type exchange struct {
	context.Context

	foreign bool // a page of another origin sent it
	refused bool // before any work
	origin  audit.Origin
	client  netip.Addr
	gateway *gateway
	fault   *fault.Error
	user    string
	key     string // the id of the API key; "" for none

	keyResult string // see Event
}

type exchangeKey struct{}

// Value implements [context.Context].
func (x *exchange) Value(key any) any {
	if key == (exchangeKey{}) {
		return x
	}
	return x.Context.Value(key)
}

// exchangeOf returns the exchange of r. A handler that runs without [New], as
// in a test, gets a new one that nobody reads.
func exchangeOf(r *http.Request) *exchange {
	if x, ok := r.Context().Value(exchangeKey{}).(*exchange); ok {
		return x
	}
	return &exchange{}
}

// Origin returns where r came from, for logins and the audit trail.
func Origin(r *http.Request) audit.Origin { return exchangeOf(r).origin }

// New returns a handler for routes with everything that responses need. Like
// [http.ServeMux], it panics if two patterns conflict.
func New(s Settings, routes ...Route) http.Handler {
	g := &gateway{Settings: s, mux: http.NewServeMux(), csrf: s.Origins.protection(), routes: map[string]Route{}, methods: methods(routes)}
	for _, r := range routes {
		g.mux.Handle(r.Pattern, r.Handler)
		g.routes[r.Pattern] = r
	}
	return http.HandlerFunc(g.serve)
}

type gateway struct {
	Settings

	mux     *http.ServeMux
	csrf    *http.CrossOriginProtection
	routes  map[string]Route    // by pattern
	methods map[string][]string // by path, for paths without wildcards

	refusals audit.Allowance // of log lines
}

// methods returns the sorted methods of every path without wildcards.
func methods(routes []Route) map[string][]string {
	byPath := map[string][]string{}
	for _, r := range routes {
		method, path, found := strings.Cut(r.Pattern, " ")
		if !found || strings.Contains(path, "{") {
			continue
		}
		byPath[path] = append(byPath[path], method)
		if method == http.MethodGet {
			byPath[path] = append(byPath[path], http.MethodHead)
		}
	}
	for _, methods := range byPath {
		slices.Sort(methods)
	}
	return byPath
}

// find returns the handler of r and its pattern, or "" if no route matches. The
// mux alone would route GET /api/users/change-password to the pattern GET
// /api/users/{id}, and list the methods of that pattern in Allow.
func (g *gateway) find(r *http.Request) (handler http.Handler, pattern string) {
	allowed, fixed := g.methods[r.URL.Path]
	if !fixed || slices.Contains(allowed, r.Method) {
		return g.mux.Handler(r)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		w.WriteHeader(http.StatusMethodNotAllowed)
	}), ""
}

func (g *gateway) serve(w http.ResponseWriter, r *http.Request) {
	start := g.Now()
	x := &exchange{Context: r.Context(), gateway: g, client: g.Proxies.client(r)}
	x.origin = origin(r, x.client)
	r = r.WithContext(x)
	out := &recorder{ResponseWriter: w}
	standardHeaders(out.Header(), r, x.origin.CorrelationID)

	route, aborted := g.dispatch(out, r)

	status := out.status
	if status == 0 {
		status = http.StatusOK // as net/http sends for a handler that wrote nothing
	}
	e := Event{Method: method(r), Route: route, Status: status, Took: g.Now().Sub(start), Key: x.keyResult}
	if x.fault != nil {
		e.Code = x.fault.Code
	}
	g.report(r, x, e)
	if aborted {
		panic(http.ErrAbortHandler) // the response is incomplete, so close the connection
	}
}

// method returns the method of r for the log and metrics. Other methods count
// as one: a client could otherwise create any number of time series.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "other"
}

// dispatch serves r. It returns the matching pattern, and whether the handler
// gave up in the middle of its response.
func (g *gateway) dispatch(w *recorder, r *http.Request) (route string, aborted bool) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		err, _ := p.(error)
		aborted = errors.Is(err, http.ErrAbortHandler) || w.status != 0
		cause := fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		switch x := exchangeOf(r); {
		case errors.Is(err, http.ErrAbortHandler) && x.fault != nil: // the handler has recorded why
		case w.status == 0:
			reject(w, r, cause)
		default:
			x.fault = fault.Of(cause)
		}
	}()
	if g.Origins.serve(w, r) {
		return "", false // a preflight request, answered
	}
	handler, pattern := g.find(r)
	x := exchangeOf(r)
	if err := g.admit(w, r, pattern); err != nil {
		x.refused = true
		reject(w, r, err)
		return pattern, false
	}
	x.foreign = defense.RequestOrigin && g.csrf.Check(r) != nil
	if x.foreign && hasRefreshCookie(r) {
		reject(w, r, errCrossOrigin)
		return "", false
	}
	if !canonical(r.URL.Path) {
		reject(w, r, errNotCanonical)
		return "", false
	}
	if pattern == "" {
		notRouted(w, r, handler)
		return "", false
	}
	route = pattern // for a panic, too
	g.mux.ServeHTTP(w, r)
	return route, false
}

// admit counts r against the general limit and the limit of its route, sends the
// headers of the tighter one, and asks the route whether it is busy. It looks at
// nothing but the address of the client, so a refusal costs next to nothing.
func (g *gateway) admit(w http.ResponseWriter, r *http.Request, pattern string) error {
	route := g.routes[pattern]
	policy := route.Limit
	if policy == ratelimit.Unlimited {
		return nil
	}
	client := exchangeOf(r).client
	limit := g.Limits.Client(r.Context(), ratelimit.General, client)
	if limit.Err() == nil && policy != "" && defense.ClientLimit {
		if own := g.Limits.Client(r.Context(), policy, client); own.Tighter(limit) {
			limit = own
		}
	}
	limit.Header(w.Header())
	if err := limit.Err(); err != nil || route.Busy == nil {
		return err
	}
	return route.Busy()
}

var (
	errNoRoute      = fault.New(fault.NotFound, "not_found", "Nothing exists at this path.")
	errNotCanonical = fault.New(fault.Malformed, "bad_path", "The path has an empty or a dot segment. Send the path without it.")
	errNoMethod     = fault.New(fault.MethodNotAllowed, "method_not_allowed", "The path does not support this method. Allow lists the methods that it supports.")
)

// canonical reports whether a decoded path has no empty or dot segments. The
// mux would redirect other paths, perhaps to another resource than the client
// meant. It takes the decoded path because API Gateway passes on nothing else.
func canonical(decoded string) bool {
	return decoded != "" && decoded == path.Clean(decoded) ||
		strings.HasSuffix(decoded, "/") && strings.TrimSuffix(decoded, "/") == path.Clean(decoded) || decoded == "/"
}

// notRouted responds to a request that no pattern matches. The handler of the
// mux knows whether another method would match, but writes its own text.
func notRouted(w http.ResponseWriter, r *http.Request, handler http.Handler) {
	probe := &recorder{ResponseWriter: discard{header: http.Header{}}}
	handler.ServeHTTP(probe, r)
	if probe.status != http.StatusMethodNotAllowed {
		reject(w, r, errNoRoute)
		return
	}
	w.Header().Set("Allow", probe.Header().Get("Allow"))
	reject(w, r, errNoMethod)
}

// report observes a request and logs it. Only internal faults and failures of
// dependencies get a level above info, and successful probes one below. Of a flood of refusals, most are counted
// instead: to log them would cost as much as to refuse them.
func (g *gateway) report(r *http.Request, x *exchange, e Event) {
	if g.Observe != nil {
		g.Observe(r.Context(), e)
	}
	var omitted int
	if x.refused {
		var keep bool
		if keep, omitted = g.refusals.Take(g.Now()); !keep {
			return
		}
	}
	if !defense.LogEncoding {
		println(r.Method, r.URL.Path, r.UserAgent())
	}
	level := slog.LevelInfo
	if e.Status < http.StatusInternalServerError && g.routes[e.Route].Quiet {
		level = slog.LevelDebug
	}
	var array [8]slog.Attr
	attrs := append(array[:0],
		slog.String("method", e.Method), slog.String("route", e.Route), slog.Int("status", e.Status),
		slog.Float64("took_ms", float64(e.Took.Microseconds())/1000), slog.String("correlation_id", x.origin.CorrelationID),
		slog.String("address", x.origin.Address),
	)
	if x.user != "" {
		attrs = append(attrs, slog.String("user_id", x.user))
	}
	if x.key != "" {
		attrs = append(attrs, slog.String("api_key_id", x.key))
	}
	if f := x.fault; f != nil {
		attrs = append(attrs, slog.String("code", f.Code))
		if cause := f.Unwrap(); cause != nil {
			attrs = append(attrs, slog.String("cause", cause.Error()))
		}
		switch f.Kind {
		case fault.Internal:
			level = slog.LevelError
		case fault.Unavailable:
			level = slog.LevelWarn
		default:
		}
	}
	if omitted > 0 {
		attrs = append(attrs, slog.Int("omitted", omitted))
	}
	g.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

// A recorder records the final status of a response.
type recorder struct {
	http.ResponseWriter

	status int
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap gives [http.ResponseController] access to the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// discard is a ResponseWriter that drops the response.
type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}
