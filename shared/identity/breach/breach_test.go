package breach_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/breach"
)

const plain = "correct horse battery staple"

// split returns the digits of the hash of text that the service learns, and the others.
func split(text string) (prefix, suffix string) {
	sum := sha1.Sum([]byte(text))
	digits := strings.ToUpper(hex.EncodeToString(sum[:]))
	return digits[:5], digits[5:]
}

// checker returns a checker that asks a server with this handler, and the outcomes.
func checker(t *testing.T, handler http.HandlerFunc) (*breach.Checker, *[]breach.Outcome) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	c, outcomes := breach.Settings{URL: base}.Checker(), new([]breach.Outcome)
	c.Observe = func(o breach.Outcome) { *outcomes = append(*outcomes, o) }
	return c, outcomes
}

// TestChecker_Breached: a password is refused only if the service names its hash in a
// valid range, with a count that is not padding.
func TestChecker_Breached(t *testing.T) {
	t.Parallel()
	prefix, suffix := split(plain)
	other := strings.Repeat("0A", 17) + "1"
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   breach.Outcome
	}{
		"known":          {body(other + ":3\r\n" + suffix + ":12\r\n"), breach.Known},
		"lower case":     {body(strings.ToLower(suffix) + ":1"), breach.Known},
		"unknown":        {body(other + ":3\r\n"), breach.Unknown},
		"padding":        {body(suffix + ":0\r\n"), breach.Unknown},
		"empty":          {body(""), breach.Unavailable},
		"a page":         {body("<html>" + suffix + ":12</html>"), breach.Unavailable},
		"then a page":    {body(suffix + ":12\r\n<html>"), breach.Unavailable},
		"no count":       {body(suffix + ":\r\n"), breach.Unavailable},
		"too large":      {body(strings.Repeat(suffix+":12\r\n", 20000)), breach.Unavailable},
		"503":            {status(http.StatusServiceUnavailable), breach.Unavailable},
		"404":            {status(http.StatusNotFound), breach.Unavailable},
		"cut connection": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, breach.Unavailable},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/range/") {
				http.Redirect(w, r, "/elsewhere", http.StatusFound)
				return
			}
			_, _ = io.WriteString(w, suffix+":12")
		}, breach.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, outcomes := checker(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/range/"+prefix && r.Header.Get("Add-Padding") != "true" {
					t.Errorf("Add-Padding is %q", r.Header.Get("Add-Padding"))
				}
				if strings.Contains(r.URL.String(), suffix) {
					t.Errorf("the service learns the whole hash: %s", r.URL)
				}
				test.answer(w, r)
			})
			if got := c.Breached(t.Context(), plain); got != (test.want == breach.Known) {
				t.Errorf("got %t", got)
			}
			if len(*outcomes) != 1 || (*outcomes)[0] != test.want {
				t.Errorf("got %v, want %s", *outcomes, test.want)
			}
		})
	}
}

func body(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// TestChecker_DoesNotWait: neither a service that does not answer nor one that stops in
// the middle of its answer delays a password for longer than the timeout.
func TestChecker_DoesNotWait(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(http.ResponseWriter){
		"silent": func(http.ResponseWriter) {},
		"slow body": func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, strings.Repeat("0A", 17)+"1:3\r\n")
			w.(http.Flusher).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, outcomes := checker(t, func(w http.ResponseWriter, r *http.Request) {
				begin(w)
				<-r.Context().Done()
			})
			start := time.Now()
			if c.Breached(t.Context(), plain) || (*outcomes)[0] != breach.Unavailable {
				t.Errorf("got %v", *outcomes)
			}
			if took := time.Since(start); took < breach.Timeout || took > 5*breach.Timeout {
				t.Errorf("took %s", took)
			}
		})
	}
}

// TestChecker_Caches: a range is fetched once, failures are not kept, and old ranges make
// room.
func TestChecker_Caches(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	answer := atomic.Pointer[string]{}
	answer.Store(new(""))
	c, _ := checker(t, func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		_, _ = io.WriteString(w, *answer.Load())
	})
	_, suffix := split(plain)
	c.Breached(t.Context(), plain) // the empty answer is a failure
	answer.Store(new(suffix + ":12"))
	for range 3 {
		if !c.Breached(t.Context(), plain) {
			t.Fatal("the password is not found")
		}
	}
	if got := calls.Load(); got != 2 {
		t.Errorf("%d calls, want 2", got)
	}
	for i := range 40 {
		c.Breached(t.Context(), secret.String(fmt.Sprint("another password ", i)))
	}
	before := calls.Load()
	c.Breached(t.Context(), plain)
	if calls.Load() != before+1 {
		t.Error("the cache has no bound")
	}
}

// TestChecker_LogsSeldom: an outage is one line a minute, which has nothing of the
// password. It replaces the default logger, so it does not run beside other tests.
func TestChecker_LogsSeldom(t *testing.T) { //nolint:paralleltest // see above
	var lines bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(&lines, nil)))
	defer slog.SetDefault(before)
	c, _ := checker(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for range 5 {
		c.Breached(t.Context(), plain)
	}
	prefix, _ := split(plain)
	text := lines.String()
	if strings.Count(text, "\n") != 1 || !strings.Contains(text, "passwords are not checked for breaches") || strings.Contains(text, prefix) {
		t.Errorf("got %s", text)
	}
}

func TestSettings_Load(t *testing.T) {
	t.Parallel()
	for value, ok := range map[string]bool{
		"": true, "https://api.pwnedpasswords.com": true, "http://127.0.0.1:8080": true, "http://[::1]": true, "http://localhost/x/": true,
		"http://api.pwnedpasswords.com": false, "ftp://api.pwnedpasswords.com": false, "api.pwnedpasswords.com": false,
	} {
		var s breach.Settings
		err := config.Map(map[string]string{breach.Variable: value}).Load(&s)
		if (err == nil) != ok || ok && (s.Checker() != nil) != (value != "") {
			t.Errorf("%q: %v", value, err)
		}
	}
	if (*breach.Checker)(nil).Breached(t.Context(), plain) {
		t.Error("without a service, a password was found")
	}
}
