package nextcloudtest_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

// An exchange is one request to a real Nextcloud 27.1.0 and its response, with the relevant
// headers. Members of the capabilities that this server does not implement are removed.
type exchange struct {
	Name    string
	Request struct {
		Method, Path, Body string
		Headers            map[string]string
	}
	Response recorded
}

type recorded struct {
	Status  int
	Headers map[string]string
	Body    string
}

// comparedHeaders lists the headers that are compared; the others are the same in every
// response.
func comparedHeaders() []string {
	return []string{"Content-Type", "WWW-Authenticate", "X-Nextcloud-Maintenance-Mode", "Retry-After", "DAV", "Allow"}
}

// Every scenario starts with a new server with the recordings' administrator and replays its
// exchanges in order. Every recorded exchange is in a scenario or in notReplayed, with the
// reason.
func TestServer_MatchesTheRecordings(t *testing.T) {
	t.Parallel()
	recordings := readExchanges(t)
	all := scenarios()
	for name := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newReplay(t, recordings).run(all[name])
		})
	}

	var replayed []string
	for _, steps := range all {
		for _, s := range steps {
			replayed = append(replayed, strings.Fields(s.names)...)
		}
	}
	skipped := notReplayed()
	t.Logf("%d recorded exchanges are replayed, %d are not", len(replayed), len(skipped))
	reasons := map[string]int{}
	for _, reason := range skipped {
		reasons[reason]++
	}
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		t.Logf("not replayed: %3d, because %s", reasons[reason], reason)
	}
	accounted := slices.Sorted(maps.Keys(skipped))
	accounted = append(accounted, replayed...)
	slices.Sort(accounted)
	names, err := os.ReadFile("testdata/names.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Fields(string(names)), accounted); diff != "" {
		t.Errorf("recorded exchanges (-) and those replayed or listed (+):\n%s", diff)
	}
	if len(recordings) != len(replayed) {
		t.Errorf("testdata contains %d exchanges, %d are replayed", len(recordings), len(replayed))
	}
}

func readExchanges(t *testing.T) map[string]exchange {
	t.Helper()
	f, err := os.Open("testdata/exchanges.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string]exchange{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var e exchange
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		all[e.Name] = e
	}
	return all
}

// A replay is one server and the state that its requests need.
type replay struct {
	t          *testing.T
	recordings map[string]exchange
	server     *nextcloudtest.Server
	now        time.Time
	tokens     map[string]string // by its placeholder in the recordings
}

func newReplay(t *testing.T, recordings map[string]exchange) *replay {
	r := &replay{
		t: t, recordings: recordings, tokens: map[string]string{},
		now: time.Date(2026, 11, 23, 22, 20, 0, 0, time.UTC),
	}
	r.server = nextcloudtest.New(nextcloudtest.Options{
		AdminUser: "admin", AdminPassword: "admin-Secret-123", Groups: []string{"voice"},
		Now: func() time.Time { return r.now },
	})
	return r
}

func (r *replay) run(steps []step) {
	for _, s := range steps {
		if s.do != nil {
			s.do(r)
		}
		for name := range strings.FieldsSeq(s.names) {
			e, ok := r.recordings[name]
			if !ok {
				r.t.Fatalf("no exchange %q in testdata", name)
			}
			r.compare(name, e.Response, r.send(e))
		}
	}
}

var (
	basic       = regexp.MustCompile(`^Basic base64\((.*)\)$`)
	placeholder = regexp.MustCompile(`<APP_PASSWORD_[^>]*>`)
)

func (r *replay) send(e exchange) *httptest.ResponseRecorder {
	req := httptest.NewRequestWithContext(r.t.Context(), e.Request.Method, e.Request.Path, strings.NewReader(e.Request.Body))
	for name, value := range e.Request.Headers {
		if m := basic.FindStringSubmatch(value); m != nil {
			plain := placeholder.ReplaceAllStringFunc(m[1], func(p string) string { return r.tokens[p] })
			value = "Basic " + base64.StdEncoding.EncodeToString([]byte(plain))
		}
		req.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	r.server.ServeHTTP(rec, req)
	if p := placeholder.FindString(e.Response.Body); p != "" {
		r.keepToken(p, rec.Body.Bytes())
	}
	return rec
}

var appPassword = regexp.MustCompile(`"apppassword":"([A-Za-z0-9]{72})"`)

// keepToken stores the app password that replaces the placeholder in later requests.
func (r *replay) keepToken(placeholder string, body []byte) {
	m := appPassword.FindSubmatch(body)
	if m == nil {
		r.t.Fatalf("no app password of 72 characters in %s", body)
	}
	r.tokens[placeholder] = string(m[1])
}

func (r *replay) compare(name string, want recorded, rec *httptest.ResponseRecorder) {
	r.t.Helper()
	got := recorded{Status: rec.Code, Headers: map[string]string{}}
	for _, h := range comparedHeaders() {
		if v := rec.Header().Get(h); v != "" {
			got.Headers[h] = v
		}
	}
	gotBody, wantBody := shape(r.t, rec.Body.String()), shape(r.t, want.Body)
	if want.Body == "" && rec.Body.Len() > 0 && strings.HasSuffix(name, "-head") {
		gotBody = wantBody // net/http drops the body of a response to HEAD
	}
	want.Body = ""
	if want.Headers == nil {
		want.Headers = map[string]string{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Errorf("%s (-recorded +got):\n%s", name, diff)
	}
	if diff := cmp.Diff(wantBody, gotBody); diff != "" {
		r.t.Errorf("%s, body (-recorded +got):\n%s", name, diff)
	}
}

// Actions between exchanges.

func addUser(id string, more ...string) func(*replay) {
	return func(r *replay) {
		password := "Very-Strong-1234"
		if len(more) > 1 {
			password = more[1]
		}
		email := ""
		if len(more) > 0 {
			email = more[0]
		}
		r.server.AddUser(id, secret.String(password), email)
	}
}

func advance(d time.Duration) func(*replay) { return func(r *replay) { r.now = r.now.Add(d) } }

func setPassword(id, password string) func(*replay) {
	return func(r *replay) { r.server.SetPassword(id, secret.String(password)) }
}

func forgive(r *replay) { r.server.ResetThrottle() }

func all(actions ...func(*replay)) func(*replay) {
	return func(r *replay) {
		for _, a := range actions {
			a(r)
		}
	}
}

// login fetches an app password for the placeholder of a recording that is not replayed.
func login(user string) func(*replay) {
	return func(r *replay) {
		req := httptest.NewRequestWithContext(r.t.Context(), http.MethodGet, "/ocs/v2.php/core/getapppassword?format=json", nil)
		req.Header.Set("OCS-APIRequest", "true")
		req.SetBasicAuth(user, "Very-Strong-1234")
		rec := httptest.NewRecorder()
		r.server.ServeHTTP(rec, req)
		r.keepToken("<APP_PASSWORD_"+user+">", rec.Body.Bytes())
	}
}

// edit makes n edits and ignores their results.
func edit(n int) func(*replay) {
	return func(r *replay) {
		for range n {
			e := r.recordings["user-put-invalid-key-v2"]
			if rec := r.send(e); rec.Code == http.StatusTooManyRequests {
				r.t.Fatal("the rate limit applied too early")
			}
		}
	}
}

func fail(f nextcloudtest.Fault) func(*replay) {
	return func(r *replay) {
		if f == nil {
			r.server.Fail(nil)
			return
		}
		r.server.Fail(func(*http.Request) nextcloudtest.Fault { return f })
	}
}
