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
// The parameter of open is a pointer to the settings of the function. open builds the
// handler from them; it must not connect to anything, because it is part of every cold
// start. If it fails, or if settings are invalid, the error is reported to Lambda in one
// line and the process ends. Operators read that line, so it must not contain a secret.
// The context of open ends with the instance, and a handler made by [Closing] is closed
// then.
//
// If SECRETS_ARNS names secrets (see package secrets), which may hold settings, open is
// called by the first event instead, and again when the secrets have changed. The previous
// handler is closed, and its context ends, when its requests are done. While open fails,
// requests get 503.
//
// Logs are JSON lines on standard output with the ids of the invocation, written through
// [slog.Default] at LOG_LEVEL and above.
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

// MainJob is [Main] for a function that runs jobs, with or without HTTP.
func MainJob[S any, P settingsOf[S]](open func(context.Context, P) (Function, error)) {
	os.Exit(run(start(loading(open))))
}

// MainResource is [MainJob] for a function that has a Resource. The first event opens it,
// with secrets or without: a function that cannot start does not respond, and
// CloudFormation would wait an hour for it. Opened late, it can report the failure.
func MainResource[S any, P settingsOf[S]](open func(context.Context, P) (Function, error)) {
	os.Exit(run(startLazy(loading(open))))
}

// settingsOf constrains P to a pointer to S that loads the settings.
type settingsOf[S any] interface {
	*S
	setting.Settings
}

type opener func(context.Context, *config.Env) (Function, error)

// loading returns an opener that loads the settings and calls open if all are valid.
func loading[S any, P settingsOf[S]](open func(context.Context, P) (Function, error)) opener {
	return func(ctx context.Context, env *config.Env) (Function, error) {
		settings := P(new(S))
		if err := env.Load(settings); err != nil {
			return Function{}, err
		}
		return open(ctx, settings)
	}
}

// An instance is what the process of a function runs.
type instance struct {
	lambda.Handler

	close func() error // nil if there is nothing to close
}

// run returns the exit code of a function that did not start. It does not return if the
// function started.
func run(start func(ctx context.Context) (instance, error)) int {
	api := os.Getenv("AWS_LAMBDA_RUNTIME_API")
	if api == "" {
		fmt.Fprintln(os.Stderr, "This is an AWS Lambda function; run the gateway program to serve without Lambda.")
		return 2
	}
	limitThreads()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	f, err := start(ctx)
	if err != nil {
		slog.LogAttrs(ctx, slog.LevelError, "start", slog.String("cause", err.Error()))
		reportInit(ctx, api, err)
		return 1
	}
	if f.close != nil { // registering for SIGTERM costs a round trip
		notifySIGTERM(ctx, api, func() {
			stop()
			os.Exit(closeWithCode(f.close))
		})
	}
	lambda.Start(f.Handler)
	return 1
}

// oneProcessor is the memory, in MB, up to which Lambda gives a function at most
// the time of one processor (Lambda Developer Guide, "Configure Lambda function
// memory").
const oneProcessor = 1769

// limitThreads limits Go to one running thread if the function gets at most the time of one
// processor, although it sees two. It serves one event at a time, and each switch between
// threads takes time from that event. GOMAXPROCS in the environment wins.
func limitThreads() {
	mb, err := strconv.Atoi(os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
	if err == nil && mb <= oneProcessor && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
}

// Closing returns h with a function that is called when the instance ends. Lambda allows
// 500 ms for it, and sometimes no time at all.
func Closing(h http.Handler, close func() error) http.Handler {
	return closing{h, close}
}

type closing struct {
	http.Handler

	close func() error
}

// Close calls the function that was passed to [Closing].
func (c closing) Close() error { return c.close() }

// closeWithCode calls close and returns the exit code.
func closeWithCode(close func() error) int {
	if err := close(); err != nil {
		slog.LogAttrs(context.Background(), slog.LevelError, "close", slog.String("cause", err.Error()))
		return 1
	}
	return 0
}

// start returns a function that sets up the log and opens the function. If there are
// secrets to fetch, it leaves the opening to the first event.
func start(open opener) func(context.Context) (instance, error) {
	return func(ctx context.Context) (instance, error) {
		env, source := prepare()
		if source == nil {
			f, err := safeOpen(ctx, env, open)
			return instance{f, f.Close}, err
		}
		l := newLazy(ctx, os.LookupEnv, source.Fetch, open)
		return instance{l, l.Close}, oneLineError(env.Err())
	}
}

// startLazy returns a function that leaves the opening to the first event, which also
// reports an error of prepare.
func startLazy(open opener) func(context.Context) (instance, error) {
	return func(ctx context.Context) (instance, error) {
		env, source := prepare()
		err := oneLineError(env.Err())
		l := newLazy(ctx, os.LookupEnv, func(ctx context.Context) (*secrets.Values, error) {
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

// prepare sets up the log and returns the source of the secrets, or nil if none are
// configured.
func prepare() (*config.Env, *secrets.Source) {
	env := config.New(os.LookupEnv)
	slog.SetDefault(newLog(os.Stdout, setting.LogLevel(env)))
	return env, secrets.Read(env)
}

// safeOpen calls open and turns a panic into an error.
func safeOpen(ctx context.Context, env *config.Env, open opener) (f Function, err error) {
	defer func() {
		if p := recover(); p != nil {
			slog.LogAttrs(ctx, slog.LevelError, "panic", slog.String("stack", string(debug.Stack())))
			err = fmt.Errorf("panic: %v", p)
		}
		err = oneLineError(err)
	}()
	return open(ctx, env)
}

// oneLineError returns err as an error of one line.
func oneLineError(err error) error {
	if err == nil {
		return nil
	}
	return startError(strings.ReplaceAll(err.Error(), "\n", "; "))
}

// A startError says in one line why the function cannot start.
type startError string

func (e startError) Error() string { return string(e) }

// reportInit reports to Lambda why the function cannot start. The runtime library has no
// call for that (Runtime API, "Initialization error").
func reportInit(ctx context.Context, api string, cause error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	const kind = "Function.StartFailed"
	body, err := json.Marshal(map[string]any{"errorMessage": cause.Error(), "errorType": kind, "stackTrace": []string{}})
	if err != nil {
		return // unreachable: strings can be encoded
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
