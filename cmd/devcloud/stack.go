package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

// serveStack serves at an address until a signal arrives, in place of the image of
// Nextcloud in docker-compose.yml. Like the image, it takes the administrator from
// NEXTCLOUD_ADMIN_USER and NEXTCLOUD_ADMIN_PASSWORD, or the file that
// NEXTCLOUD_ADMIN_PASSWORD_FILE names, and believes the X-Forwarded-For header of the
// addresses in TRUSTED_PROXIES. It prints each address from which a client comes.
func serveStack(address string, stdout io.Writer) error {
	env := config.New(os.LookupEnv)
	cloud := nextcloudtest.New(nextcloudtest.Options{
		AdminUser: env.String("NEXTCLOUD_ADMIN_USER", admin), AdminPassword: env.Secret("NEXTCLOUD_ADMIN_PASSWORD"),
	})
	defer cloud.Close()
	if err := env.Err(); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := newServer(&behindProxy{next: cloud, proxies: strings.Fields(env.String("TRUSTED_PROXIES", "")), stdout: stdout})
	defer server.Close()
	go server.Serve(listener) // until Close
	ctx, cancel := signal.NotifyContext(context.Background(), signals...)
	defer cancel()
	<-ctx.Done()
	return nil
}

// behindProxy hands requests to next with the address of the client, as Nextcloud sees it.
type behindProxy struct {
	next    http.Handler
	proxies []string
	stdout  io.Writer

	seen sync.Map // addresses that were printed
}

func (b *behindProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, port, err := net.SplitHostPort(r.RemoteAddr)
	forwarded := r.Header.Get("X-Forwarded-For")
	if err == nil && forwarded != "" && slices.Contains(b.proxies, host) {
		host = forwarded
		r.RemoteAddr = net.JoinHostPort(host, port)
	}
	if _, known := b.seen.LoadOrStore(host, true); !known {
		fmt.Fprintf(b.stdout, "a client has the address %s\n", host)
	}
	b.next.ServeHTTP(w, r)
}
