package test_test

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A traceCollector receives traces by OTLP over HTTP, as an OpenTelemetry collector does.
type traceCollector struct {
	mu      sync.Mutex
	refuses bool
	spans   []*otlp.Span
	all     strings.Builder // what was received, as text
	header  http.Header     // of the last request
}

func (c *traceCollector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var sent collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &sent)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuses || err != nil || r.URL.Path != "/v1/traces" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.header = r.Header
	c.all.WriteString(sent.String())
	for _, resource := range sent.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			c.spans = append(c.spans, scope.GetSpans()...)
		}
	}
}

// find returns the first span of the trace with that name, or nil.
func (c *traceCollector) find(trace, name string) *otlp.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.GetName() == name && (trace == "" || hex.EncodeToString(s.GetTraceId()) == trace) {
			return s
		}
	}
	return nil
}

// attribute returns an attribute of the span as text, or "".
func attribute(s *otlp.Span, key string) string {
	for _, a := range s.GetAttributes() {
		if a.GetKey() == key {
			return a.GetValue().GetStringValue()
		}
	}
	return ""
}

const (
	traceOfLogin = "0af7651916cd43dd8448eb211c80319c"
	traceOfFile  = "1af7651916cd43dd8448eb211c80319d"
	fromClient   = "b7ad6b7169203331"
)

// TestTraces_ShowARequest follows a login and a file through the built binary: the client's
// trace continues in the spans of the gateway, in Nextcloud and in the log, and holds no
// secret, address or name.
func TestTraces_ShowARequest(t *testing.T) {
	t.Parallel()
	c, parents := &traceCollector{}, make(chan string, 100)
	receiver := httptest.NewServer(c)
	defer receiver.Close()
	cloud := newNextcloud(t)
	env := append(listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "diary.txt") {
			parents <- r.Header.Get("Traceparent")
		}
		cloud.ServeHTTP(w, r)
	})), "OTEL_EXPORTER_OTLP_ENDPOINT="+receiver.URL, "OTEL_EXPORTER_OTLP_HEADERS=api-key=very%20secret",
		"OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test", "OTEL_BSP_SCHEDULE_DELAY=50")
	p := start(t, t.TempDir(), nil, env...)

	saved := map[string]string{}
	steps := append(acceptance()[:2], hasStorage)
	steps[1].header = "Traceparent: 00-" + traceOfLogin + "-" + fromClient + "-01"
	play(t, p.target(), append(steps, step{
		name: "a file", method: "PUT", path: "/api/files/diary.txt", body: "dear diary", status: 201,
		header: "Authorization: Bearer ${access}\nTraceparent: 00-" + traceOfFile + "-" + fromClient + "-01",
	}, step{name: "health", method: "GET", path: "/health", status: 200}), saved)

	var request, call *otlp.Span
	await(t, "the spans", func() bool {
		request, call = c.find(traceOfLogin, "POST /api/auth/login"), c.find(traceOfFile, "webdav PUT")
		return request != nil && call != nil && c.find(traceOfFile, "PUT /api/files/{path...}") != nil
	})
	if got := hex.EncodeToString(request.GetParentSpanId()); got != fromClient {
		t.Errorf("the login continues %s, want %s", got, fromClient)
	}
	for _, name := range []string{"SELECT", "INSERT", "wait to hash a password"} {
		s := c.find(traceOfLogin, name)
		if s == nil || !slices.Equal(s.GetParentSpanId(), request.GetSpanId()) {
			t.Errorf("the login has no span %q below it", name)
		}
	}
	if s := c.find(traceOfLogin, "SELECT"); attribute(s, "db.system.name") != "sqlite" || !strings.HasPrefix(attribute(s, "db.query.text"), "SELECT ") {
		t.Errorf("the statement has the attributes %v", s.GetAttributes())
	}
	if got, want := <-parents, "00-"+traceOfFile+"-"+hex.EncodeToString(call.GetSpanId())+"-01"; got != want {
		t.Errorf("Nextcloud got %q, want %q", got, want)
	}
	if line := lineWith(p.stdout.String(), traceOfLogin); !strings.Contains(line, `"span_id":"`+hex.EncodeToString(request.GetSpanId())+`"`) {
		t.Errorf("the log has no line with the trace and its span: %s", line)
	}
	if code := p.stop(t); code != 0 {
		t.Errorf("after SIGTERM the gateway exited with %d", code)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if got := c.header.Get("Api-Key"); got != "very secret" {
		t.Errorf("the collector got the header %q", got)
	}
	all := c.all.String()
	for _, private := range []string{
		"test@example.com", "SecurePass", "diary", saved["access"], saved["refresh"], "127.0.0.1", "Go-http-client", "/health", saved["user"], cloudPassword,
	} {
		if strings.Contains(all, private) {
			t.Errorf("the traces contain %q", private)
		}
	}
	if strings.Contains(p.stdout.String(), "very secret") {
		t.Error("the log contains the credentials of the collector")
	}
	for _, want := range []string{"voiceassist-gateway", "deployment.environment.name"} {
		if !strings.Contains(all, want) {
			t.Errorf("the traces lack %q", want)
		}
	}
}

