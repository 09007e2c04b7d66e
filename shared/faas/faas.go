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

// Margin is how long before Lambda's deadline the context of a request or job ends. It
// leaves time to respond and to write the log line. If less than twice that time is left,
// the margin is half of it.
const Margin = 500 * time.Millisecond

// A Function is what one Lambda function does. It is a [lambda.Handler], and is safe for
// concurrent use if its fields are.
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

// Invoke answers one event. It returns an error only for a failure of the function, which
// Lambda counts and retries; a client's mistake is a response. A panic becomes a 500 or a
// failed job, and the process continues.
func (f Function) Invoke(ctx context.Context, payload []byte) (answer []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			f.panicked(ctx, p)
			answer, err = nil, failure("Panic", "the function panicked; see its log")
		}
	}()
	ctx, cancel := withMargin(ctx)
	defer cancel()
	e, k := read(payload)
	switch {
	case k == schedule && f.Job != nil:
		return f.runSchedule(ctx, payload)
	case k == queue && f.Job != nil:
		return f.runQueue(ctx, payload)
	case k == customResource && f.Resource != nil:
		return f.handleResource(ctx, payload)
	case k == command && f.Command != nil:
		return f.command(ctx, payload)
	case fronts[k].read != nil && f.HTTP != nil:
		return f.serve(ctx, fronts[k], e)
	}
	return nil, failure("UnknownEvent", fmt.Sprintf("this function takes no event of kind %s", k))
}

// withMargin returns ctx with its deadline brought forward by [Margin].
func withMargin(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	margin := min(Margin, time.Until(deadline)/2)
	return context.WithDeadline(ctx, deadline.Add(-margin))
}

// failure returns an error as Lambda shows it: the message, with a type of ours instead of
// the name of a Go type.
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

// encode returns v as JSON. It fails only for values that cannot be encoded, of which the
// events and responses here contain none.
func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return b, nil
}
