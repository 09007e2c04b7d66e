package faas_test

import (
	"io"
	"net/http"
	"os"
	"testing"

	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/faas/faastest"
)

// BenchmarkInvoke measures the cost of a request without its handler.
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

// BenchmarkStart measures the time from the start of a process to its first request for an
// event. The difference is what faas adds to a cold start.
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
