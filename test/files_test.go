package test_test

import (
	"bytes"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
)

// TestFiles_ALargeFileTakesLittleMemory uploads and downloads a file through the built
// binary that is several times as large as its memory limit, once as a new file and once
// over an existing one, which take different paths.
func TestFiles_ALargeFileTakesLittleMemory(t *testing.T) {
	t.Parallel()
	const size, most = 256 << 20, 64 << 20
	_, through, p := places(t, func(h http.Handler) http.Handler { return h })
	for _, status := range []int{http.StatusCreated, http.StatusNoContent} {
		up, down := through.up(t, &content{size: size}, status), through.down(t, &content{size: size})
		t.Logf("%d MiB up in %v, down in %v", size>>20, up, down)
	}
	used := p.peakMemory(t)
	t.Logf("at most %d KiB of memory", used>>10)
	if used > most {
		t.Errorf("the gateway used %d bytes of memory, want at most %d", used, most)
	}
}

// TestFiles_AreStreamed holds back the second half of a file until some of the first has
// arrived. It does so for uploads of a new file and over an existing one, which take
// different paths, and for downloads.
//
// The speed can only be measured on an idle machine: with THROUGHPUT=1 the test compares
// it with direct transfers.
func TestFiles_AreStreamed(t *testing.T) {
	if os.Getenv("THROUGHPUT") != "" {
		measureThroughput(t)
		return
	}
	t.Parallel()
	var now atomic.Pointer[relay]
	_, through, _ := places(t, func(h http.Handler) http.Handler {
		return tapped(h, func(r *http.Request) func(int) {
			switch file := now.Load(); {
			case file != nil && r.Method == http.MethodPut:
				return file.arrived
			case file != nil && r.Method == http.MethodGet:
				return file.sent
			}
			return func(int) {}
		})
	})
	const size = 64 << 20
	for _, status := range []int{http.StatusCreated, http.StatusNoContent} {
		file := newRelay(t, size)
		now.Store(file)
		through.up(t, &content{size: size, tap: file.sent}, status)
	}
	file := newRelay(t, size)
	now.Store(file)
	through.down(t, &content{size: size, tap: file.arrived})
}

// measureThroughput transfers files to and from a Nextcloud of limited speed, so that a
// gateway that buffers a file before passing it on would reach half of the throughput. It
// is not parallel and has the machine to itself.
func measureThroughput(t *testing.T) {
	t.Helper()
	const size, rate, share = 128 << 20, 100 << 20, 0.9
	direct, through, _ := places(t, func(h http.Handler) http.Handler { return paced(h, rate) })
	status := http.StatusCreated
	up := func(p place) time.Duration { return p.up(t, &content{size: size}, status) }
	down := func(p place) time.Duration { return p.down(t, &content{size: size}) }
	var best [2]float64
	for range 3 { // the best of three, because the system does other work, too
		for i, move := range []func(place) time.Duration{up, down} {
			alone, ours := move(direct), move(through)
			t.Logf("directly in %v, through the gateway in %v", alone, ours)
			best[i] = max(best[i], float64(alone)/float64(ours))
		}
		if min(best[0], best[1]) >= share {
			return
		}
		status = http.StatusNoContent
	}
	t.Errorf("up and down, the gateway reaches only %.2f of the direct throughput", best)
}

// A relay is a file in transit. The sender waits halfway until some of it has arrived.
type relay struct {
	t    *testing.T
	half int
	some chan struct{}
	once sync.Once
}

func newRelay(t *testing.T, size int) *relay {
	t.Helper()
	return &relay{t: t, half: size / 2, some: make(chan struct{})}
}

// arrived records the total number of bytes that the receiver has.
func (r *relay) arrived(total int) {
	if total >= 1<<20 {
		r.once.Do(func() { close(r.some) })
	}
}

// sent returns when the sender may continue after total bytes.
func (r *relay) sent(total int) {
	if total < r.half {
		return
	}
	select {
	case <-r.some:
	case <-time.After(answerTime):
		r.t.Error("half of the file was sent and nothing arrived")
		r.once.Do(func() { close(r.some) })
	}
}

