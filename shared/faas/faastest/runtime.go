package faastest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A runtimeAPI implements the Lambda Runtime API (2018-06-01) and the Extensions API
// (2020-01-01) for a bootstrap.
type runtimeAPI struct {
	calls      chan *call
	ready      chan struct{} // closed when the function asks for its first event
	asked      time.Time     // when it asked; valid once ready is closed
	initErrors chan *FunctionError

	started    sync.Once
	extensions atomic.Int32
	count      atomic.Int64

	mu      sync.Mutex
	running map[string]*call
}

// A call is one event in flight.
type call struct {
	ctx     context.Context
	payload []byte
	done    chan outcome
}

type outcome struct {
	payload []byte
	err     error
}

func newCall(ctx context.Context, payload []byte) *call {
	return &call{ctx: ctx, payload: payload, done: make(chan outcome, 1)}
}

func newRuntimeAPI() *runtimeAPI {
	return &runtimeAPI{
		calls: make(chan *call), ready: make(chan struct{}),
		initErrors: make(chan *FunctionError, 1), running: map[string]*call{},
	}
}

func (a *runtimeAPI) mux() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", a.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", a.response)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", a.failure)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", a.initError)
	mux.HandleFunc("POST /2020-01-01/extension/register", a.register)
	mux.HandleFunc("GET /2020-01-01/extension/event/next", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Lambda-Extension-Identifier") != extensionID {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		<-r.Context().Done() // the extension subscribes to no events, so none comes
	})
	return mux
}

func (a *runtimeAPI) next(w http.ResponseWriter, r *http.Request) {
	a.started.Do(func() {
		a.asked = time.Now()
		close(a.ready)
	})
	select {
	case <-r.Context().Done():
	case c := <-a.calls:
		id := fmt.Sprintf("00000000-0000-4000-8000-%012d", a.count.Add(1))
		a.mu.Lock()
		a.running[id] = c
		a.mu.Unlock()
		h := w.Header()
		deadline, _ := c.ctx.Deadline() // Invoke always sets one
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:123456789012:function:test")
		h.Set("Lambda-Runtime-Trace-Id", "Root=1-67a1b2c3-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1")
		w.Write(c.payload)
	}
}

// complete completes the running call with the id in the request.
func (a *runtimeAPI) complete(w http.ResponseWriter, r *http.Request, judge func(body []byte) outcome) {
	body, err := io.ReadAll(r.Body)
	id := r.PathValue("id")
	a.mu.Lock()
	c, ok := a.running[id]
	delete(a.running, id)
	a.mu.Unlock()
	if err != nil || !ok {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.done <- judge(body)
	w.WriteHeader(http.StatusAccepted)
}

func (a *runtimeAPI) response(w http.ResponseWriter, r *http.Request) {
	a.complete(w, r, func(body []byte) outcome { return outcome{payload: body} })
}

func (a *runtimeAPI) failure(w http.ResponseWriter, r *http.Request) {
	a.complete(w, r, func(body []byte) outcome { return outcome{err: errorOf(body)} })
}

func (a *runtimeAPI) initError(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	select {
	case a.initErrors <- errorOf(body):
		w.WriteHeader(http.StatusAccepted)
	default:
		w.WriteHeader(http.StatusForbidden) // the function has reported an error already
	}
}

// extensionID is the id of the only extension that can register.
const extensionID = "6f1a1c1e-0000-4000-8000-000000000001"

// register accepts extensions until the function asks for its first event, as Lambda does.
func (a *runtimeAPI) register(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Events []string `json:"events"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body.Events) > 0 || r.Header.Get("Lambda-Extension-Name") == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	select {
	case <-a.ready:
		w.WriteHeader(http.StatusForbidden)
		return
	default:
	}
	a.extensions.Add(1)
	w.Header().Set("Lambda-Extension-Identifier", extensionID)
	fmt.Fprint(w, `{"functionName":"test","functionVersion":"$LATEST","handler":"bootstrap"}`)
}

// wantsSIGTERM reports whether an extension is registered. Only then does Lambda send
// SIGTERM.
func (a *runtimeAPI) wantsSIGTERM() bool { return a.extensions.Load() > 0 }

func errorOf(body []byte) *FunctionError {
	var e FunctionError
	if err := json.Unmarshal(body, &e); err != nil {
		return &FunctionError{Type: "Runtime.UnreadableError", Message: string(body)}
	}
	return &e
}
