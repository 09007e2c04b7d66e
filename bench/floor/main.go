// Command floor serves the least that a gateway must do for a request: nothing, one
// statement, or one bcrypt. It uses net/http over TLS with the timeouts of the
// gateway, and no other code of it.
//
//	GET  /empty           an empty handler
//	GET  /select/ROW      one prepared SELECT by pgx
//	POST /update/ROW      one durable UPDATE by pgx
//	POST /bcrypt          one comparison with a bcrypt hash
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/crypto/bcrypt"
)

const (
	password    = "correct horse battery staple"
	connections = 16 // as many as the gateway has

	// schema has a row for each client; the load generator waits for the server, so
	// only one process creates it.
	schema = `CREATE TABLE rows (id int PRIMARY KEY, name text NOT NULL, count int NOT NULL);
		INSERT INTO rows SELECT n, 'ada@example.org', 0 FROM generate_series(0, 1023) AS n`
)

func main() {
	cert := flag.String("cert", "", "the certificate (PEM)")
	key := flag.String("key", "", "its private key (PEM)")
	database := flag.String("database", "", "the URL of an empty PostgreSQL database; empty: no statements")
	cost := flag.Int("cost", bcrypt.DefaultCost, "the cost of a hash")
	flag.Parse()
	if err := serve(context.Background(), *cert, *key, *database, *cost); err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, certFile, keyFile, database string, cost int) error {
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return err
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /empty", func(w http.ResponseWriter, _ *http.Request) { answer(w, "ada@example.org", nil) })
	mux.HandleFunc("POST /bcrypt", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, "", bcrypt.CompareHashAndPassword(hash, []byte(password)))
	})
	if database != "" {
		config, err := pgxpool.ParseConfig(database)
		if err != nil {
			return err
		}
		config.MaxConns = connections
		pool, err := pgxpool.NewWithConfig(ctx, config)
		if err != nil {
			return err
		}
		defer pool.Close()
		if _, err := pool.Exec(ctx, schema); err != nil {
			return err
		}
		mux.Handle("GET /select/{row}", statement(pool, "SELECT name FROM rows WHERE id = $1"))
		mux.Handle("POST /update/{row}", statement(pool, "UPDATE rows SET count = count + 1 WHERE id = $1 RETURNING name"))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "floor: https on %s\n", listener.Addr())
	server := &http.Server{
		Handler: mux, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}},
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
	}
	return server.ServeTLS(listener, "", "")
}

// statement serves one statement, which pgx prepares once for each connection.
func statement(pool *pgxpool.Pool, sql string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var name string
		err := pool.QueryRow(r.Context(), sql, r.PathValue("row")).Scan(&name)
		answer(w, name, err)
	})
}

func answer(w http.ResponseWriter, text string, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	fmt.Fprint(w, text)
}
