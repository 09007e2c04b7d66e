package server

import (
	"net"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/endpoint"
)

// CARoot is caRoot, for systems other than that of the test.
func CARoot(env *config.Env, goos string) string { return caRoot(env, goos) }

// SecureHost is secureHost, for the port that tests may not listen on.
func SecureHost(header, port string) (string, error) { return secureHost(header, port) }

// Gathered is what connections are made into.
func Gathered(c net.Conn) interface {
	net.Conn
	endpoint.Corker
} {
	return &gathered{Conn: c}
}
