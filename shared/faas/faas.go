// Package faas runs an http.Handler, and jobs, under AWS Lambda. It is the only
// package that knows Lambda; start with [Main], or [MainJob] for a function
// that also works without being asked by HTTP, or [MainResource] for one that a
// deployment asks.
//
// One handler serves every front that may stand before a function: API Gateway
// HTTP APIs (payload 2.0) and REST APIs (payload 1.0), Function URLs, and load
// balancers with or without multi-value headers. They are told apart by the top
// level of the event, which AWS writes, never by anything a client sends. What
// is none of them and no job is refused with an error, so that a schedule can
// never be taken for "GET /".
//
// # Requests and answers
//
// github.com/awslabs/aws-lambda-go-api-proxy is the bridge: it makes the
// *http.Request of an event, and the answer from what the handler writes. It
// gets no new releases and has known faults: it believes a forged
// X-Forwarded-For, lets a second WriteHeader overrule the first, and fails where
// nothing was written. So every event is first brought into the one form that it
// converts without loss, the few fields that it still gets wrong are set on its
// request, and a ResponseWriter of ours stands before its own. A request is then
// the one that net/http's server would have read from the wire, and the
// ResponseWriter has the rules of that server: first status wins, 200 when
// nothing was said, no body to HEAD. What no server would take for a request is
// a 400.
//
// Each fault is a test that shows it on the bridge alone and cured here, so that
// a version without it is noticed.
//
// # What Lambda cannot do
//
// Answers are not streamed, Flush does nothing, and an answer of more than 6 MB
// becomes a 500. An HTTP API decodes the path before we see it, so "%2F" and
// "/" are one and the same there.
package faas

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
)

// Margin is how long before Lambda's deadline the context of a request or job
// ends: enough to answer and to write the log line. Of less than twice that
// time, half is kept.
const Margin = 500 * time.Millisecond

// A Function is what one Lambda function does. It is a [lambda.Handler], safe
// for concurrent use when its parts are.
type Function struct {
	HTTP     http.Handler // nil: requests are refused
	Job      Job          // nil: jobs are refused
	Resource Resource     // nil: changes of custom resources are refused
	Command  Command      // nil: commands are refused
	Close    func() error // called when the instance ends; may be nil
	Log      *slog.Logger // for panics and failed jobs; nil is [slog.Default]
}

// Handler returns the Lambda handler of h, which serves requests of every
// front and no jobs.
func Handler(h http.Handler) lambda.Handler { return Function{HTTP: h} }

// Invoke answers one event. Its error is one of the function, which Lambda
// counts and retries; whatever a client did wrong is an answer instead. A panic
// is a 500, or the failure of the job, and the process lives on.
func (f Function) Invoke(ctx context.Context, payload []byte) (answer []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			f.panicked(ctx, p)
			answer, err = nil, failure("Panic", "the function panicked; see its log")
		}
	}()
	ctx, cancel := within(ctx)
	defer cancel()
	e, k := read(payload)
	switch {
	case k == schedule && f.Job != nil:
		return f.runSchedule(ctx, payload)
	case k == queue && f.Job != nil:
		return f.runQueue(ctx, payload)
	case k == customResource && f.Resource != nil:
		return f.change(ctx, payload)
	case k == command && f.Command != nil:
		return f.command(ctx, payload)
	case fronts[k].read != nil && f.HTTP != nil:
		return f.serve(ctx, fronts[k], e)
	}
	return nil, failure("UnknownEvent", fmt.Sprintf("this function takes no event of kind %s", k))
}

// within returns ctx with its deadline moved forward by [Margin].
func within(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	margin := min(Margin, time.Until(deadline)/2)
	return context.WithDeadline(ctx, deadline.Add(-margin))
}

// failure is an error as Lambda shows it: the message, under a type of ours
// instead of the name of a Go type.
func failure(kind, message string) error {
	return messages.InvokeResponse_Error{Type: "Function." + kind, Message: message}
}

func (f Function) log() *slog.Logger {
	if f.Log != nil {
		return f.Log
	}
	return slog.Default()
}

func (f Function) panicked(ctx context.Context, p any) {
	f.log().LogAttrs(ctx, slog.LevelError, "panic",
		slog.Any("panic", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
}

// encode returns v as JSON. The events and answers here hold nothing that
// cannot be encoded.
func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return b, nil
}
