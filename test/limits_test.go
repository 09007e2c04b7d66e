package test_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/faas/faastest"
	"github.com/voiceassist/gateway/shared/ratelimit/redislimit/redistest"
)

// A door sends a request from an address through one entrance of a gateway.
type door func(t *testing.T, from, method, path, body string, headers ...string) *http.Response

// sendFrom sends a request through rt, and returns the response with its body closed.
func sendFrom(t *testing.T, rt http.RoundTripper, base, from, method, path, body string, headers ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.RemoteAddr = from + ":40000" // for the emulated front
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	resp, err := rt.RoundTrip(r)
	if err != nil {
		t.Error(err)
		return &http.Response{Header: http.Header{}}
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return resp
}

// binaryDoor returns the binary behind our own proxy, which appends the address.
func binaryDoor(t *testing.T, env ...string) door {
	t.Helper()
	p := start(t, t.TempDir(), nil, append(append(usualLimits(), "TRUSTED_PROXIES=127.0.0.1"), env...)...)
	way := p.target()
	return func(t *testing.T, from, method, path, body string, headers ...string) *http.Response {
		t.Helper()
		chain := "X-Forwarded-For: " + from
		for i, h := range headers {
			if forged, ok := strings.CutPrefix(h, "X-Forwarded-For: "); ok {
				chain, headers[i] = "X-Forwarded-For: "+forged+", "+from, "X-Unused: x"
			}
		}
		return sendFrom(t, way.client.Transport, way.url, from, method, path, body, append(headers, chain)...)
	}
}

// loginFunction returns one instance of the login function behind an HTTP API.
func loginFunction(t *testing.T, env ...string) door {
	t.Helper()
	front := faastest.FrontV2.Client(faastest.Start(t, faastest.Build(t, "../functions/login/bootstrap"), append([]string{"BCRYPT_COST=10"}, env...)...))
	return func(t *testing.T, from, method, path, body string, headers ...string) *http.Response {
		t.Helper()
		return sendFrom(t, front, public, from, method, path, body, headers...)
	}
}

const loginAddress = "/api/auth/login"

func credentials(email string) string {
	return url.Values{"username": {email}, "password": {"wrong, and long enough"}}.Encode()
}

// since returns how many logins the limit may have allowed since began beyond the initial
// five: one every twelve seconds. It matters on a busy machine.
func since(began time.Time) int { return int(time.Since(began) / (12 * time.Second)) }

// TestLimits_TwoProcessesShareOneBudget sends 50 concurrent logins to two processes.
// Exactly 5 are checked, plus one every twelve seconds, from one address, and on one
// account from 50 addresses.
func TestLimits_TwoProcessesShareOneBudget(t *testing.T) {
	t.Parallel()
	for store, open := range map[string]func(t *testing.T) [2]door{
		"binaries on a database": func(t *testing.T) [2]door {
			t.Helper()
			env := []string{"DATABASE_URL=" + database(t), "JWT_SECRET=" + keyring.Generate().Reveal(), "RATE_LIMIT_STORE=database"}
			return [2]door{binaryDoor(t, env...), binaryDoor(t, env...)}
		},
		"binaries on Redis": func(t *testing.T) [2]door {
			t.Helper()
			env := []string{
				"DATABASE_URL=" + database(t), "JWT_SECRET=" + keyring.Generate().Reveal(),
				"RATE_LIMIT_STORE=redis", "REDIS_URL=" + redistest.Start(t).URL().String(),
			}
			return [2]door{binaryDoor(t, env...), binaryDoor(t, env...)}
		},
		"instances of a function": func(t *testing.T) [2]door {
			t.Helper()
			env := []string{"DATABASE_URL=" + database(t), "JWT_SECRET=" + keyring.Generate().Reveal()}
			return [2]door{loginFunction(t, env...), loginFunction(t, env...)}
		},
	} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			doors := open(t)
			for name, request := range map[string]func(attempt, n int) (from, email string){
				"one address": func(attempt, n int) (string, string) {
					return fmt.Sprintf("198.51.100.%d", attempt), fmt.Sprintf("p%d-%d@example.org", attempt, n)
				},
				"one account": func(attempt, n int) (string, string) {
					return fmt.Sprintf("203.%d.%d.1", attempt, n), fmt.Sprintf("ada%d@example.org", attempt)
				},
			} {
				// If the store does not answer in time, as on a busy machine, each process
				// counts for itself, so there is more than one attempt.
				const attempts = 3
				var result string
				for attempt := range attempts {
					if result = burst(t, doors, func(n int) (from, email string) { return request(attempt, n) }); result == "" {
						break
					}
				}
				if result != "" {
					t.Errorf("%s: %s", name, result)
				}
			}
		})
	}
}

// burst sends 50 concurrent logins to the two doors, and returns what is wrong with the
// responses, or "".
func burst(t *testing.T, doors [2]door, request func(n int) (from, email string)) string {
	t.Helper()
	const requests = 50
	var mu sync.Mutex
	began, got := time.Now(), map[int]int{}
	var wg sync.WaitGroup
	for n := range requests {
		from, email := request(n)
		wg.Go(func() {
			resp := doors[n%2](t, from, "POST", loginAddress, credentials(email))
			mu.Lock()
			defer mu.Unlock()
			got[resp.StatusCode]++
		})
	}
	wg.Wait()
	if more := since(began); got[401] < 5 || got[401] > 5+more || got[401]+got[429] != requests {
		return fmt.Sprintf("got %v, want 401 for 5 of %d and %d that came later, and 429", got, requests, more)
	}
	return ""
}

