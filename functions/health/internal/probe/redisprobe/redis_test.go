package redisprobe_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/functions/health/internal/probe/redisprobe"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/porttest"
)

func TestRedis_Check(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, user, ping, want string }{
		{"a server that answers", "", "+PONG", ""},
		{"a password is sent first", ":hunter2", "+PONG", ""},
		{"a wrong password: the error contains the code only", ":swordfish", "+PONG", "answered with the error WRONGPASS"},
		{"a missing password", "", "-NOAUTH Authentication required.", "answered with the error NOAUTH"},
		{"a server that is still loading", "", "-LOADING Redis is loading the dataset", "answered with the error LOADING"},
		{"a server that hangs up", "", "", "no answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			addr := serve(t, tt.ping)
			got := text(open(t, "redis://"+tt.user+"@"+addr+"/3").Check(t.Context()))
			if got != tt.want {
				t.Errorf("Check() = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRedis_Reconnects(t *testing.T) {
	t.Parallel()
	addr := porttest.Address(t)
	r := open(t, "redis://:hunter2@"+addr)
	if got, want := text(r.Check(t.Context())), "connection refused"; got != want {
		t.Fatalf("Check() without a server = %q, want %q", got, want)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go accept(l, "+PONG")
	if err := r.Check(t.Context()); err != nil {
		t.Errorf("Check() with the server back = %v", err)
	}
}

func TestRedis_TimesOutOnASilentServer(t *testing.T) {
	t.Parallel()
	l := listen(t) // the kernel accepts; nothing answers
	got := text(open(t, "redis://"+l.Addr().String()).Check(t.Context()))
	if want := "no answer in time"; got != want {
		t.Errorf("Check() = %q, want %q", got, want)
	}
}

func TestSettings_ErrorsDoNotQuoteThePassword(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"http://:hunter2@host", "redis://:hunter2@host/hunter2", "redis://:hunter2@host?hunter2=1"} {
		var s redisprobe.Settings
		err := config.Map(map[string]string{"REDIS_URL": raw}).Load(&s)
		if err == nil || strings.Contains(err.Error(), "hunter2") || s.Open() != nil {
			t.Errorf("%s is refused with %v, want an error without the password", raw, err)
		}
	}
}

func TestSettings_WithoutAServerThereIsNoProbe(t *testing.T) {
	t.Parallel()
	var s redisprobe.Settings
	if err := config.Map(nil).Load(&s); err != nil || s.Open() != nil {
		t.Errorf("got a probe, or %v", err)
	}
}

func open(t *testing.T, raw string) *redisprobe.Redis {
	t.Helper()
	var s redisprobe.Settings
	if err := config.Map(map[string]string{"REDIS_URL": raw}).Load(&s); err != nil {
		t.Fatal(err)
	}
	r := s.Open()
	t.Cleanup(func() { r.Close() })
	return r
}

// serve starts a server that accepts the password hunter2 and answers PING with ping, or hangs
// up if ping is empty. It returns its address.
func serve(t *testing.T, ping string) string {
	t.Helper()
	l := listen(t)
	go accept(l, ping)
	return l.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func accept(l net.Listener, ping string) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			converse(conn, ping)
		}()
	}
}

// converse implements as much RESP2 as a probe needs, like a Redis before version 6, which has
// no HELLO.
func converse(conn io.ReadWriter, ping string) {
	in := bufio.NewReader(conn)
	for {
		args, err := command(in)
		if err != nil {
			return
		}
		answer := "-ERR unknown command"
		switch {
		case args[0] == "auth" && args[len(args)-1] == "hunter2", args[0] == "select" && args[1] == "3":
			answer = "+OK"
		case args[0] == "auth":
			answer = "-WRONGPASS invalid username-password pair swordfish"
		case args[0] == "ping":
			answer = ping
		}
		if answer == "" {
			return
		}
		fmt.Fprintf(conn, "%s\r\n", answer)
	}
}

// command reads one command: an array of bulk strings. The name is lower-cased.
func command(in *bufio.Reader) ([]string, error) {
	var n int
	if _, err := fmt.Fscanf(in, "*%d\r\n", &n); err != nil {
		return nil, err
	}
	args := make([]string, n)
	for i := range args {
		var size int
		if _, err := fmt.Fscanf(in, "$%d\r\n", &size); err != nil {
			return nil, err
		}
		b := make([]byte, size+len("\r\n"))
		if _, err := io.ReadFull(in, b); err != nil {
			return nil, err
		}
		args[i] = string(b[:size])
	}
	args[0] = strings.ToLower(args[0])
	return args, nil
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
