package faas_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/faas/faastest"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

// settings are those of the function in the example.
type settings struct{ Greeting string }

// Load loads GREETING.
func (s *settings) Load(r setting.Reader) { s.Greeting = r.String("GREETING", "Hello") }

// The main package of a function declares its settings and builds its parts.
func ExampleMain() {
	open := func(_ context.Context, s *settings) (http.Handler, error) {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /hello/{name}", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s, %s!", s.Greeting, r.PathValue("name"))
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
