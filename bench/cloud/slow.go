package main

import (
	"io"
	"net/http"
	"time"
)

// A slow server delays what it does.
type slow struct {
	latency time.Duration // of each response
	rate    int           // bytes per second of the content of a request or response; 0 for no limit
}

// wrap returns h as fast as s.
func (s slow) wrap(h http.Handler) http.Handler {
	if s == (slow{}) {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-time.After(s.latency)
		if s.rate > 0 {
			r.Body = &pacedBody{r.Body, s.pacer()}
			w = &pacedWriter{w, s.pacer()}
		}
		h.ServeHTTP(w, r)
	})
}

// pacer returns a function that takes a number of bytes, and returns when they are due.
func (s slow) pacer() func(int) {
	begin, total := time.Now(), 0
	return func(n int) {
		total += n
		due := begin.Add(time.Duration(float64(total) / float64(s.rate) * float64(time.Second)))
		if ahead := time.Until(due); ahead > 5*time.Millisecond {
			<-time.After(ahead)
		}
	}
}

type pacedBody struct {
	io.ReadCloser
	pace func(int)
}

func (b *pacedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.pace(n)
	return n, err
}

type pacedWriter struct {
	http.ResponseWriter
	pace func(int)
}

func (w *pacedWriter) Write(p []byte) (int, error) {
	w.pace(len(p))
	return w.ResponseWriter.Write(p)
}

func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
