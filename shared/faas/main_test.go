package faas_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/faas/faastest"
)

func TestMain(m *testing.M) { os.Exit(faastest.Run(m)) }

func start(t *testing.T, env ...string) *faastest.Process {
	t.Helper()
	return faastest.Start(t, faastest.Build(t, "./testdata/bootstrap"), env...)
}

// get returns the response of a process through a front.
func get(t *testing.T, p *faastest.Process, front faastest.Front, path string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example.org"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := front.Client(p).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if after := resp.Header.Get("Retry-After"); after != "" {
		return fmt.Sprintf("%d after %s %s", resp.StatusCode, after, b)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, b)
}

func TestMain_ServesEveryFrontFromOneProcess(t *testing.T) {
	t.Parallel()
	p := start(t, "COST=13")
	if e := p.InitError(); e != nil {
		t.Fatalf("init error: %v", e)
	}
	want := fmt.Sprintf("200 13 %d", p.PID())
	for _, front := range faastest.Fronts() {
		if got := get(t, p, front, "/cost"); got != want {
			t.Errorf("%s: got %q, want %q", front, got, want)
		}
	}
}

func TestMain_SurvivesAPanic(t *testing.T) {
	t.Parallel()
	p := start(t)
	if got := get(t, p, faastest.FrontV2, "/panic"); !strings.HasPrefix(got, "500 ") || strings.Contains(got, "boom") {
		t.Errorf("got %q, want a 500 without the cause", got)
	}
	if got, want := get(t, p, faastest.FrontV2, "/cost"), fmt.Sprintf("200 12 %d", p.PID()); got != want {
		t.Errorf("the next request = %q, want %q", got, want)
	}
}

// Lambda shows two processors to a function that may use a sixth of one.
func TestMain_UsesTheProcessorsOfItsMemorySize(t *testing.T) {
	t.Parallel()
	all := strconv.Itoa(runtime.GOMAXPROCS(0))
	for _, tt := range []struct{ memory, asked, want string }{
		{"128", "", "1"}, {"1769", "", "1"}, {"1770", "", all}, {"10240", "", all}, {"", "", all}, {"256", "3", "3"},
	} {
		p := start(t, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE="+tt.memory, "GOMAXPROCS="+tt.asked)
		if got := get(t, p, faastest.FrontV2, "/processors"); got != "200 "+tt.want {
			t.Errorf("with %s MB and GOMAXPROCS=%s: got %q, want %s", tt.memory, tt.asked, got, tt.want)
		}
	}
}

func TestMain_RunsJobs(t *testing.T) {
	t.Parallel()
	p := start(t)
	if b, err := p.Invoke(t.Context(), []byte(schedule)); err != nil || string(b) != "null" {
		t.Errorf("a schedule = %s, %v; want null", b, err)
	}
	_, err := p.Invoke(t.Context(), []byte(strings.Replace(schedule, `{"dry":true}`, `"fail"`, 1)))
	want := &faastest.FunctionError{Type: "Function.JobFailed", Message: "nextcloud: down"}
	if got, ok := errors.AsType[*faastest.FunctionError](err); !ok || *got != *want {
		t.Errorf("a failing schedule = %v, want %v", err, want)
	}
	_, err = p.Invoke(t.Context(), []byte(`{}`))
	if got, ok := errors.AsType[*faastest.FunctionError](err); !ok || got.Type != "Function.UnknownEvent" {
		t.Errorf("unknown event: got %v, want a rejection", err)
	}
}

func TestMain_ReportsStartFailuresInOneLine(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		env  []string
		want string
	}{
		{"a wrong value", []string{"COST=99"}, `COST is "99"; it must be a whole number from 10 to 15`},
		{
			"every wrong value, no secret", []string{"COST=99", "KEY=hunter2", "LOG_LEVEL=loud"},
			`LOG_LEVEL is "loud"; it must be one of info, debug, warn, error; ` +
				`COST is "99"; it must be a whole number from 10 to 15; KEY has 7 bytes; it must be 32 bytes or more`,
		},
		{"a failure", []string{"START=fails"}, "open the store:; no such host"},
		{"a panic", []string{"START=panics"}, "panic: nothing works"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, tt.env...)
			want := &faastest.FunctionError{Type: "Function.StartFailed", Message: tt.want}
			if diff := cmp.Diff(want, p.InitError()); diff != "" {
				t.Errorf("init error (-want +got):\n%s", diff)
			}
			if code := p.Wait(); code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			if strings.Contains(p.Log(), "hunter2") {
				t.Errorf("the log contains the secret:\n%s", p.Log())
			}
			if _, err := p.Invoke(t.Context(), []byte(v2(``))); !errors.Is(err, faastest.ErrExited) {
				t.Errorf("event for an exited process: got %v, want ErrExited", err)
			}
		})
	}
}

func TestMain_ClosesOnSIGTERM(t *testing.T) {
	t.Parallel()
	p := start(t, "CLOSES=true")
	get(t, p, faastest.FrontV2, "/cost")
	if code := p.Shutdown(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if want := "closed, context: context canceled\n"; !strings.Contains(p.Log(), want) {
		t.Errorf("log = %q, want %q in it", p.Log(), want)
	}
}

func TestMain_RegistersForSIGTERMOnlyToClose(t *testing.T) {
	t.Parallel()
	p := start(t)
	get(t, p, faastest.FrontV2, "/cost")
	if code := p.Shutdown(); code != -1 {
		t.Errorf("exit code %d, want the process killed without warning", code)
	}
}

func TestMain_LogsJSONWithInvocationIDs(t *testing.T) {
	t.Parallel()
	p := start(t)
	get(t, p, faastest.FrontV2, "/cost")
	p.Shutdown()
	var line map[string]any
	if err := json.Unmarshal([]byte(strings.SplitN(p.Log(), "\n", 2)[0]), &line); err != nil {
		t.Fatalf("the first line is not JSON: %v\n%s", err, p.Log())
	}
	if _, ok := line["timestamp"].(string); !ok {
		t.Errorf("the line has no timestamp: %v", line)
	}
	delete(line, "timestamp")
	want := map[string]any{
		"level": "INFO", "message": "asked", "part": "cost", "cost": 12.0, "request_id": "00000000-0000-4000-8000-000000000001",
		"version":  "devel",
		"trace_id": "Root=1-67a1b2c3-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1",
	}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

func TestMain_LogLevel(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		env    string
		logged bool
	}{{"LOG_LEVEL=warn", false}, {"LOG_LEVEL=info", true}, {"DEBUG=true", true}} {
		p := start(t, tt.env)
		get(t, p, faastest.FrontV2, "/cost")
		p.Shutdown()
		if logged := strings.Contains(p.Log(), "asked"); logged != tt.logged {
			t.Errorf("%s: info line logged = %t, want %t", tt.env, logged, tt.logged)
		}
	}
}

func TestMain_FailsOutsideLambda(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), faastest.Build(t, "./testdata/bootstrap"))
	cmd.Env = []string{"PATH=/"}
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 2 || strings.Count(string(out), "\n") != 1 {
		t.Errorf("got %v, %q; want exit code 2 and one line", err, out)
	}
}

func TestClosing_ServesAndCloses(t *testing.T) {
	t.Parallel()
	closed := errors.New("closed")
	h := faas.Closing(tell(func(r *http.Request) any { return r.Method }), func() error { return closed })
	if got := ours(t, v2(``), h); got != "200 GET" {
		t.Errorf("got %q, want 200 GET", got)
	}
	if err := h.(io.Closer).Close(); !errors.Is(err, closed) {
		t.Errorf("Close() = %v, want %v", err, closed)
	}
}
