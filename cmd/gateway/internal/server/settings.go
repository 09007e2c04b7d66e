// Package server serves the gateway's handler on the network: over HTTPS, with a
// redirect from plain HTTP, metrics on a separate address and a graceful shutdown.
//
// Start with [Settings.Load] and [Server.Run]. The certificate is the operator's
// (SSL_CERT_FILE, SSL_KEY_FILE), or one that the server issues at the first start;
// see [TLS]. Lambda functions do not use this package.
package server

import (
	"net"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/voiceassist/gateway/shared/foundation/setting"
)

// The variables of this package, besides DATA_DIR and CAROOT.
const (
	variableHTTP    = "HTTP_ADDR"
	variableHTTPS   = "HTTPS_ADDR"
	variableMetrics = "METRICS_ADDR"
	variableCert    = "SSL_CERT_FILE"
	variableKey     = "SSL_KEY_FILE"
)

// Limits of open connections.
const (
	connections          = 4096    // about 130 MB if all of them are idle
	connectionsPerClient = 256     // for an office behind one address; a browser opens up to six
	maxConnections       = 1 << 20 // the usual limit of open files of a process
)

// Settings configure addresses, certificates and the number of connections.
type Settings struct {
	HTTPAddr    string // redirects to HTTPS, and serves /health
	HTTPSAddr   string
	MetricsAddr string // "" for no metrics
	CertFile    string // PEM, leaf first; "" to issue one
	KeyFile     string // PEM; "" if and only if CertFile is
	TrustFile   string // SSL_CERT_FILE if it is not the gateway's certificate, see [Settings.Load]
	TLSDir      string // the folder that stores the issued certificate
	CARoot      string // mkcert's folder, which need not exist; "" for none

	Connections          int // that may be open, over HTTPS and plain HTTP
	ConnectionsPerClient int // of those, from one client that is not a trusted proxy
}

// Load loads the settings. It opens no file. SSL_CERT_FILE without SSL_KEY_FILE is
// not the gateway's certificate: many machines set it to the bundle of authorities
// that OpenSSL and Go trust.
func (s *Settings) Load(env setting.Reader) {
	*s = Settings{
		HTTPAddr:    address(env, variableHTTP, ":8000"),
		HTTPSAddr:   address(env, variableHTTPS, ":8443"),
		MetricsAddr: address(env, variableMetrics, ""),
		CertFile:    env.String(variableCert, ""),
		KeyFile:     env.String(variableKey, ""),
		TLSDir:      filepath.Join(env.String("DATA_DIR", ".data"), "tls"),
		CARoot:      caRoot(env, runtime.GOOS),

		Connections:          env.Int("MAX_CONNECTIONS", connections, 1, maxConnections),
		ConnectionsPerClient: env.Int("MAX_CONNECTIONS_PER_CLIENT", connectionsPerClient, 1, maxConnections),
	}
	if s.KeyFile == "" {
		s.CertFile, s.TrustFile = "", s.CertFile
	}
	if s.KeyFile != "" && s.CertFile == "" {
		env.RefuseSecret(variableCert, "is not set", "the file with the certificate for "+variableKey)
	}
}

// address returns the variable as an address for a listener, or def.
func address(env setting.Reader, name, def string) string {
	addr := env.String(name, def)
	if addr == "" {
		return ""
	}
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		env.Refuse(name, addr, "an address with a port, such as :8443 or 127.0.0.1:8443")
		return def
	}
	return addr
}

// caRoot returns the folder in which mkcert stores its root on the system goos, as
// printed by `mkcert -CAROOT`.
func caRoot(env setting.Reader, goos string) string {
	if dir := env.String("CAROOT", ""); dir != "" {
		return dir
	}
	home := env.String("HOME", "")
	data := env.String("XDG_DATA_HOME", "")
	switch {
	case goos == "windows":
		data = env.String("LocalAppData", "")
	case data != "" || home == "":
	case goos == "darwin":
		data = filepath.Join(home, "Library", "Application Support")
	default:
		data = filepath.Join(home, ".local", "share")
	}
	if data == "" {
		return ""
	}
	return filepath.Join(data, "mkcert")
}
