package faas_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/faas/faastest"
	"github.com/voiceassist/gateway/shared/faas/secrets"
	"github.com/voiceassist/gateway/shared/faas/secrets/secretstest"
)

// A house is a late function in a synctest bubble that records what it does. Its secret
// contains REDIS_URL.
type house struct {
	function interface {
		Invoke(ctx context.Context, payload []byte) ([]byte, error)
	}
	values map[string]*secrets.Values // by their REDIS_URL
	busy   chan struct{}              // "/busy" sends when it runs
	finish chan struct{}              // and then waits for one

	mu   sync.Mutex
	now  string      // the content of the secret; "" cannot be fetched
	said []string    // recorded actions
	env  *config.Env // of the latest opening
}

// inHouse runs test in a bubble, with a secret that contains "one".
func inHouse(t *testing.T, env map[string]string, test func(t *testing.T, h *house)) {
	t.Helper()
	t.Parallel()
	server := secretstest.New(t)
	h := &house{now: "one", values: map[string]*secrets.Values{}}
	for _, value := range []string{"one", "two", "wrong", "panic"} {
		arn := server.Put(t, "app", map[string]string{"REDIS_URL": value, "ANOTHER": "x"})
		vars := map[string]string{}
		for _, line := range server.Env(arn) {
			name, v, _ := strings.Cut(line, "=")
			vars[name] = v
		}
		v, err := secrets.Read(config.Map(vars)).Fetch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		h.values[value] = v
	}
	synctest.Test(t, func(t *testing.T) {
		h.busy, h.finish = make(chan struct{}), make(chan struct{}) // of the bubble
		h.function = faas.Late(t.Context(), env, h.fetch, h.open)
		test(t, h)
	})
}

func (h *house) say(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.said = append(h.said, fmt.Sprintf(format, args...))
}

func (h *house) hold(value string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = value
}

func (h *house) fetch(context.Context) (*secrets.Values, error) {
	h.say("fetch")
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now == "" {
		return nil, errors.New("no answer")
	}
	return h.values[h.now], nil
}

func (h *house) open(ctx context.Context, env *config.Env) (faas.Function, error) {
	value := env.String("REDIS_URL", "nothing")
	h.say("open %s", value)
	h.mu.Lock()
	h.env = env
	h.mu.Unlock()
	switch value {
	case "panic":
		panic("half open")
	case "wrong":
		env.RefuseSecret("REDIS_URL", "is wrong", "what is right")
		return faas.Function{}, env.Err()
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, value) })
	mux.HandleFunc("/busy", func(w http.ResponseWriter, _ *http.Request) {
		h.busy <- struct{}{}
		<-h.finish
		fmt.Fprint(w, value, " ", ctx.Err())
	})
	return faas.Function{
		HTTP:  mux,
		Job:   func(context.Context, faas.Event) error { h.say("job with %s", value); return nil },
		Close: func() error { h.say("close %s (%v)", value, ctx.Err()); return errors.New("close fails") },
	}, nil
}

// get returns the response to a request.
func (h *house) get(t *testing.T, path string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example.org"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := faastest.FrontV2.Client(h.function).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusServiceUnavailable {
		return fmt.Sprintf("503 after %s, starting: %t", resp.Header.Get("Retry-After"), strings.Contains(string(b), `"starting"`))
	}
	return string(b)
}

