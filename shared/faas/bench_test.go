package faas_test

import (
	"io"
	"net/http"
	"os"
	"testing"

	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/faas/faastest"
)

// BenchmarkInvoke is what a request costs besides its handler.
func BenchmarkInvoke(b *testing.B) {
	event, err := os.ReadFile(eventsDir + "/httpapi-login.json")
	if err != nil {
		b.Fatal(err)
	}
	h := faas.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.Copy(w, r.Body)
	}))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Invoke(b.Context(), event); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStart is the time from the start of a process to its first question
// for an event. The difference of the two is what faas adds to a cold start.
func BenchmarkStart(b *testing.B) {
	for name, pkg := range map[string]string{"hello": "./testdata/hello", "faas": "./testdata/bootstrap"} {
		b.Run(name, func(b *testing.B) {
			bootstrap := faastest.Build(b, pkg)
			for b.Loop() {
				p := faastest.Start(b, bootstrap)
				if e := p.InitError(); e != nil {
					b.Fatal(e)
				}
				b.StopTimer()
				p.Shutdown()
				b.StartTimer()
			}
		})
	}
}
