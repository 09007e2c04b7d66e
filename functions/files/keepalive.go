package files

import (
	"io"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/shared/endpoint"
)

const (
	receiveTime = 30 * time.Second // the longest pause of a client that sends
	sendTime    = time.Minute      // the longest pause of a client that receives
	storeTime   = 6 * time.Minute  // from the last byte received to the response, while Nextcloud joins the chunks
)

// A keepAlive extends the deadlines of a connection as long as content moves. The
// server's own deadlines are for whole requests and responses, and meant for small
// ones.
type keepAlive struct {
	conn  *http.ResponseController
	now   func() time.Time
	write time.Duration // until the client must have received the response or its next part
	last  time.Time
}

func (f *Function) keepAlive(w http.ResponseWriter, write time.Duration) *keepAlive {
	l := &keepAlive{conn: http.NewResponseController(w), now: time.Now, write: write}
	l.extend()
	return l
}

// extend extends both deadlines, at most once a second. Without a connection, as on
// Lambda, it does nothing.
func (l *keepAlive) extend() {
	now := l.now() // deadlines are on the machine's clock
	if now.Sub(l.last) < time.Second {
		return
	}
	l.last = now
	_ = l.conn.SetReadDeadline(now.Add(receiveTime))
	_ = l.conn.SetWriteDeadline(now.Add(l.write))
}

// A responseWriter sends the body of a response and extends the deadlines.
type responseWriter struct {
	io.Writer
	*keepAlive

	request *http.Request
}

// Write writes all of p in one piece.
func (f *responseWriter) Write(p []byte) (int, error) {
	f.extend()
	release := endpoint.Cork(f.request)
	n, err := f.Writer.Write(p)
	if gone := release(); err == nil {
		err = gone
	}
	return n, err
}

// A requestReader reads the body of a request and extends the deadlines.
type requestReader struct {
	io.Reader
	*keepAlive
}

// Read reads from the body.
func (a *requestReader) Read(p []byte) (int, error) {
	a.extend()
	n, err := a.Reader.Read(p)
	if err != nil {
		a.last = time.Time{}
		a.extend() // the response has its full time
	}
	return n, err
}