// check compares a response with want, and the actions since then with happened.
func (h *house) check(t *testing.T, answer, want, happened string) {
	t.Helper()
	if answer != want {
		t.Errorf("got %q, want %q", answer, want)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if got := strings.Join(h.said, ", "); got != happened {
		t.Errorf("got actions %q, want %q", got, happened)
	}
	h.said = nil
}

// pass advances the time of the bubble by d.
func pass(d time.Duration) { <-time.After(d) }

const notYet = "503 after 1, starting: true"

func TestLate_OpensOnTheFirstEvent(t *testing.T) {
	inHouse(t, nil, func(t *testing.T, h *house) {
		h.check(t, "", "", "")
		h.check(t, h.get(t, "/"), "one", "fetch, open one")
		h.check(t, h.get(t, "/"), "one", "")
		if _, err := h.function.Invoke(t.Context(), []byte(schedule)); err != nil {
			t.Errorf("job: %v", err)
		}
		h.check(t, "", "", "job with one")
	})
}

func TestLate_FirstEventMayBeAJob(t *testing.T) {
	inHouse(t, nil, func(t *testing.T, h *house) {
		h.hold("")
		if _, err := h.function.Invoke(t.Context(), []byte(schedule)); err == nil || !strings.Contains(err.Error(), "open: no answer") {
			t.Errorf("job without settings: got %v, want a failure", err)
		}
		h.hold("one")
		if _, err := h.function.Invoke(t.Context(), []byte(schedule)); err != nil {
			t.Errorf("job: %v", err)
		}
		h.check(t, "", "", "fetch, fetch, open one, job with one")
	})
}

func TestLate_FailsUntilItCanBeOpened(t *testing.T) {
	inHouse(t, nil, func(t *testing.T, h *house) {
		h.hold("")
		h.check(t, h.get(t, "/"), notYet, "fetch")
		h.hold("panic")
		h.check(t, h.get(t, "/"), notYet, "fetch, open panic")
		h.hold("wrong")
		h.check(t, h.get(t, "/"), notYet, "") // no earlier retry
		pass(secrets.MinAge)
		h.check(t, h.get(t, "/"), notYet, "fetch, open wrong")
		pass(secrets.MinAge)
		h.check(t, h.get(t, "/"), notYet, "fetch") // unchanged, so not opened again
		h.hold("one")
		pass(secrets.MinAge)
		h.check(t, h.get(t, "/"), "one", "fetch, open one")
	})
}

func TestLate_ReopensWhenSecretsChange(t *testing.T) {
	inHouse(t, nil, func(t *testing.T, h *house) {
		h.check(t, h.get(t, "/"), "one", "fetch, open one")
		h.hold("two")
		h.check(t, h.get(t, "/"), "one", "")
		pass(secrets.MaxAge)
		h.check(t, h.get(t, "/"), "two", "fetch, open two, close one (context canceled)")
		pass(secrets.MaxAge)
		h.check(t, h.get(t, "/"), "two", "fetch")
	})
}

func TestLate_ClosesTheOldHandlerAfterItsRequests(t *testing.T) {
	inHouse(t, nil, func(t *testing.T, h *house) {
		answers := make(chan string)
		for range 2 {
			go func() { answers <- h.get(t, "/busy") }()
			<-h.busy
		}
		h.check(t, "", "", "fetch, open one")
		h.hold("two")
		pass(secrets.MaxAge)
		h.check(t, h.get(t, "/"), "two", "fetch, open two")
		h.finish <- struct{}{}
		h.check(t, <-answers, "one <nil>", "")
		h.finish <- struct{}{}
		h.check(t, <-answers, "one <nil>", "close one (context canceled)")
	})
}

func TestLate_KeepsTheOldHandlerIfNewSettingsFail(t *testing.T) {
	inHouse(t, nil, func(t *testing.T, h *house) {
		h.check(t, h.get(t, "/"), "one", "fetch, open one")
		for _, bad := range []struct{ value, happens string }{
			{"", "fetch"}, {"wrong", "fetch, open wrong"}, {"panic", "fetch, open panic"},
		} {
			h.hold(bad.value)
			pass(secrets.MaxAge)
			h.check(t, h.get(t, "/"), "one", bad.happens)
			h.check(t, h.get(t, "/"), "one", "")
		}
		h.hold("two")
		pass(secrets.MaxAge)
		h.check(t, h.get(t, "/"), "two", "fetch, open two, close one (context canceled)")
	})
}

func TestLate_RereadsARefusedCredentialAtOnce(t *testing.T) {
	inHouse(t, nil, func(t *testing.T, h *house) {
		h.check(t, h.get(t, "/"), "one", "fetch, open one")
		h.hold("two")
		refused := h.env
		h.check(t, refused.Renew(t.Context(), "REDIS_URL").Reveal(), "one", "") // it was just read
		pass(secrets.MinAge)
		h.check(t, refused.Renew(t.Context(), "REDIS_URL").Reveal(), "two", "fetch")
		h.check(t, refused.Renew(t.Context(), "REDIS_URL").Reveal(), "two", "")
		h.check(t, h.get(t, "/"), "two", "open two, close one (context canceled)")
	})
}

func TestLate_EnvironmentWins(t *testing.T) {
	inHouse(t, map[string]string{"REDIS_URL": "environment"}, func(t *testing.T, h *house) {
		h.check(t, h.get(t, "/"), "environment", "fetch, open environment")
		pass(secrets.MinAge)
		h.check(t, h.env.Renew(t.Context(), "REDIS_URL").Reveal(), "environment", "fetch")
	})
}

func TestLate_EmptyVariableCountsAsUnset(t *testing.T) {
	inHouse(t, map[string]string{"REDIS_URL": " "}, func(t *testing.T, h *house) {
		h.check(t, h.get(t, "/"), "one", "fetch, open one")
	})
}

func TestLate_ConcurrentFirstEventsOpenOnce(t *testing.T) {
	inHouse(t, nil, func(t *testing.T, h *house) {
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if got := h.get(t, "/"); got != "one" {
					t.Errorf("got %q", got)
				}
			})
		}
		all.Wait()
		h.check(t, "", "", "fetch, open one")
	})
}

