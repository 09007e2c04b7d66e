// Package server puts a handler on the network as the one binary does: over
// HTTPS with a certificate that is always there, with plain HTTP that leads to
// it, metrics on an address of their own, and an orderly stop.
//
// Start with [Settings.Load] and [Server.Run]. The certificate is the operator's
// (SSL_CERT_FILE, SSL_KEY_FILE) or one made at the first start for this machine;
// see [TLS]. A function under Lambda needs nothing of this.
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
	VariableHTTP    = "HTTP_ADDR"
	VariableHTTPS   = "HTTPS_ADDR"
	VariableMetrics = "METRICS_ADDR"
	VariableCert    = "SSL_CERT_FILE"
	VariableKey     = "SSL_KEY_FILE"
)

// How many connections may be open.
const (
	connections          = 4096    // some 130 MB when all of them are idle
	connectionsPerClient = 256     // a household, an office; a browser has one or six
	maxConnections       = 1 << 20 // what systems allow a process
)

// Settings say where to listen and where certificates are.
type Settings struct {
	HTTPAddr    string // leads to HTTPS, and answers /health
	HTTPSAddr   string
	MetricsAddr string // "" for no metrics
	CertFile    string // PEM, leaf first; "" to make one
	KeyFile     string // PEM; "" exactly when CertFile is
	TrustFile   string // SSL_CERT_FILE where it is not a certificate of ours, see [Settings.Load]
	TLSDir      string // the folder that keeps the certificate that was made
	CARoot      string // mkcert's folder, which need not exist; "" for none

	Connections          int // that may be open, over HTTPS and plain HTTP
	ConnectionsPerClient int // of those, from one address that is no proxy of ours
}

// Load loads the settings. It opens no file. SSL_CERT_FILE without SSL_KEY_FILE is
// not a certificate of the gateway: many machines set it to the bundle of
// authorities that OpenSSL and Go trust.
func (s *Settings) Load(env setting.Reader) {
	*s = Settings{
		HTTPAddr:    address(env, VariableHTTP, ":8000"),
		HTTPSAddr:   address(env, VariableHTTPS, ":8443"),
		MetricsAddr: address(env, VariableMetrics, ""),
		CertFile:    env.String(VariableCert, ""),
		KeyFile:     env.String(VariableKey, ""),
		TLSDir:      filepath.Join(env.String("DATA_DIR", ".data"), "tls"),
		CARoot:      caRoot(env, runtime.GOOS),

		Connections:          env.Int("MAX_CONNECTIONS", connections, 1, maxConnections),
		ConnectionsPerClient: env.Int("MAX_CONNECTIONS_PER_CLIENT", connectionsPerClient, 1, maxConnections),
	}
	if s.KeyFile == "" {
		s.CertFile, s.TrustFile = "", s.CertFile
	}
	if s.KeyFile != "" && s.CertFile == "" {
		env.RefuseSecret(VariableCert, "is not set", "the file with the certificate for "+VariableKey)
	}
}

// address returns the variable as what a listener takes, or def.
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

// caRoot returns the folder where mkcert keeps its root on the system goos: the
// one that `mkcert -CAROOT` prints.
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
