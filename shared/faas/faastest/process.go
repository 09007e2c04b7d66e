package faastest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A Process is a running bootstrap. It is a lambda.Handler that handles one event at a
// time, like an instance; further events wait. It is safe for concurrent use.
type Process struct {
	cmd    *exec.Cmd
	began  time.Time // just before the process was started
	api    *runtimeAPI
	log    *buffer
	exited chan struct{} // closed when the process has ended
}

// A FunctionError is an error that a function reports for an event or for its start.
type FunctionError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

// Error returns the type and the message.
func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// ErrExited is the error of an event if the process exits without a response.
var ErrExited = errors.New("the process has exited")

// Start starts the bootstrap. Its environment is env, each item "NAME=value", and the
// variables that Lambda sets, and nothing else. The process is killed when tb ends.
func Start(tb testing.TB, bootstrap string, env ...string) *Process {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("listen for the runtime: %v", err)
	}
	p := &Process{api: newRuntimeAPI(), log: &buffer{}, exited: make(chan struct{})}
	server := &http.Server{Handler: p.api.mux(), ReadHeaderTimeout: time.Minute}
	go server.Serve(listener)

	p.cmd = exec.Command(bootstrap)
	p.cmd.Env = append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + listener.Addr().String(), "AWS_REGION=eu-central-1",
		"AWS_LAMBDA_FUNCTION_NAME=test", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256", "_HANDLER=bootstrap", "TZ=:UTC",
	}, env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.began = time.Now()
	if err := p.cmd.Start(); err != nil {
		server.Close()
		tb.Fatalf("start the bootstrap: %v", err)
	}
	go func() {
		p.cmd.Wait()
		close(p.exited)
	}()
	tb.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.exited
		server.Close()
		if tb.Failed() {
			tb.Logf("log of the bootstrap:\n%s", p.Log())
		}
	})
	return p
}

// Invoke sends the event to the function and returns the result. The function gets the
// deadline of ctx, but at most 30 seconds. A function that exceeds it keeps running.
func (p *Process) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, functionTime)
	defer cancel()
	c := newCall(ctx, payload)
	select {
	case p.api.calls <- c:
	case <-p.exited:
		return nil, ErrExited
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the function: %w", ctx.Err())
	}
	select {
	case a := <-c.done:
		return a.payload, a.err
	case <-p.exited:
		return nil, ErrExited
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the answer: %w", ctx.Err())
	}
}

// InitError waits until the function has started, reported an error or exited. It returns
// the reported error, or nil.
func (p *Process) InitError() *FunctionError {
	select {
	case <-p.api.ready:
	case <-p.exited:
	case e := <-p.api.initErrors:
		return e
	}
	select {
	case e := <-p.api.initErrors:
		return e
	default:
		return nil
	}
}

// InitTime returns the time from the start of the process to its first request for an
// event, which is what a cold start waits for. Call [Process.InitError] first to be sure that it
// got there.
func (p *Process) InitTime() time.Duration { return p.api.asked.Sub(p.began) }

// Shutdown ends the process as Lambda does: with SIGTERM if it registered an extension,
// else with SIGKILL. It waits for the exit and returns the exit code, which is -1 for a
// killed process.
func (p *Process) Shutdown() int {
	signal := syscall.SIGKILL
	if p.api.wantsSIGTERM() {
		signal = syscall.SIGTERM
	}
	p.cmd.Process.Signal(signal)
	return p.Wait()
}

// Wait waits until the process has exited and returns its exit code.
func (p *Process) Wait() int {
	<-p.exited
	return p.cmd.ProcessState.ExitCode()
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Log returns the function's standard output and standard error.
func (p *Process) Log() string { return p.log.String() }

// A buffer is a bytes.Buffer that is safe for concurrent use.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends p to the buffer.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String returns the contents.
func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
