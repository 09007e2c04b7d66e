package test_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

// The gateway with a movable clock: everything is as delivered, but time.Now of the standard
// library adds what the file that moveVariable names says. The monotonic clock stays, as it does
// when the clock of a machine is set.
const (
	moveVariable = "TEST_CLOCK_FILE"
	moveTime     = "package time\n\nimport \"sync/atomic\"\n\nvar moved atomic.Int64\n\n// Move moves the clock by seconds.\nfunc Move(seconds int64) { moved.Store(seconds) }\n"
	moveGateway  = `package main

import (
	"os"
	"strconv"
	"time"
)

func init() {
	read := func() {
		text, _ := os.ReadFile(os.Getenv("` + moveVariable + `"))
		seconds, _ := strconv.ParseInt(string(text), 10, 64)
		time.Move(seconds)
	}
	read()
	go func() {
		for range time.Tick(10 * time.Millisecond) {
			read()
		}
	}()
}
`
)

// A clock is that of one gateway.
type clock struct {
	t    *testing.T
	file string
}

// startMovable is [start] for a gateway whose clock is ahead by the given time, or behind.
func startMovable(t *testing.T, dir string, ahead time.Duration, env ...string) (*process, *clock) {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	library := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	now := filepath.Join(library, "time.go")
	program := gatewayWith(t, map[string]string{
		now: changedFile(t, now, "sec, nsec, mono := runtimeNow()\n\tif mono == 0 {\n\t\treturn Time{uint64(nsec), sec + unixToInternal, Local}",
			"sec, nsec, mono := runtimeNow()\n\tsec += moved.Load()\n\tif mono == 0 {\n\t\treturn Time{uint64(nsec), sec + unixToInternal, Local}"),
		filepath.Join(library, "moved.go"): moveTime,
		"../cmd/gateway/moved.go":          moveGateway,
	})
	c := &clock{t: t, file: filepath.Join(dir, "clock")}
	c.write(ahead)
	return startProgram(t, program, dir, nil, append(env, moveVariable+"="+c.file)...), c
}

