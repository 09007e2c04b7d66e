package faas_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/faas/faastest"
)

// The main package of a function: what it reads from the environment and what
// it stands on, and nothing else.
func ExampleMain() {
	open := func(_ context.Context, env *config.Env) (http.Handler, error) {
		greeting := env.String("GREETING", "Hello")
		if err := env.Err(); err != nil {
			return nil, err // told to Lambda, in one line
		}
		mux := http.NewServeMux()
		mux.HandleFunc("GET /hello/{name}", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s, %s!", greeting, r.PathValue("name"))
		})
		closeStore := func() error { return nil }
		return faas.Closing(mux, closeStore), nil
	}
	_ = func() { faas.Main(open) } // func main
}

// A client reaches a handler through the front of one's choice.
func ExampleHandler() {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s from %s", r.URL.Query().Get("q"), r.RemoteAddr)
	})
	client := http.Client{Transport: faastest.V2(h)}
	resp, err := client.Get("https://api.example.org/search?q=a%20b")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	var words, from, address string
	fmt.Fscan(resp.Body, &words, &words, &from, &address)
	fmt.Println(resp.Status, words, from, address)
	// Output: 200 OK b from 203.0.113.7:0
}
