package test_test

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A step is one request of the acceptance script and the expected response. ${name} in
// path, header and body stands for what an earlier step saved, and ${totp:n} for the code of
// the saved key "totp", n time steps from now.
type step struct {
	name   string
	method string
	path   string
	header string // one line, "Name: value"; several are separated by \n
	body   string // JSON if it begins with a brace, else a form
	status int
	code   string            // of the problem, for failures
	save   map[string]string // name → member of the JSON body, or "header:Name", or "cookie"
	until  string            // what the response must contain: the step is repeated until it does
}

// An exchange is the response to a step in a form that can be compared between gateways.
// Masks replace what differs from run to run.
type exchange struct {
	Step   string
	Status int
	Header []string
	Body   string
}

// A target is a gateway to run the script against.
type target struct {
	client *http.Client
	url    string
	check  func(tb testing.TB, r *http.Request, body []byte, resp *http.Response, answer []byte)
}

// play runs the script and returns the response of every step. A step with an unexpected
// status or code fails the test.
func play(t *testing.T, g target, script []step, saved map[string]string) []exchange {
	t.Helper()
	var exchanges []exchange
	for _, s := range script {
		resp, body := g.send(t, s, saved)
		for deadline := time.After(answerTime); resp.StatusCode == s.status && !strings.Contains(body, s.until); {
			select {
			case <-time.After(50 * time.Millisecond):
				resp, body = g.send(t, s, saved)
			case <-deadline:
				t.Fatalf("%s: got %s, and no %s", s.name, body, s.until)
			}
		}
		if resp.StatusCode != s.status {
			t.Fatalf("%s: got %d %s, want %d", s.name, resp.StatusCode, body, s.status)
		}
		if s.code != "" && !strings.Contains(body, `"code":"`+s.code+`"`) {
			t.Fatalf("%s: got %s, want the code %s", s.name, body, s.code)
		}
		for name, from := range s.save {
			saved[name] = pick(t, s, resp, body, from)
		}
		exchanges = append(exchanges, exchange{s.name, resp.StatusCode, masked(resp.Header), mask(body)})
	}
	return exchanges
}

var timeCode = regexp.MustCompile(`\$\{totp:(\d)\}`)

func (g target) send(t *testing.T, s step, saved map[string]string) (*http.Response, string) {
	t.Helper()
	fill := func(text string) string {
		for name, value := range saved {
			text = strings.ReplaceAll(text, "${"+name+"}", value)
		}
		return timeCode.ReplaceAllStringFunc(text, func(at string) string {
			n, _ := strconv.Atoi(timeCode.FindStringSubmatch(at)[1])
			return codeAt(t, saved["totp"], n)
		})
	}
	sent := fill(s.body)
	r, err := http.NewRequestWithContext(t.Context(), s.method, g.url+fill(s.path), strings.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("User-Agent", "acceptance script")
	if sent != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if sent[0] == '{' {
			r.Header.Set("Content-Type", "application/json")
		}
	}
	for line := range strings.SplitSeq(fill(s.header), "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			r.Header.Set(name, value)
		}
	}
	resp, err := g.client.Do(r)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	if page := strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html"); g.check != nil && !page {
		g.check(t, r, []byte(sent), resp, body)
	}
	return resp, string(body)
}

// pick returns what a step saves.
func pick(t *testing.T, s step, resp *http.Response, body, from string) string {
	t.Helper()
	if name, ok := strings.CutPrefix(from, "header:"); ok {
		return resp.Header.Get(name)
	}
	if from == "cookie" {
		return resp.Cookies()[0].Value
	}
	var v any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%s: %v in %s", s.name, err, body)
	}
	for name := range strings.SplitSeq(from, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[name]
		case []any:
			if i, err := strconv.Atoi(name); err == nil && i < len(in) {
				v = in[i]
			}
		}
	}
	text, ok := v.(string)
	if !ok {
		t.Fatalf("%s: no %s in %s", s.name, from, body)
	}
	return text
}

// ofAWeek matches the seconds for which a week's login is still valid, less up to a minute
// since it was created or used.
var ofAWeek = regexp.MustCompile(`("refresh_expires_in":|Max-Age=)(6047[4-9]\d|604800)\b`)

// masks replace what differs from run to run, longest first.
var masks = []struct {
	pattern *regexp.Regexp
	as      string
}{
	{regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`), "<access token>"},
	{regexp.MustCompile(`[\w-]{80}`), "<refresh token>"},
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "<id>"},
	{regexp.MustCompile(`cursor=[\w-]+`), "cursor=<cursor>"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "<time>"},
	{regexp.MustCompile(`"latency_ms":[\d.]+`), `"latency_ms":<ms>`},
	{regexp.MustCompile(`"address":"[^"]*"`), `"address":"<address>"`},
	{regexp.MustCompile(`"nextcloud_user_id":(null|"[^"]*")`), `"nextcloud_user_id":<id or null>`},
	{regexp.MustCompile(`"claimed":\d+,"succeeded":\d+,"failed":0,"remaining":\d+,"waits_for":\w+,"next_try_at":(null|"[^"]*")`),
		`"claimed":<n>,"succeeded":<n>,"failed":0,"remaining":<n>`},
	{regexp.MustCompile(`http://127\.0\.0\.1:\d+`), "<Nextcloud>"},
	{ofAWeek, "${1}<a week>"},
	{regexp.MustCompile(`("\w+_remaining_seconds":)\d+`), "${1}<seconds>"},
	{regexp.MustCompile(`\\?"[0-9a-f]{32}\\?"`), "<etag>"},
	{regexp.MustCompile(`[0-9A-Za-z]{72}|([0-9A-Za-z]{5}-){4}[0-9A-Za-z]{5}`), "<app password>"},
	{regexp.MustCompile(`Last-Modified: .*`), "Last-Modified: <time>"},
	{regexp.MustCompile(`"qr_code":"[^"]*","manual_entry_key":"[^"]*","otpauth_url":"[^"]*","backup_codes":\[[^]]*\]`), "<second factor>"},
	{regexp.MustCompile(`"requires_2fa":true,"user_id":"[^"]*"`), "<challenge>"},
	{regexp.MustCompile(`va_\w+`), "<API key>"},
}

func mask(text string) string {
	for _, m := range masks {
		text = m.pattern.ReplaceAllString(text, m.as)
	}
	return text
}

// masked returns the headers in order, without those that the transport adds. Lines of one
// header are joined, as API Gateway does it (RFC 9110 section 5.3), but for cookies.
func masked(h http.Header) []string {
	var lines []string
	for name, values := range h {
		switch name {
		case "Date", "Content-Length", "Alt-Svc":
			continue
		case "Set-Cookie":
		default:
			values = []string{strings.Join(values, ",")}
		}
		for _, v := range values {
			lines = append(lines, mask(name+": "+v))
		}
	}
	slices.Sort(lines)
	return lines
}
