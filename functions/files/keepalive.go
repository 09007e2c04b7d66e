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
	k := &keepAlive{conn: http.NewResponseController(w), now: time.Now, write: write}
	k.extend()
	return k
}

// extend extends both deadlines, at most once a second. Without a connection, as on
// Lambda, it does nothing.
func (k *keepAlive) extend() {
	now := k.now() // deadlines are on the machine's clock
	if now.Sub(k.last) < time.Second {
		return
	}
	k.last = now
	_ = k.conn.SetReadDeadline(now.Add(receiveTime))
	_ = k.conn.SetWriteDeadline(now.Add(k.write))
}

// A responseWriter sends the body of a response and extends the deadlines.
type responseWriter struct {
	io.Writer
	*keepAlive

	request *http.Request
}

// Write writes all of p in one piece.
func (w *responseWriter) Write(p []byte) (int, error) {
	w.extend()
	uncork := endpoint.Cork(w.request)
	n, err := w.Writer.Write(p)
	if failed := uncork(); err == nil {
		err = failed
	}
	return n, err
}

// A requestReader reads the body of a request and extends the deadlines.
type requestReader struct {
	io.Reader
	*keepAlive
}

// Read reads from the body.
func (r *requestReader) Read(p []byte) (int, error) {
	r.extend()
	n, err := r.Reader.Read(p)
	if err != nil {
		r.last = time.Time{}
		r.extend() // the response gets the full time
	}
	return n, err
}
