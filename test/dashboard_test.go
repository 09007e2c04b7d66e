package test_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/porttest"
)

// A panel is a panel of Grafana's dashboard.
type panel struct {
	Title   string
	Type    string
	GridPos struct{ X, Y, W, H int }
	Targets []struct{ Expr, LegendFormat string }

	FieldConfig struct {
		Defaults struct {
			Unit   string
			Custom struct{ Stacking struct{ Mode string } }
		}
	}
}

func (p panel) unit() string  { return p.FieldConfig.Defaults.Unit }
func (p panel) stacked() bool { return p.FieldConfig.Defaults.Custom.Stacking.Mode == "normal" }

// A dashboard is what the file for Grafana contains.
type dashboard struct {
	Title  string
	Panels []panel
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	text, err := os.ReadFile("../deploy/observability/grafana/dashboards/gateway.json")
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err != nil || len(d.Panels) == 0 {
		t.Fatalf("the dashboard has %d panels, %v", len(d.Panels), err)
	}
	return d
}

// TestDashboard has Prometheus scrape a gateway under load and answer the queries of each
// panel. With DASHBOARD=5m, the load lasts that long, and the answers become
// docs/dashboard.svg.
func TestDashboard(t *testing.T) {
	play, draw := 6*time.Second, os.Getenv("DASHBOARD")
	if draw == "" {
		t.Parallel()
	} else {
		var err error
		if play, err = time.ParseDuration(draw); err != nil {
			t.Fatal(err)
		}
	}
	var outage atomic.Bool
	cloud := newNextcloud(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if outage.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		cloud.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	metrics := porttest.Address(t)
	env := append(append(settings(server), usualLimits()...), "METRICS_ADDR="+metrics, "TRUSTED_PROXIES=127.0.0.1",
		"PASSWORD_QUEUE=8", "REGISTER_RATE_LIMIT_PER_MINUTE=off")
	p := start(t, t.TempDir(), nil, env...)
	prom := startPrometheus(t, metrics)

	d, from := readDashboard(t), time.Now()
	var drawings []drawing
	for nothing := []string{""}; len(nothing) > 0; {
		visitors{p: p, t: t}.visit(play, &outage)
		drawings, nothing = prom.answer(t, d, from, time.Now())
		if len(nothing) > 0 && (draw != "" || time.Since(from) > answerTime) {
			t.Fatalf("panels show nothing: %q", nothing)
		}
	}
	names := exposed(t, p, metrics)
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			checkNames(t, names, "the panel "+panel.Title, target.Expr)
		}
	}
	rules, err := os.ReadFile("../deploy/observability/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	checkNames(t, names, "rules.yml", string(rules))
	if draw != "" && !t.Failed() {
		if err := os.WriteFile("../docs/dashboard.svg", []byte(drawDashboard(d.Title, drawings, from, from.Add(play))), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRules_Fire runs promtool: the rules are valid, and each alert fires in its case.
func TestRules_Fire(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"check", "rules", "rules.yml"}, {"test", "rules", "rules_test.yml"}, {"check", "config", "prometheus.yml"},
	} {
		cmd := exec.CommandContext(t.Context(), "promtool", args...)
		cmd.Dir = "../deploy/observability"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// exposed returns the names of the metrics that the gateway exposes, after promtool has
// checked them.
func exposed(t *testing.T, p *process, address string) []string {
	t.Helper()
	_, text := get(t, p.client, "http://"+address+"/metrics")
	cmd := exec.CommandContext(t.Context(), "promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	out, _ := cmd.CombinedOutput() // it also has opinions about the metrics of Go
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "gateway_") {
			t.Errorf("promtool check metrics: %s", line)
		}
	}
	var names []string
	for _, found := range regexp.MustCompile(`(?m)^# TYPE (\S+)`).FindAllStringSubmatch(text, -1) {
		names = append(names, found[1])
	}
	return names
}

var metricName = regexp.MustCompile(`\b(gateway|go|process)_[a-z0-9_]+\b`)

// checkNames checks that the metrics in the text exist.
func checkNames(t *testing.T, names []string, where, text string) {
	t.Helper()
	for _, name := range metricName.FindAllString(text, -1) {
		plain := name
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			plain = strings.TrimSuffix(plain, suffix)
		}
		if !slices.Contains(names, plain) && !slices.Contains(names, name) {
			t.Errorf("%s: the gateway exposes no metric %s", where, name)
		}
	}
}

// prometheus is a running Prometheus.
type prometheus struct{ url string }

// startPrometheus starts a Prometheus that scrapes the address every second.
func startPrometheus(t *testing.T, target string) prometheus {
	t.Helper()
	dir, address := t.TempDir(), porttest.Address(t)
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 1s}\nscrape_configs:\n  - {job_name: gateway, static_configs: [{targets: [%q]}]}\n", target)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--log.level=warn")
	out := new(buffer)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("Prometheus printed:\n%s", out)
		}
	})
	await(t, "the start of Prometheus", func() bool {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/-/ready", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return prometheus{"http://" + address}
}

// answer returns what Prometheus knows for each panel, and the titles of those for which it
// knows nothing.
func (p prometheus) answer(t *testing.T, d dashboard, from, to time.Time) (drawings []drawing, nothing []string) {
	t.Helper()
	for _, panel := range d.Panels {
		drawn := drawing{panel: panel}
		for _, target := range panel.Targets {
			drawn.curves = append(drawn.curves, p.ask(t, target.Expr, target.LegendFormat, from, to)...)
		}
		if len(drawn.curves) == 0 {
			nothing = append(nothing, panel.Title)
		}
		drawings = append(drawings, drawn)
	}
	return drawings, nothing
}

// steps is how many values a curve has.
const steps = 160

// ask returns what Prometheus answers to the query of a panel.
func (p prometheus) ask(t *testing.T, expr, legend string, from, to time.Time) []curve {
	t.Helper()
	step := to.Sub(from) / steps
	rate := max(10*time.Second, 8*step).Round(time.Second)
	expr = strings.NewReplacer("$__rate_interval", rate.String(), "$instance", ".*").Replace(expr)
	query := url.Values{"query": {expr}, "start": {unix(from)}, "end": {unix(to)}, "step": {strconv.FormatFloat(step.Seconds(), 'f', 3, 64)}}
	_, body := get(t, http.DefaultClient, p.url+"/api/v1/query_range?"+query.Encode())
	var answer struct {
		Error string
		Data  struct {
			Result []struct {
				Metric map[string]string
				Values [][2]any
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Error != "" {
		t.Fatalf("%s: %v %s", expr, err, answer.Error)
	}
	var curves []curve
	for _, r := range answer.Data.Result {
		c := curve{name: legend, values: slices.Repeat([]float64{math.NaN()}, steps+1)}
		for label, value := range r.Metric {
			c.name = strings.ReplaceAll(c.name, "{{"+label+"}}", value)
		}
		number := false
		for _, v := range r.Values {
			at := time.Unix(0, int64(v[0].(float64)*1e9))
			value, err := strconv.ParseFloat(v[1].(string), 64)
			if i := int(math.Round(float64(at.Sub(from)) / float64(step))); err == nil && i >= 0 && i <= steps && !math.IsInf(value, 0) {
				c.values[i] = value
				number = number || !math.IsNaN(value)
			}
		}
		if number {
			curves = append(curves, c)
		}
	}
	return curves
}

func unix(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }

// visitors use a gateway.
type visitors struct {
	p *process
	t *testing.T
}

// visit lets people use the gateway for so long. In the middle, somebody guesses
// passwords; then Nextcloud is out for a while.
func (c visitors) visit(play time.Duration, outage *atomic.Bool) {
	ctx, cancel := context.WithTimeout(c.t.Context(), play)
	defer cancel()
	began := time.Now()
	during := func(from, to float64) bool {
		at := float64(time.Since(began)) / float64(play)
		return at >= from && at < to
	}
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() { c.person(ctx, i) })
	}
	all.Go(func() { // one client does not know its limit
		for c.rest(ctx, 150*time.Millisecond) {
			c.do(ctx, "192.0.2.250", "GET", "/api/users/me", "", "", nil)
		}
	})
	for i := range 24 {
		all.Go(func() {
			for n := 0; c.rest(ctx, 100*time.Millisecond); n++ {
				if during(0.35, 0.5) {
					c.do(ctx, fmt.Sprintf("198.51.100.%d", rand.N(250)), "POST", "/api/auth/login", "",
						fmt.Sprintf(`{"email":"victim-%d-%d@example.org","password":"a guess"}`, i, n), nil)
				}
			}
		})
	}
	for c.rest(ctx, 50*time.Millisecond) {
		outage.Store(during(0.68, 0.82))
	}
	all.Wait()
	outage.Store(false)
}

// rest waits for about so long, and reports whether there is time left.
func (visitors) rest(ctx context.Context, pause time.Duration) bool {
	select {
	case <-ctx.Done():
	case <-time.After(pause/2 + rand.N(pause)):
	}
	return ctx.Err() == nil
}

// person registers again and again, and uses each account for a while.
func (c visitors) person(ctx context.Context, i int) {
	const plain = "correct horse battery staple"
	for n := 0; c.rest(ctx, 500*time.Millisecond); n++ {
		from, email := fmt.Sprintf("203.0.113.%d", rand.N(250)), fmt.Sprintf("person-%d-%d@example.org", i, n)
		sent := fmt.Sprintf(`{"email":%q,"password":%q}`, email, plain)
		var tokens struct {
			Access  string `json:"access_token"`
			Refresh string `json:"refresh_token"`
		}
		c.do(ctx, from, "POST", "/api/auth/register", "", sent, nil)
		if c.do(ctx, from, "POST", "/api/auth/login", "", sent, &tokens) != http.StatusOK {
			continue
		}
		for k := 0; k < 30 && c.rest(ctx, 120*time.Millisecond); k++ {
			switch {
			case k%10 == 9:
				c.do(ctx, from, "POST", "/api/auth/refresh", "", fmt.Sprintf(`{"refresh_token":%q}`, tokens.Refresh), &tokens)
			case k%3 == 0:
				c.do(ctx, from, "PUT", "/api/files/"+strconv.Itoa(k)+".txt", tokens.Access, strings.Repeat("x", 10_000), nil)
			case k%3 == 1:
				c.do(ctx, from, "POST", "/api/sessions", tokens.Access, `{"title":"Weather"}`, nil)
			default:
				c.do(ctx, from, "GET", "/api/users/me", tokens.Access, "", nil)
			}
		}
		c.do(ctx, from, "POST", "/api/auth/refresh", "", `{"refresh_token":"forged"}`, nil)
	}
}

// do sends a request as a proxy does for the client at the address, and returns the
// status, or 0.
func (c visitors) do(ctx context.Context, from, method, path, access, body string, into any) int {
	r, err := http.NewRequestWithContext(ctx, method, c.p.https+path, strings.NewReader(body))
	if err != nil {
		return 0
	}
	r.Header.Set("X-Forwarded-For", from)
	r.Header.Set("Content-Type", "application/json")
	if access != "" {
		r.Header.Set("Authorization", "Bearer "+access)
	}
	resp, err := c.p.client.Do(r)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && into != nil && resp.StatusCode < http.StatusMultipleChoices {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return 0
	}
	return resp.StatusCode
}
