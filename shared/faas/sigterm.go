package faas

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// notifySIGTERM calls end when Lambda is about to end the instance, 500 ms in advance. Lambda
// sends SIGTERM only if an extension is registered, so notifySIGTERM registers one that
// subscribes to no events. The runtime library can do that too (WithEnableSIGTERM), but
// its HTTP client adds half a millisecond to every cold start. A failure is logged, and
// the function runs without the signal.
func notifySIGTERM(ctx context.Context, api string, end func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	conn, err := registerExtension(ctx, api)
	if err != nil {
		slog.LogAttrs(ctx, slog.LevelWarn, "ask for SIGTERM", slog.String("cause", err.Error()))
	}
	go func() {
		<-signals
		if conn != nil { // open until here: an extension exists while it waits for events
			conn.Close()
		}
		end()
	}()
}

// registerExtension registers an internal extension (Extensions API 2020-01-01) and
// returns the connection on which the extension waits for its events. It subscribes to
// none.
func registerExtension(ctx context.Context, api string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", api)
	if err != nil {
		return nil, err
	}
	if err := register(ctx, conn, api); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func register(ctx context.Context, conn net.Conn, api string) error {
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	const name, events = "bootstrap", `{"events":[]}`
	_, err := fmt.Fprintf(conn, "POST /2020-01-01/extension/register HTTP/1.1\r\nHost: %s\r\nLambda-Extension-Name: %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", api, name, len(events), events)
	if err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("register an extension: %s", resp.Status)
	}
	_, err = fmt.Fprintf(conn, "GET /2020-01-01/extension/event/next HTTP/1.1\r\nHost: %s\r\nLambda-Extension-Identifier: %s\r\n\r\n",
		api, resp.Header.Get("Lambda-Extension-Identifier"))
	if err != nil {
		return err
	}
	return conn.SetDeadline(time.Time{})
}