// places starts a Nextcloud behind TLS and the binary, and returns where a user can put a
// file: directly, and through the binary.
func places(t *testing.T, wrap func(http.Handler) http.Handler) (direct, through place, p *process) {
	t.Helper()
	server := httptest.NewTLSServer(wrap(newNextcloud(t)))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	ca := filepath.Join(dir, "nextcloud.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	p = start(t, dir, nil, append(settings(server), "NEXTCLOUD_CA_FILE="+ca, "JWT_SECRET="+keyring.Generate().Reveal())...)
	saved := map[string]string{}
	play(t, p.target(), append(acceptance()[:2], hasStorage), saved)
	direct = place{server.Client(), server.URL + "/remote.php/dav/files/test%40example.com/direct", func(r *http.Request) {
		r.SetBasicAuth("test@example.com", "SecurePass123!")
		r.Header.Set("X-Hash", "sha256") // as in the gateway's own requests
	}}
	through = place{http1(p.client), p.https + "/api/files/through", func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+saved["access"])
	}}
	return direct, through, p
}

// paced limits h to clients that send and receive at most rate bytes a second.
func paced(h http.Handler, rate int) http.Handler {
	return tapped(h, func(r *http.Request) func(int) {
		began := time.Now()
		return func(total int) {
			due := began.Add(time.Duration(total) * time.Second / time.Duration(rate))
			if ahead := time.Until(due); ahead > 10*time.Millisecond {
				wait(r.Context(), ahead)
			}
		}
	})
}

// tapped wraps h. For each request, it calls the function that of returns with the number
// of bytes read from the request, and with the number about to be written to the response.
func tapped(h http.Handler, of func(*http.Request) func(total int)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := &tap{see: of(r)}
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(r.Body, t), r.Body}
		h.ServeHTTP(tappedWriter{w, t}, r)
	})
}

// A tap counts the bytes written to it.
type tap struct {
	total int
	see   func(total int)
}

func (t *tap) Write(b []byte) (int, error) {
	t.total += len(b)
	t.see(t.total)
	return len(b), nil
}

type tappedWriter struct {
	http.ResponseWriter
	*tap
}

func (w tappedWriter) Write(b []byte) (int, error) {
	w.tap.Write(b)
	return w.ResponseWriter.Write(b)
}

// http1 returns a copy of the client c for HTTP/1.1, which the transfers without the
// gateway also use.
func http1(c *http.Client) *http.Client {
	transport := c.Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.NextProtos = nil // the first use set it to HTTP/2
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(true)
	return &http.Client{Transport: transport}
}

// peakMemory returns the process's peak memory in bytes.
func (p *process) peakMemory(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	kib, err := strconv.Atoi(string(regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// A place stores a file and returns it.
type place struct {
	client *http.Client
	url    string
	with   func(*http.Request)
}

func (p place) up(t *testing.T, file *content, status int) time.Duration {
	t.Helper()
	return p.do(t, http.MethodPut, file, status, func(io.Reader) error { return nil })
}

func (p place) down(t *testing.T, came *content) time.Duration {
	t.Helper()
	took := p.do(t, http.MethodGet, http.NoBody, http.StatusOK, func(r io.Reader) error {
		_, err := io.CopyBuffer(came, r, make([]byte, len(came.block)))
		return err
	})
	if came.at != came.size {
		t.Fatalf("received only %d bytes", came.at)
	}
	return took
}

func (p place) do(t *testing.T, method string, body io.Reader, status int, take func(io.Reader) error) time.Duration {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.url, body)
	if err != nil {
		t.Fatal(err)
	}
	if c, ok := body.(*content); ok {
		r.ContentLength = int64(c.size)
	}
	p.with(r)
	began := time.Now()
	resp, err := p.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != status {
		t.Fatalf("%s %s: got %s, want %d", method, p.url, resp.Status, status)
	}
	if err := take(resp.Body); err != nil {
		t.Fatalf("%s %s: %v", method, p.url, err)
	}
	return time.Since(began)
}

// content is a number of bytes in which no two blocks are alike. Reading produces them;
// writing compares.
type content struct {
	size  int
	tap   func(total int) // receives the number of bytes produced or received; may be nil
	at    int
	block [64 << 10]byte
}

// next returns at most n of the next bytes.
func (c *content) next(n int) []byte {
	from := c.at % len(c.block)
	if from == 0 {
		binary.BigEndian.PutUint64(c.block[:], uint64(c.at))
	}
	some := c.block[from:min(from+n, len(c.block), from+c.size-c.at)]
	c.at += len(some)
	if c.tap != nil {
		c.tap(c.at)
	}
	return some
}

func (c *content) Read(p []byte) (int, error) {
	if c.at == c.size {
		return 0, io.EOF
	}
	return copy(p, c.next(len(p))), nil
}

func (c *content) Write(p []byte) (n int, err error) {
	for n < len(p) {
		at, want := c.at, c.next(len(p)-n)
		if len(want) == 0 || !bytes.Equal(p[n:n+len(want)], want) {
			return n, fmt.Errorf("wrong content at byte %d", at)
		}
		n += len(want)
	}
	return n, nil
}
