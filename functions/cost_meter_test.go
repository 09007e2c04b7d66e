package functions_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// How often a scenario is measured. Chance only adds to a cost, so the lowest round counts.
const (
	warmUp   = 4
	rounds   = 3
	perRound = 10
)

// A meteredDB is a store with counters.
type meteredDB struct {
	*store.DB

	statements, roundTrips, commits func() int64
}

// A metered gateway serves HTTP in this process, as the binary does but without TLS, and
// has counters.
type metered struct {
	*functionstest.Gateway

	tb        testing.TB
	db        *meteredDB
	calls     func() int64 // of Nextcloud
	address   string
	scenarios []scenario
	emails    int // counts the accounts that scenarios add
}

// A scenario is one kind of request.
type scenario struct {
	name   string
	status int
	next   func() []byte // returns the next request, and prepares the store for it
}

// newMetered returns a gateway with settings.
func newMetered(tb testing.TB, db *meteredDB, vars map[string]string) *metered {
	tb.Helper()
	g := functionstest.NewWith(tb, db.DB, vars)
	log := setup.Log(slog.LevelInfo, io.Discard)
	db.LogTo(log)
	settings := g.Settings()
	settings.Log = log
	server := httptest.NewServer(endpoint.New(settings, g.Routes()...))
	tb.Cleanup(server.Close)
	return &metered{Gateway: g, tb: tb, db: db, calls: none, address: server.Listener.Addr().String()}
}

func none() int64 { return 0 }

// measure sends requests of a scenario one after the other.
func (m *metered) measure(tb testing.TB, s scenario) cost {
	tb.Helper()
	m.tb, m.Gateway = tb, m.In(tb)
	m.Advance(time.Minute) // the number of failed logins that are stored in a minute is limited
	requests := make([][]byte, warmUp+rounds*perRound)
	for i := range requests {
		requests[i] = s.next()
	}
	c := dial(tb, m.address)
	defer c.Close()
	runtime.GC()
	c.send(tb, s, requests[:warmUp])
	var lowest cost
	for i := range lowest {
		lowest[i] = math.Inf(1)
	}
	for round := range rounds {
		first := warmUp + round*perRound
		before := m.read()
		received := c.send(tb, s, requests[first:first+perRound])
		after := m.read()
		after[answer], before[answer] = float64(received), 0
		for i := range lowest {
			lowest[i] = min(lowest[i], math.Round((after[i]-before[i])/perRound))
		}
	}
	return lowest
}

// read returns the sums of all counts since the start, except the answers.
func (m *metered) read() cost {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return cost{
		statements: float64(m.db.statements()), roundTrips: float64(m.db.roundTrips()), commits: float64(m.db.commits()),
		calls: float64(m.calls()), allocations: float64(memory.Mallocs), allocated: float64(memory.TotalAlloc),
	}
}

// meteredSQLite counts commits in the index of the write-ahead log, which has their number
// in bytes 8 to 11 (https://sqlite.org/walformat.html, section 2.1).
func meteredSQLite(tb testing.TB) *meteredDB {
	tb.Helper()
	db := storetest.SQLite(tb)
	var file string
	if err := db.Handle().QueryRowContext(tb.Context(), "SELECT file FROM pragma_database_list").Scan(&file); err != nil {
		tb.Fatal(err)
	}
	index, err := os.Open(file + "-shm")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { index.Close() })
	number := make([]byte, 4)
	return observed(db, none, func() int64 {
		if _, err := index.ReadAt(number, 8); err != nil {
			tb.Fatal(err)
		}
		return int64(binary.NativeEndian.Uint32(number))
	})
}

// meteredPostgres counts round trips on the way to the server.
func meteredPostgres(tb testing.TB) *meteredDB {
	tb.Helper()
	u, err := url.Parse(storetest.PostgresURL(tb))
	if err != nil {
		tb.Fatal(err)
	}
	r := newRelay(tb, u.Host)
	u.Host = r.address
	db := storetest.OpenPostgres(tb, u.String())
	tb.Cleanup(func() { db.Close() })
	return observed(db, r.trips.Load, none)
}

