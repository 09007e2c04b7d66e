package files

import (
	"io"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/shared/endpoint"
)

const (
	receiveTime = 30 * time.Second // a client may be silent while it sends
	sendTime    = time.Minute      // or take nothing
	storeTime   = 6 * time.Minute  // from the last byte that came to the answer: chunks are joined
)

// A flow keeps a connection open for as long as something moves: the server
// gives a request and its answer a time as a whole, which is for small ones.
type flow struct {
	conn  *http.ResponseController
	now   func() time.Time
	write time.Duration // until the answer, or its next part, is taken
	last  time.Time
}

func (f *Function) flow(w http.ResponseWriter, write time.Duration) *flow {
	l := &flow{conn: http.NewResponseController(w), now: time.Now, write: write}
	l.moved()
	return l
}

// moved gives both directions time anew, at most once a second. Where there is
// no connection, as on Lambda, there is nothing to keep open.
func (l *flow) moved() {
	now := l.now() // the clock of deadlines is the machine's
	if now.Sub(l.last) < time.Second {
		return
	}
	l.last = now
	_ = l.conn.SetReadDeadline(now.Add(receiveTime))
	_ = l.conn.SetWriteDeadline(now.Add(l.write))
}

// flowing is a body on its way to the client.
type flowing struct {
	io.Writer
	*flow

	request *http.Request
}

// Write writes on, all of p together.
func (f *flowing) Write(p []byte) (int, error) {
	f.moved()
	release := endpoint.Cork(f.request)
	n, err := f.Writer.Write(p)
	if gone := release(); err == nil {
		err = gone
	}
	return n, err
}

// arriving is a body on its way from the client.
type arriving struct {
	io.Reader
	*flow
}

// Read reads on.
func (a *arriving) Read(p []byte) (int, error) {
	a.moved()
	n, err := a.Reader.Read(p)
	if err != nil {
		a.last = time.Time{}
		a.moved() // the answer has its time from here on
	}
	return n, err
}