func (c *clock) write(ahead time.Duration) {
	c.t.Helper()
	if err := os.WriteFile(c.file, []byte(strconv.Itoa(int(ahead.Seconds()))), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// set moves the clock, and returns when the gateway's responses have the new date.
func (c *clock) set(p *process, ahead time.Duration) {
	c.t.Helper()
	c.write(ahead)
	for late := time.After(answerTime); ; {
		resp, err := p.client.Get(p.https + "/health")
		if err != nil {
			c.t.Fatal(err)
		}
		resp.Body.Close()
		date, err := http.ParseTime(resp.Header.Get("Date"))
		if err != nil {
			c.t.Fatal(err)
		}
		if off := time.Until(date) - ahead; off.Abs() < time.Minute {
			return
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-late:
			c.t.Fatalf("the gateway's clock says %v, want %v more than now", date, ahead)
		}
	}
}

// clockIsMoved moves the gateway's clock an hour ahead and back, and an hour behind and
// back. Access tokens of another hour are refused; nobody is logged out, and what was to
// be done later is not done an hour later.
func clockIsMoved(t *testing.T, given *answers, _ bool) {
	t.Helper()
	cloud := newNextcloud(t)
	dir := t.TempDir()
	env := append(listen(t, cloud), "JWT_SECRET="+keyring.Generate().Reveal(), "REGISTER_RATE_LIMIT_PER_MINUTE=30", "TRUSTED_PROXIES=127.0.0.1")
	p, c := startMovable(t, dir, 0, env...)
	clients := newCrowd(given, p, allowance{expired: true})
	second := newSecondFactor(given, p)
	second.login(true)
	for n, ahead := range []time.Duration{time.Hour, -time.Hour} {
		given.await(given.between)
		given.during(func() {
			c.set(p, ahead)
			given.await(given.between)
			second.login(false) // the app shows the codes of the right time
			// Nextcloud is down, so the account is due for another attempt later.
			cloud.Fail(func(*http.Request) nextcloudtest.Fault { return nextcloudtest.CutBefore() })
			late := newUploader(given, p, fmt.Sprintf("late%d@example.org", n))
			late.allow = allowance{expired: true, limited: true}
			late.do("POST", "/api/auth/register", late.account(), nil, 0)
			wait(t.Context(), 2*time.Second) // until the first attempt has failed
			cloud.Fail(nil)
			c.set(p, 0)
			late.retryingClient.login()
			late.awaitStorage()
		})
		second.login(true)
	}
	given.await(given.between)
	clients.leave()
	hasNoError(t, p)
	if out, code := command(t, dir, "", env, "audit", "verify"); code != 0 {
		given.isLost("audit verify: exit code %d\n%s", code, out)
	}
}

// clocksDiffer runs a gateway whose clock is an hour ahead, and then behind, beside a right
// one. Clients use both in turn.
func clocksDiffer(t *testing.T, given *answers, _ bool) {
	t.Helper()
	env := []string{"DATABASE_URL=" + database(t), "JWT_SECRET=" + keyring.Generate().Reveal(), "RATE_LIMIT_STORE=database"}
	dirs := []string{t.TempDir(), t.TempDir()}
	right := start(t, dirs[0], nil, env...)
	wrong, c := startMovable(t, dirs[1], time.Hour, env...)
	both := *right
	both.client = clientOf(t, dirs...)
	clients := newCrowd(given, &both, allowance{expired: true})
	for _, client := range clients.clients {
		client.others = []string{wrong.https}
	}
	for _, ahead := range []time.Duration{time.Hour, -time.Hour} {
		given.during(func() {
			c.set(wrong, ahead)
			given.await(5 * given.between)
		})
	}
	clients.leave()
	hasNoError(t, right)
	hasNoError(t, wrong)
}

// clientOf returns a client that trusts the gateways with their data in dirs.
func clientOf(t *testing.T, dirs ...string) *http.Client {
	t.Helper()
	var all []byte
	for _, dir := range dirs {
		text, err := os.ReadFile(filepath.Join(dir, "tls", "gateway.pem"))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	file := filepath.Join(t.TempDir(), "both.pem")
	if err := os.WriteFile(file, all, 0o600); err != nil {
		t.Fatal(err)
	}
	return client(t, file)
}

// A secondFactor is a user with an app that shows codes, and its right time.
type secondFactor struct {
	*retryingClient

	key  string
	used string // the last code that was accepted
}

func newSecondFactor(given *answers, p *process) *secondFactor {
	s := &secondFactor{retryingClient: &retryingClient{
		url: p.https, http: p.client, given: given, email: "careful@example.org", password: storePassword, allow: allowance{expired: true},
	}}
	s.do("POST", "/api/auth/register", s.account(), nil, 0)
	s.retryingClient.login()
	var setup struct {
		Key string `json:"manual_entry_key"`
	}
	if err := json.Unmarshal([]byte(s.do("POST", "/api/auth/2fa/setup", `{}`, nil, 0)), &setup); err != nil {
		given.isWrong("second factor: %v", err)
	}
	s.key = setup.Key
	s.do("POST", "/api/auth/2fa/verify", fmt.Sprintf(`{"code":%q}`, codeAt(given.t, s.key, 0)), nil, 0)
	return s
}

// login logs in with a code that was not used yet, and reports a wrong answer unless the
// code is accepted, or refused, as it should be.
func (s *secondFactor) login(accepted bool) {
	s.given.t.Helper()
	var challenge struct {
		ID string `json:"user_id"`
	}
	if err := json.Unmarshal([]byte(s.do("POST", "/api/auth/login", s.account(), nil, 0)), &challenge); err != nil {
		s.given.isWrong("second factor: %v", err)
	}
	code := codeAt(s.given.t, s.key, 1)
	for code == s.used && s.given.t.Context().Err() == nil { // a code is good once
		wait(s.given.t.Context(), time.Second)
		code = codeAt(s.given.t, s.key, 1)
	}
	status, problem, text := s.ask("POST", "/api/auth/2fa/verify-login", fmt.Sprintf(`{"user_id":%q,"code":%q}`, challenge.ID, code))
	if ok := status == http.StatusOK; ok != accepted || !ok && problem != "bad_code" {
		s.given.isWrong("a code of the app got %d %s, want it accepted: %t", status, text, accepted)
	}
	if accepted {
		s.used = code
	}
}