func observed(db *store.DB, roundTrips, commits func() int64) *meteredDB {
	var n atomic.Int64
	db.Observe(func(time.Duration) { n.Add(1) })
	return &meteredDB{DB: db, statements: n.Load, roundTrips: roundTrips, commits: commits}
}

// nextcloudVariable makes the test program serve a Nextcloud, see [startNextcloud].
const nextcloudVariable = "COST_NEXTCLOUD"

// startNextcloud starts a Nextcloud in another process, so that its allocations do not
// count, and returns its address.
func startNextcloud(tb testing.TB) (address string) {
	tb.Helper()
	program, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), nextcloudVariable+"=1")
	stdin, errIn := cmd.StdinPipe()
	stdout, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
	})
	if _, err := fmt.Fscanln(stdout, &address); err != nil {
		tb.Fatal(err)
	}
	return address
}

// serveNextcloud serves until the standard input ends, as it does when the test process
// does. It returns the exit code.
func serveNextcloud() int {
	cloud := nextcloudtest.New(nextcloudtest.Options{AdminPassword: functionstest.Password})
	defer cloud.Close()
	server := httptest.NewServer(cloud)
	defer server.Close()
	fmt.Println(server.Listener.Addr())
	io.Copy(io.Discard, os.Stdin)
	return 0
}

// A relay forwards connections and counts round trips: how often a client sends after it
// has received something. It does not allocate while it forwards.
type relay struct {
	address string
	trips   atomic.Int64
}

func newRelay(tb testing.TB, target string) *relay {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	r := &relay{address: l.Addr().String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				client.Close()
				continue
			}
			var answered atomic.Bool
			answered.Store(true)
			go forward(server, client, func() {
				if answered.Swap(false) {
					r.trips.Add(1)
				}
			})
			go forward(client, server, func() { answered.Store(true) })
		}
	}()
	return r
}

// forward copies from one connection to the other, and calls seen before it passes data on.
func forward(to, from net.Conn, seen func()) {
	defer to.Close()
	for b := make([]byte, 64<<10); ; {
		n, err := from.Read(b)
		if n > 0 {
			seen()
			to.Write(b[:n])
		}
		if err != nil {
			return
		}
	}
}

// A costClient is a connection of HTTP/1.1 that does not allocate.
type costClient struct {
	net.Conn

	response [256 << 10]byte
}

func dial(tb testing.TB, address string) *costClient {
	tb.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	return &costClient{Conn: c}
}

// send sends the requests one after the other, and returns the bytes of all responses.
func (c *costClient) send(tb testing.TB, s scenario, requests [][]byte) (received int) {
	tb.Helper()
	for _, request := range requests {
		n, err := c.do(request, s.status)
		if err != nil {
			tb.Fatalf("%s: %v", s.name, err)
		}
		received += n
	}
	return received
}

// do returns the length of the response, which must have the status.
func (c *costClient) do(request []byte, status int) (n int, err error) {
	if _, err := c.Write(request); err != nil {
		return 0, err
	}
	for want := math.MaxInt; n < want; {
		more, err := c.Read(c.response[n:])
		if err != nil {
			return n, err
		}
		n += more
		want = length(c.response[:n])
	}
	if digits := c.response[len("HTTP/1.1 "):]; 100*int(digits[0]-'0')+10*int(digits[1]-'0')+int(digits[2]-'0') != status {
		return n, fmt.Errorf("got %s, want %d", c.response[:n], status)
	}
	return n, nil
}

var (
	headerEnd     = []byte("\r\n\r\n")
	contentLength = []byte("\r\nContent-Length: ")
)

// length returns the length of the response that b begins with, or MaxInt if its header is
// not complete. A response without a length has no body.
func length(b []byte) int {
	header, _, complete := bytes.Cut(b, headerEnd)
	if !complete {
		return math.MaxInt
	}
	body := 0
	if _, field, found := bytes.Cut(header, contentLength); found {
		for _, digit := range field {
			if digit < '0' || digit > '9' {
				break
			}
			body = 10*body + int(digit-'0')
		}
	}
	return len(header) + len(headerEnd) + body
}