// TestLimits_AreEqualInEveryDeployment sends the requests of one client, which also forges its
// address, to the binary on both engines and to the function as Lambda runs it, and
// compares the responses.
func TestLimits_AreEqualInEveryDeployment(t *testing.T) {
	t.Parallel()
	secret := "JWT_SECRET=" + keyring.Generate().Reveal()
	type rateLimit struct {
		Status              int
		Policy, Limit, Wait string
	}
	all := map[string][]rateLimit{}
	// play is a client with one address in this network, and then another.
	play := func(d door, network string) (answers []rateLimit) {
		for i, from := range []string{"9", "9", "9", "9", "9", "9", "9", "10"} {
			// Use another account each time and put another forged address before the real
			// one.
			resp := d(t, network+from, "POST", loginAddress, credentials(fmt.Sprintf("%s%d@example.org", network, i)),
				fmt.Sprintf("X-Forwarded-For: 6.6.6.%d", i))
			answer := rateLimit{resp.StatusCode, resp.Header.Get("RateLimit-Policy"), resp.Header.Get("RateLimit"), resp.Header.Get("Retry-After")}
			// The remaining seconds count down while passwords are checked.
			answer.Limit, _, _ = strings.Cut(answer.Limit, ";t=")
			if answer.Wait != "" {
				answer.Wait = "some"
			}
			answers = append(answers, answer)
		}
		return answers
	}
	for way, d := range map[string]door{
		"binary in memory":       binaryDoor(t, secret),
		"binary on the database": binaryDoor(t, secret, "DATABASE_URL="+database(t), "RATE_LIMIT_STORE=database"),
		"function":               loginFunction(t, secret, "DATABASE_URL="+database(t)),
	} {
		for attempt := range 10 { // until one ends before the limit allows another login
			began := time.Now()
			all[way] = play(d, fmt.Sprintf("203.0.%d.", attempt))
			if since(began) == 0 {
				break
			}
		}
	}
	want := []rateLimit{}
	for i, status := range []int{401, 401, 401, 401, 401, 429, 429, 401} {
		answer := rateLimit{status, `"login";q=5;w=60`, fmt.Sprintf(`"login";r=%d`, max(0, 4-i)), ""}
		if status == 429 {
			answer.Wait = "some"
		}
		want = append(want, answer)
	}
	want[7].Limit = `"login";r=4`
	for way, got := range all {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", way, diff)
		}
	}
}

// TestLimits_WithoutRedis stops Redis under a gateway: logins stay limited, everything
// else continues, and the log has one line about it.
func TestLimits_WithoutRedis(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	p := start(t, t.TempDir(), nil, append(usualLimits(), "RATE_LIMIT_STORE=redis", "REDIS_URL="+redis.URL().String())...)
	way := p.target()
	ask := func(method, path, body string) int {
		return sendFrom(t, way.client.Transport, way.url, "", method, path, body).StatusCode
	}
	began := time.Now()
	if got := ask("POST", loginAddress, credentials("ada@example.org")); got != http.StatusUnauthorized {
		t.Errorf("a login with Redis got %d", got)
	}
	redis.Stop()
	got := map[int]int{}
	for n := range 20 {
		got[ask("POST", loginAddress, credentials(fmt.Sprintf("p%d@example.org", n)))]++
	}
	if more := since(began); got[401] < 4 || got[401] > 4+more || got[401]+got[429] != 20 {
		t.Errorf("logins without Redis: %v, want 401 for 4 of 20 and %d that came later, and 429", got, more)
	}
	if got := ask("GET", "/.well-known/jwks.json", ""); got != http.StatusOK {
		t.Errorf("another call without Redis got %d", got)
	}
	n := strings.Count(p.stdout.String(), "the store of rate limits does not answer")
	if most := 1 + int(time.Since(began)/time.Minute); n < 1 || n > most {
		t.Errorf("the log reports the outage %d times, want once a minute", n)
	}
}

func TestLimits_WrongSettingsPreventTheStart(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ setting, want string }{
		{"RATE_LIMIT_STORE=redis", `REDIS_URL is not set; it must be redis://:password@host:6379/0, because RATE_LIMIT_STORE is redis`},
		{"RATE_LIMIT_STORE=file", `RATE_LIMIT_STORE is "file"; it must be one of memory, database, redis`},
		{"RATE_LIMIT_PER_MINUTE=-1", `RATE_LIMIT_PER_MINUTE is "-1"; it must be a whole number of requests from 1 to 100000, or off`},
		{"TRUSTED_PROXIES=0.0.0.0/0", `TRUSTED_PROXIES is "0.0.0.0/0"; it must be `},
		{"TRUSTED_PROXIES=::/0", `TRUSTED_PROXIES is "::/0"; it must be `},
	} {
		t.Run(test.setting, func(t *testing.T) {
			t.Parallel()
			if out, code := command(t, t.TempDir(), "", []string{test.setting}, "serve"); code != 1 || !strings.Contains(out, test.want) {
				t.Errorf("exit code %d, want 1 and the mistake\n%s", code, out)
			}
		})
	}
}
