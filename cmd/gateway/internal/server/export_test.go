package server

import (
	"net"
	"net/http"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/endpoint"
)

// CARoot is caRoot for any operating system.
func CARoot(env *config.Env, goos string) string { return caRoot(env, goos) }

// SecureHost is secureHost, also for ports that tests may not listen on.
func SecureHost(header, port string) (string, error) { return secureHost(header, port) }

// CorkConn wraps c as the listener does.
func CorkConn(c net.Conn) interface {
	net.Conn
	endpoint.Corker
} {
	return &corkConn{Conn: c}
}

// Pace wraps h as the HTTPS server does.
func Pace(h http.Handler) http.Handler { return new(pacer).pace(h) }
