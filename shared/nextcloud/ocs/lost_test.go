package ocs_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

// Calls with a lost answer: which effects they had, and which error is returned.
func TestClient_LostAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		fault       nextcloudtest.Fault
		read, write error
		made        bool
	}{
		{"cut before the effect", nextcloudtest.CutBefore(), ocs.ErrUnavailable, ocs.ErrUncertain, false},
		{"cut after the effect", nextcloudtest.CutAfter(), ocs.ErrUnavailable, ocs.ErrUncertain, true},
		{"cut inside the answer", nextcloudtest.CutInside(), ocs.ErrBadAnswer, ocs.ErrUncertain, true},
		{"a crash before the effect", nextcloudtest.Crash(), ocs.ErrUnavailable, ocs.ErrUncertain, false},
		{"a crash after the effect", nextcloudtest.CrashAfter(), ocs.ErrUnavailable, ocs.ErrUncertain, true},
		{"maintenance", nextcloudtest.Maintenance(), ocs.ErrMaintenance, ocs.ErrMaintenance, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, client := open(t)
			server.Fail(func(*http.Request) nextcloudtest.Fault { return tt.fault })
			_, err := client.User(t.Context(), "admin")
			wantError(t, err, tt.read)
			if errors.Is(err, ocs.ErrUncertain) {
				t.Errorf("a read is reported as uncertain: %v", err)
			}
			server.Fail(nextcloudtest.Times(1, tt.fault, nextcloudtest.On(http.MethodPost, "/users")))
			wantError(t, client.CreateUser(t.Context(), ada()), tt.write)
			if _, err = client.User(t.Context(), ada().ID); (err == nil) != tt.made {
				t.Errorf("afterwards: got %v, want created = %v", err, tt.made)
			}
		})
	}
}

// A GET that returns a new app password each time is a write: a lost answer leaves an app
// password behind.
func TestClient_AppPassword_LostAnswerIsUncertain(t *testing.T) {
	t.Parallel()
	server, client := open(t)
	server.AddUser("ada", adaPassword, "")
	_, err := client.Throttle(t.Context()) // opens a connection that can be reused
	must(t, err)
	server.Fail(nextcloudtest.Times(1, nextcloudtest.CutAfter(), nil))
	_, err = client.AppPassword(t.Context(), "ada", adaPassword)
	wantError(t, err, ocs.ErrUncertain)
	if got, _ := server.User("ada"); len(got.AppPasswords) != 1 {
		t.Errorf("%d app passwords, want the one with the lost answer", len(got.AppPasswords))
	}
}

func TestClient_ConnectionRefused(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, listener.Close())
	client := clientOf(t, "http://"+listener.Addr().String(), time.Minute)
	err = client.CreateUser(t.Context(), ada())
	wantError(t, err, ocs.ErrUnavailable)
	if errors.Is(err, ocs.ErrUncertain) {
		t.Errorf("reported as uncertain although nothing was sent: %v", err)
	}
}

// The server received the call and is still working when the client gives up.
func TestClient_TimesOut(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		timeout time.Duration // of the client
		cancel  bool          // by the caller
		cause   error
	}{
		{"by its own timeout", 3 * time.Second, false, context.DeadlineExceeded},
		{"by the caller", time.Minute, true, context.Canceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := nextcloudtest.New(nextcloudtest.Options{AdminPassword: adminPassword, BasePath: folder})
			arrived, goOn := make(chan struct{}, 1), make(chan struct{})
			slow := nextcloudtest.Slow(goOn)
			server.Fail(func(*http.Request) nextcloudtest.Fault {
				arrived <- struct{}{}
				return slow
			})
			client := dial(t, server, tt.timeout)
			t.Cleanup(func() { close(goOn) }) // before the server waits for its requests
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			// A client without a timeout would block here forever.
			defer time.AfterFunc(time.Minute, cancel).Stop()
			if tt.cancel {
				go func() { <-arrived; cancel() }()
			}
			err := client.CreateUser(ctx, ada())
			wantError(t, err, ocs.ErrUncertain)
			wantError(t, err, tt.cause)
		})
	}
}

func TestClient_TimesOutBeforeSending(t *testing.T) {
	t.Parallel()
	server, client := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := client.CreateUser(ctx, ada())
	wantError(t, err, ocs.ErrUnavailable)
	wantError(t, err, context.Canceled)
	if calls := server.Calls(); len(calls) != 0 || errors.Is(err, ocs.ErrUncertain) {
		t.Errorf("got %v after %v, want a certain failure and no call", err, calls)
	}
}
