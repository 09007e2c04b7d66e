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

// A Process is a running bootstrap. It is a lambda.Handler that takes one event
// at a time, as an instance does; further ones wait. Safe for concurrent use.
type Process struct {
	cmd    *exec.Cmd
	began  time.Time // just before the process was started
	api    *runtimeAPI
	log    *buffer
	exited chan struct{} // closed when the process has ended
}

// A FunctionError is what a function reports instead of an answer, or instead
// of starting.
type FunctionError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

// Error returns both.
func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// ErrExited is what an event gets whose process ended without an answer.
var ErrExited = errors.New("the process has exited")

// Start starts the bootstrap with the variables of env, each "NAME=value", and
// those that Lambda sets, and no others. It is killed when tb ends, unless it
// ended before.
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

// Invoke sends the event to the function and returns its answer. The deadline
// of ctx is the function's, else it has half a minute; a function that misses
// it is left running.
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

// InitError waits until the function has started, or reported why it cannot,
// or ended; it returns the report, or nil.
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

// InitTime returns how long the function took from its exec to its first
// question for an event, which is what a cold start waits for. Ask [InitError]
// before whether it came so far.
func (p *Process) InitTime() time.Duration { return p.api.asked.Sub(p.began) }

// Shutdown ends the process as Lambda does: with SIGTERM where it registered
// for that, else at once. It waits for the end and returns the exit code, -1
// for a process that was killed.
func (p *Process) Shutdown() int {
	signal := syscall.SIGKILL
	if p.api.wantsSIGTERM() {
		signal = syscall.SIGTERM
	}
	p.cmd.Process.Signal(signal)
	return p.Wait()
}

// Wait waits until the process has ended by itself and returns its exit code.
func (p *Process) Wait() int {
	<-p.exited
	return p.cmd.ProcessState.ExitCode()
}

// PID returns the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Log returns what the function has written to its standard output and error.
func (p *Process) Log() string { return p.log.String() }

// A buffer is a bytes.Buffer for the process and the test at once.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write adds to the buffer.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String returns what was written.
func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