func TestMain_ReadsSecretsOnTheFirstEventOnly(t *testing.T) {
	t.Parallel()
	server := secretstest.New(t)
	arn := server.Put(t, "app", map[string]string{
		"REDIS_URL": "rediss://hunter2@cache", "JWT_SECRET": "not read", "KEY": "not for us",
	})
	p := start(t, server.Env(arn)...)
	if e := p.InitError(); e != nil {
		t.Fatalf("init error: %v", e)
	}
	if n := server.Fetches(); n != 0 {
		t.Errorf("%d fetches before the first event, want none", n)
	}
	server.Fail(1, http.StatusBadRequest, "AccessDeniedException")
	if got := get(t, p, faastest.FrontV2, "/redis"); !strings.HasPrefix(got, "503 after 1 ") {
		t.Errorf("got %q, want 503", got)
	}
	for range 2 {
		if got, want := get(t, p, faastest.FrontV2, "/redis"), "200 rediss://hunter2@cache true"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if n, refused := server.Fetches(), server.Refused(); n != 2 || refused != 0 {
		t.Errorf("%d fetches, %d refused; want 2 and none", n, refused)
	}
	for _, want := range []string{
		"secret " + arn + ": AccessDeniedException (status 400)",
		`"settings_from_secrets":["JWT_SECRET","REDIS_URL"]`, `"unread":["JWT_SECRET"]`, `"ignored_members":1`,
	} {
		if !strings.Contains(p.Log(), want) {
			t.Errorf("the log lacks %s: %s", want, p.Log())
		}
	}
	for _, secret := range []string{"hunter2", secretstest.SecretKey, secretstest.SessionToken} {
		if strings.Contains(p.Log(), secret) {
			t.Errorf("the log contains %s: %s", secret, p.Log())
		}
	}
}

func TestMain_InvalidSecretListFailsTheStart(t *testing.T) {
	t.Parallel()
	p := start(t, "SECRETS_ARNS=arn:aws:ssm:x", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "LOG_LEVEL=loud")
	e := p.InitError()
	if e == nil || !strings.HasPrefix(e.Message, `LOG_LEVEL is "loud"; it must be one of info, debug, warn, error; SECRETS_ARNS has an item`) {
		t.Errorf("init error: got %v, want the mistake", e)
	}
}
