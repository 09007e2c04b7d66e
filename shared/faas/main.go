package faas

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/faas/secrets"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

// Main runs the handler that open returns as a Lambda function. It does not
// return. A bootstrap's main is
//
//	func main() { faas.Main(open) }
//
// The parameter of open is a pointer to the settings that the function has. open
// builds the handler from them; it must not connect to anything, as it is part of
// every cold start. Its failure, or all invalid settings, are reported to Lambda in
// one line before the process ends; the line goes to operators, so it must contain
// no secret. The context of open ends with the instance. A handler made by
// [Closing] is closed then.
//
// If SECRETS_ARNS names secrets (see package secrets), open is called by the first
// event instead, since settings may be in them, and again when they have changed: a
// handler is closed, and its context ends, when the requests that it serves are
// done. While open fails, requests get 503.
//
// Logs are JSON lines on standard output, through [slog.Default], from LOG_LEVEL
// on, with the ids of the invocation.
func Main[S any, P settingsOf[S]](open func(context.Context, P) (http.Handler, error)) {
	MainJob(func(ctx context.Context, settings P) (Function, error) {
		h, err := open(ctx, settings)
		f := Function{HTTP: h}
		if c, ok := h.(io.Closer); ok {
			f.Close = c.Close
		}
		return f, err
	})
}

// MainJob is [Main] for a function that has jobs, with HTTP or without.
func MainJob[S any, P settingsOf[S]](open func(context.Context, P) (Function, error)) {
	os.Exit(run(start(loading(open))))
}

// MainResource is [MainJob] for a function that has a Resource. It is opened by
// its first event, secrets or not: a function that cannot start answers nobody,
// and CloudFormation would wait an hour for it. The failure is the answer
// instead.
func MainResource[S any, P settingsOf[S]](open func(context.Context, P) (Function, error)) {
	os.Exit(run(startLate(loading(open))))
}

// settingsOf are pointers to S that load it.
type settingsOf[S any] interface {
	*S
	setting.Settings
}

type opener func(context.Context, *config.Env) (Function, error)

// loading returns an opener that loads the settings, and calls open if all are
// valid.
func loading[S any, P settingsOf[S]](open func(context.Context, P) (Function, error)) opener {
	return func(ctx context.Context, env *config.Env) (Function, error) {
		settings := P(new(S))
		if err := env.Load(settings); err != nil {
			return Function{}, err
		}
		return open(ctx, settings)
	}
}

// An instance is what a function's process runs.
type instance struct {
	lambda.Handler

	close func() error // nil: there is nothing to close
}

// run returns the exit code of a function that did not start; it does not
// return from one that did.
func run(start func(ctx context.Context) (instance, error)) int {
	api := os.Getenv("AWS_LAMBDA_RUNTIME_API")
	if api == "" {
		fmt.Fprintln(os.Stderr, "This is an AWS Lambda function; run the gateway program to serve without Lambda.")
		return 2
	}
	useShare()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	f, err := start(ctx)
	if err != nil {
		slog.LogAttrs(ctx, slog.LevelError, "start", slog.String("cause", err.Error()))
		reportInit(ctx, api, err)
		return 1
	}
	if f.close != nil { // asking for SIGTERM costs a round trip, so only where there is something to do
		onSIGTERM(ctx, api, func() {
			stop()
			os.Exit(closed(f.close))
		})
	}
	lambda.Start(f.Handler)
	return 1
}

// oneProcessor is the memory, in MB, up to which Lambda gives a function at most
// the time of one processor (Lambda Developer Guide, "Configure Lambda function
// memory").
const oneProcessor = 1769

// useShare lets Go run one thread of ours at a time where the function may use
// one processor, though it sees two: it serves one event at a time, and each
// hand over to another thread is time of that one. GOMAXPROCS in the environment
// wins.
func useShare() {
	mb, err := strconv.Atoi(os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
	if err == nil && mb <= oneProcessor && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
}

// Closing returns h with what is to be closed when the instance ends. Lambda
// leaves 500 ms for it, and sometimes none.
func Closing(h http.Handler, close func() error) http.Handler {
	return closing{h, close}
}

type closing struct {
	http.Handler

	close func() error
}

// Close closes what the handler stands on.
func (c closing) Close() error { return c.close() }

// closed closes and returns the exit code.
func closed(close func() error) int {
	if err := close(); err != nil {
		slog.LogAttrs(context.Background(), slog.LevelError, "close", slog.String("cause", err.Error()))
		return 1
	}
	return 0
}

// start returns what sets the log up and opens the function, or leaves that to
// its first event where there are secrets to be fetched.
func start(open opener) func(context.Context) (instance, error) {
	return func(ctx context.Context) (instance, error) {
		env, source := prepare()
		if source == nil {
			f, err := opening(ctx, env, open)
			return instance{f, f.Close}, err
		}
		l := newLate(ctx, os.LookupEnv, source.Fetch, open)
		return instance{l, l.Close}, notStarted(env.Err())
	}
}

// startLate returns what leaves everything to the first event, its own failure
// included.
func startLate(open opener) func(context.Context) (instance, error) {
	return func(ctx context.Context) (instance, error) {
		env, source := prepare()
		err := notStarted(env.Err())
		l := newLate(ctx, os.LookupEnv, func(ctx context.Context) (*secrets.Values, error) {
			switch {
			case err != nil:
				return nil, err
			case source == nil:
				return &secrets.Values{}, nil
			}
			return source.Fetch(ctx)
		}, open)
		return instance{l, l.Close}, nil
	}
}

// prepare sets the log up and reads which secrets there are, if any.
func prepare() (*config.Env, *secrets.Source) {
	env := config.New(os.LookupEnv)
	slog.SetDefault(newLog(os.Stdout, setting.LogLevel(env)))
	return env, secrets.Read(env)
}

// opening calls open. A panic is an error.
func opening(ctx context.Context, env *config.Env, open opener) (f Function, err error) {
	defer func() {
		if p := recover(); p != nil {
			slog.LogAttrs(ctx, slog.LevelError, "panic", slog.String("stack", string(debug.Stack())))
			err = fmt.Errorf("panic: %v", p)
		}
		err = notStarted(err)
	}()
	return open(ctx, env)
}

// notStarted returns err as a line.
func notStarted(err error) error {
	if err == nil {
		return nil
	}
	return startError(strings.ReplaceAll(err.Error(), "\n", "; "))
}

// A startError is one line about why the function cannot start.
type startError string

func (e startError) Error() string { return string(e) }

// reportInit tells Lambda why the function cannot start, which its runtime
// library has no call for (Runtime API, "Initialization error").
func reportInit(ctx context.Context, api string, cause error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	const kind = "Function.StartFailed"
	body, err := json.Marshal(map[string]any{"errorMessage": cause.Error(), "errorType": kind, "stackTrace": []string{}})
	if err != nil {
		return // strings can be encoded
	}
	url := "http://" + api + "/2018-06-01/runtime/init/error"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		slog.LogAttrs(ctx, slog.LevelError, "report the failed start", slog.String("cause", err.Error()))
		return
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Lambda-Runtime-Function-Error-Type", kind)
	resp, err := (&http.Client{Transport: &http.Transport{}}).Do(req) // never through a proxy
	if err != nil {
		slog.LogAttrs(ctx, slog.LevelError, "report the failed start", slog.String("cause", err.Error()))
		return
	}
	resp.Body.Close()
}
