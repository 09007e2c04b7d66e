// Command cloud serves a Nextcloud in memory over TLS, with an account for each client of
// the load generator that transfers files without the gateway. Each response takes at least
// as long as -latency says, and contents arrive and leave at -rate at most.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

func main() {
	cert := flag.String("cert", "", "the certificate (PEM)")
	key := flag.String("key", "", "its private key (PEM)")
	password := flag.String("password", "", "the password of all accounts, also of the administrator")
	dir := flag.String("dir", "", "the folder of all files, which the load generator removes")
	users := flag.Int("users", 0, "the number of accounts direct-0, direct-1 and so on")
	latency := flag.Duration("latency", 0, "the time of a response")
	rate := flag.Int("rate", 0, "bytes a second of one transfer; 0: no limit")
	flag.Parse()
	if err := serve(*cert, *key, *dir, secret.String(*password), *users, slow{*latency, *rate}); err != nil {
		log.Fatal(err)
	}
}

func serve(certFile, keyFile, dir string, password secret.String, users int, s slow) error {
	cloud := nextcloudtest.New(nextcloudtest.Options{AdminPassword: password, Dir: dir})
	defer cloud.Close()
	for i := range users {
		cloud.AddUser(fmt.Sprint("direct-", i), password, "")
	}
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "cloud: https on %s\n", listener.Addr())
	server := &http.Server{
		Handler: s.wrap(cloud), ReadHeaderTimeout: 5 * time.Second,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}},
	}
	return server.ServeTLS(listener, "", "")
}