// lineWith returns the first line of the log with the text.
func lineWith(log, text string) string {
	for line := range strings.Lines(log) {
		if strings.Contains(line, text) {
			return line
		}
	}
	return ""
}

// TestTraces_OfClientsAreLogged: without a collector, a client's trace is in the log and
// reaches Nextcloud. Other values of the header do nothing.
func TestTraces_OfClientsAreLogged(t *testing.T) {
	t.Parallel()
	parents := make(chan string, 100)
	cloud := newNextcloud(t)
	p := start(t, t.TempDir(), nil, listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "diary.txt") {
			parents <- r.Header.Get("Traceparent")
		}
		cloud.ServeHTTP(w, r)
	}))...)
	saved := map[string]string{}
	play(t, p.target(), append(acceptance()[:2], hasStorage), saved)
	sent := "00-" + traceOfFile + "-" + fromClient + "-01"
	for _, traceparent := range []string{sent, "00-" + strings.Repeat("0", 32) + "-" + fromClient + "-01", `x","level":"ERROR`} {
		play(t, p.target(), []step{{
			name: "a file", method: "GET", path: "/api/files/diary.txt", status: 404, code: "file_not_found",
			header: "Authorization: Bearer ${access}\nTraceparent: " + traceparent,
		}}, saved)
	}
	if got := []string{<-parents, <-parents, <-parents}; !slices.Equal(got, []string{sent, "", ""}) {
		t.Errorf("Nextcloud got %q", got)
	}
	await(t, "the log of the request", func() bool { return lineWith(p.stdout.String(), traceOfFile) != "" })
	if line := lineWith(p.stdout.String(), traceOfFile); !strings.Contains(line, `"span_id":"`+fromClient+`"`) {
		t.Errorf("the line lacks the client's span: %s", line)
	}
	if n := strings.Count(p.stdout.String(), "trace_id"); n != 1 {
		t.Errorf("%d lines have a trace, want that of the valid header", n)
	}
}

// TestTraces_DoNotNeedTheirCollector: a collector that refuses everything affects no
// request, and the log says so once.
func TestTraces_DoNotNeedTheirCollector(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(&traceCollector{refuses: true})
	defer receiver.Close()
	p := start(t, t.TempDir(), nil, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="+receiver.URL+"/v1/traces", "OTEL_BSP_SCHEDULE_DELAY=20")
	const warning = `"msg":"traces cannot be sent"`
	await(t, "the warning", func() bool {
		play(t, p.target(), []step{{name: "me", method: "GET", path: "/api/users/me", status: 401, code: "missing_token"}}, map[string]string{})
		return strings.Contains(p.stdout.String(), warning)
	})
	if code := p.stop(t); code != 0 {
		t.Errorf("after SIGTERM the gateway exited with %d", code)
	}
	if n := strings.Count(p.stdout.String(), warning); n != 1 {
		t.Errorf("the log has %d warnings, want one a minute", n)
	}
}

// TestLog_LevelFollowsASignal: successful probes are logged at debug only. SIGUSR1 turns
// that on and off, and the last lines say that the server stops.
func TestLog_LevelFollowsASignal(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	probes := func() int {
		get(t, p.client, p.https+"/health")
		get(t, p.client, p.https+"/ready")
		return strings.Count(p.stdout.String(), `"route":"GET /health"`)
	}
	change := func(to string) {
		t.Helper()
		if err := p.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		await(t, "the log level "+to, func() bool { return strings.Contains(p.stdout.String(), `"msg":"log level changed","to":"`+to+`"`) })
	}
	if n := probes(); n != 0 {
		t.Errorf("%d probes are in the log at info", n)
	}
	change("DEBUG")
	await(t, "a probe in the log", func() bool { return probes() > 0 })
	change("INFO")
	if code := p.stop(t); code != 0 {
		t.Errorf("after SIGTERM the gateway exited with %d", code)
	}
	if !strings.Contains(p.stdout.String(), `"msg":"stopping"`) {
		t.Error("the log does not say that the server stops")
	}
}
