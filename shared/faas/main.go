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
	"runtime/debug"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/voiceassist/gateway/shared/config"
)

// Main runs the handler that open returns as a Lambda function. It does not
// return. A bootstrap's main is
//
//	func main() { faas.Main(open) }
//
// open reads the settings and wires; it must not dial, as it is part of every
// cold start (see [Lazy]). Its failure, and every setting that env refuses, are
// reported to Lambda in one line before the process ends; the line goes to
// operators, so it must hold no secret. The context of open ends with the
// instance. A handler made by [Closing] is closed then.
//
// Logs are JSON lines on standard output, through [slog.Default], from LOG_LEVEL
// on, with the ids of the invocation.
func Main(open func(ctx context.Context, env *config.Env) (http.Handler, error)) {
	MainJob(func(ctx context.Context, env *config.Env) (Function, error) {
		h, err := open(ctx, env)
		f := Function{HTTP: h}
		if c, ok := h.(io.Closer); ok {
			f.Close = c.Close
		}
		return f, err
	})
}

// MainJob is [Main] for a function that has jobs, with HTTP or without.
func MainJob(open func(ctx context.Context, env *config.Env) (Function, error)) {
	os.Exit(run(open))
}

// run returns the exit code of a function that did not start; it does not
// return from one that did.
func run(open func(context.Context, *config.Env) (Function, error)) int {
	api := os.Getenv("AWS_LAMBDA_RUNTIME_API")
	if api == "" {
		fmt.Fprintln(os.Stderr, "This is an AWS Lambda function; run the gateway program to serve without Lambda.")
		return 2
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	f, err := start(ctx, config.New(os.LookupEnv), open)
	if err != nil {
		slog.LogAttrs(ctx, slog.LevelError, "start", slog.String("cause", err.Error()))
		reportInit(ctx, api, err)
		return 1
	}
	var opts []lambda.Option
	if f.Close != nil { // asking for SIGTERM costs a round trip, so only where there is something to do
		opts = append(opts, lambda.WithEnableSIGTERM(func() {
			stop()
			os.Exit(closed(f.Close))
		}))
	}
	lambda.StartWithOptions(f, opts...)
	return 1
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

// start sets the log up and opens the function. What env refused is an error
// even where open took no notice.
func start(
	ctx context.Context, env *config.Env, open func(context.Context, *config.Env) (Function, error),
) (f Function, err error) {
	defer func() {
		if p := recover(); p != nil {
			slog.LogAttrs(ctx, slog.LevelError, "panic", slog.String("stack", string(debug.Stack())))
			err = fmt.Errorf("panic: %v", p)
		}
		if err != nil {
			err = startError(strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	}()
	slog.SetDefault(newLog(os.Stdout, env.LogLevel()))
	f, err = open(ctx, env)
	if err == nil {
		err = env.Err()
	}
	return f, err
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
	resp.Body.Close() //nolint:errcheck // the process ends next
}
