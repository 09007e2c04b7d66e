package test_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/ratelimit/redislimit/redistest"
)

// redisIsLost ends Redis, in which all requests are counted, and starts it again without its
// data. A stranger who has used up the limit of registrations gets no further ones from it.
func redisIsLost(t *testing.T, given *answers, whole bool) {
	t.Helper()
	redis := redistest.Start(t)
	p := start(t, t.TempDir(), nil, "RATE_LIMIT_STORE=redis", "REDIS_URL="+redis.URL().String(), "TRUSTED_PROXIES=127.0.0.1",
		"RATE_LIMIT_PER_MINUTE=100000", "REGISTER_RATE_LIMIT_PER_MINUTE=10")
	clients := newCrowd(given, p, allowance{})
	s := &stranger{given: given, p: p}
	s.register(12)
	s.judge()
	awaitReady(given, p, "ready", "redis", "ok")
	times := 1
	if whole {
		times = 5
	}
	for range times {
		given.await(given.between)
		given.during(func() {
			redis.Stop()
			awaitReady(given, p, "degraded", "redis", "failed")
			s.register(12)
			given.await(given.between)
			redis.Restart(t)
		})
		awaitReady(given, p, "ready", "redis", "ok")
		given.await(given.between)
		// Once the limit lets one more through, Redis decides again.
		wait(t.Context(), perRegistration)
		s.register(12)
	}
	s.judge()
	clients.leave()
	hasNoError(t, p)
	if lost, back := "the store of rate limits does not answer", "the store of rate limits answers again"; !strings.Contains(p.stdout.String(), lost) || !strings.Contains(p.stdout.String(), back) {
		t.Errorf("the log does not contain %q and %q", lost, back)
	}
}

// A stranger registers accounts from one address, more often than the limit allows.
type stranger struct {
	given   *answers
	p       *process
	began   time.Time // of the first
	allowed int
	sent    int
}

func (s *stranger) register(times int) {
	if s.began.IsZero() {
		s.began = time.Now()
	}
	way := s.p.target()
	for range times {
		s.sent++
		body := fmt.Sprintf(`{"email":"stranger%d@example.org","password":%q}`, s.sent, storePassword)
		resp := sendFrom(s.given.t, way.client.Transport, way.url, "", "POST", "/api/auth/register", body,
			"X-Forwarded-For: 203.0.113.9", "Content-Type: application/json")
		switch resp.StatusCode {
		case http.StatusOK:
			s.allowed++
		case http.StatusTooManyRequests:
		default:
			s.given.isWrong("a registration got %d, want 200 or 429", resp.StatusCode)
		}
	}
}

const perRegistration = 6 * time.Second // at 10 a minute

// judge compares what was allowed with the limit: ten at once, and one every six seconds.
func (s *stranger) judge() {
	if most := 11 + int(time.Since(s.began)/perRegistration); s.allowed < 10 || s.allowed > most {
		s.given.isWrong("%d of %d registrations were allowed, want 10 to %d", s.allowed, s.sent, most)
	}
}

// awaitReady returns when /ready reports the state, and that of one dependency.
func awaitReady(given *answers, p *process, state, dependency, status string) {
	given.t.Helper()
	for late := time.After(answerTime); ; {
		var body struct {
			Status string
			Checks map[string]struct{ Status string }
		}
		resp, err := p.client.Get(p.https + "/ready")
		if err == nil {
			err = json.NewDecoder(resp.Body).Decode(&body)
			resp.Body.Close()
		}
		if err != nil {
			given.isWrong("/ready: %v", err)
		}
		if body.Status == state && body.Checks[dependency].Status == status {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-late:
			given.t.Fatalf("/ready responds with %+v, want %s, and %s %s", body, state, dependency, status)
		}
	}
}
