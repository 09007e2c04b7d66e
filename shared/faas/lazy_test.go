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

// A lazyFixture is a lazy function in a synctest bubble that records what it does. Its secret
// contains REDIS_URL.
type lazyFixture struct {
	function interface {
		Invoke(ctx context.Context, payload []byte) ([]byte, error)
	}
	values map[string]*secrets.Values // by their REDIS_URL
	busy   chan struct{}              // "/busy" sends when it runs
	finish chan struct{}              // and then waits for one

	mu      sync.Mutex
	secret  string      // the content of the secret; "" cannot be fetched
	actions []string    // recorded actions
	env     *config.Env // of the latest opening
}

// testLate runs test in a bubble, with a secret that contains "one".
func testLate(t *testing.T, env map[string]string, test func(t *testing.T, f *lazyFixture)) {
	t.Helper()
	t.Parallel()
	server := secretstest.New(t)
	f := &lazyFixture{secret: "one", values: map[string]*secrets.Values{}}
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
		f.values[value] = v
	}
	synctest.Test(t, func(t *testing.T) {
		f.busy, f.finish = make(chan struct{}), make(chan struct{}) // of the bubble
		f.function = faas.Late(t.Context(), env, f.fetch, f.open)
		test(t, f)
	})
}

func (f *lazyFixture) record(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.actions = append(f.actions, fmt.Sprintf(format, args...))
}

func (f *lazyFixture) setSecret(value string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.secret = value
}

func (f *lazyFixture) fetch(context.Context) (*secrets.Values, error) {
	f.record("fetch")
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.secret == "" {
		return nil, errors.New("no answer")
	}
	return f.values[f.secret], nil
}

func (f *lazyFixture) open(ctx context.Context, env *config.Env) (faas.Function, error) {
	value := env.String("REDIS_URL", "nothing")
	f.record("open %s", value)
	f.mu.Lock()
	f.env = env
	f.mu.Unlock()
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
		f.busy <- struct{}{}
		<-f.finish
		fmt.Fprint(w, value, " ", ctx.Err())
	})
	return faas.Function{
		HTTP:  mux,
		Job:   func(context.Context, faas.Event) error { f.record("job with %s", value); return nil },
		Close: func() error { f.record("close %s (%v)", value, ctx.Err()); return errors.New("close fails") },
	}, nil
}

// get returns the response to a request.
func (f *lazyFixture) get(t *testing.T, path string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example.org"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := faastest.FrontV2.Client(f.function).RoundTrip(r)
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

// check compares a response with want, and the actions since the last call with actions.
func (f *lazyFixture) check(t *testing.T, response, want, actions string) {
	t.Helper()
	if response != want {
		t.Errorf("got %q, want %q", response, want)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if got := strings.Join(f.actions, ", "); got != actions {
		t.Errorf("got actions %q, want %q", got, actions)
	}
	f.actions = nil
}

// wait advances the clock of the bubble by d.
func wait(d time.Duration) { <-time.After(d) }

const unavailable = "503 after 1, starting: true"

func TestLate_OpensOnTheFirstEvent(t *testing.T) {
	testLate(t, nil, func(t *testing.T, f *lazyFixture) {
		f.check(t, "", "", "")
		f.check(t, f.get(t, "/"), "one", "fetch, open one")
		f.check(t, f.get(t, "/"), "one", "")
		if _, err := f.function.Invoke(t.Context(), []byte(schedule)); err != nil {
			t.Errorf("job: %v", err)
		}
		f.check(t, "", "", "job with one")
	})
}

func TestLate_FirstEventMayBeAJob(t *testing.T) {
	testLate(t, nil, func(t *testing.T, f *lazyFixture) {
		f.setSecret("")
		if _, err := f.function.Invoke(t.Context(), []byte(schedule)); err == nil || !strings.Contains(err.Error(), "open: no answer") {
			t.Errorf("job without settings: got %v, want a failure", err)
		}
		f.setSecret("one")
		if _, err := f.function.Invoke(t.Context(), []byte(schedule)); err != nil {
			t.Errorf("job: %v", err)
		}
		f.check(t, "", "", "fetch, fetch, open one, job with one")
	})
}

func TestLate_FailsUntilItCanBeOpened(t *testing.T) {
	testLate(t, nil, func(t *testing.T, f *lazyFixture) {
		f.setSecret("")
		f.check(t, f.get(t, "/"), unavailable, "fetch")
		f.setSecret("panic")
		f.check(t, f.get(t, "/"), unavailable, "fetch, open panic")
		f.setSecret("wrong")
		f.check(t, f.get(t, "/"), unavailable, "") // no earlier retry
		wait(secrets.MinAge)
		f.check(t, f.get(t, "/"), unavailable, "fetch, open wrong")
		wait(secrets.MinAge)
		f.check(t, f.get(t, "/"), unavailable, "fetch") // unchanged, so not opened again
		f.setSecret("one")
		wait(secrets.MinAge)
		f.check(t, f.get(t, "/"), "one", "fetch, open one")
	})
}

func TestLate_ReopensWhenSecretsChange(t *testing.T) {
	testLate(t, nil, func(t *testing.T, f *lazyFixture) {
		f.check(t, f.get(t, "/"), "one", "fetch, open one")
		f.setSecret("two")
		f.check(t, f.get(t, "/"), "one", "")
		wait(secrets.MaxAge)
		f.check(t, f.get(t, "/"), "two", "fetch, open two, close one (context canceled)")
		wait(secrets.MaxAge)
		f.check(t, f.get(t, "/"), "two", "fetch")
	})
}

func TestLate_ClosesTheOldHandlerAfterItsRequests(t *testing.T) {
	testLate(t, nil, func(t *testing.T, f *lazyFixture) {
		answers := make(chan string)
		for range 2 {
			go func() { answers <- f.get(t, "/busy") }()
			<-f.busy
		}
		f.check(t, "", "", "fetch, open one")
		f.setSecret("two")
		wait(secrets.MaxAge)
		f.check(t, f.get(t, "/"), "two", "fetch, open two")
		f.finish <- struct{}{}
		f.check(t, <-answers, "one <nil>", "")
		f.finish <- struct{}{}
		f.check(t, <-answers, "one <nil>", "close one (context canceled)")
	})
}

func TestLate_KeepsTheOldHandlerIfNewSettingsFail(t *testing.T) {
	testLate(t, nil, func(t *testing.T, f *lazyFixture) {
		f.check(t, f.get(t, "/"), "one", "fetch, open one")
		for _, bad := range []struct{ value, actions string }{
			{"", "fetch"}, {"wrong", "fetch, open wrong"}, {"panic", "fetch, open panic"},
		} {
			f.setSecret(bad.value)
			wait(secrets.MaxAge)
			f.check(t, f.get(t, "/"), "one", bad.actions)
			f.check(t, f.get(t, "/"), "one", "")
		}
		f.setSecret("two")
		wait(secrets.MaxAge)
		f.check(t, f.get(t, "/"), "two", "fetch, open two, close one (context canceled)")
	})
}

func TestLate_RereadsARefusedCredentialAtOnce(t *testing.T) {
	testLate(t, nil, func(t *testing.T, f *lazyFixture) {
		f.check(t, f.get(t, "/"), "one", "fetch, open one")
		f.setSecret("two")
		refused := f.env
		f.check(t, refused.Renew(t.Context(), "REDIS_URL").Reveal(), "one", "") // it was just read
		wait(secrets.MinAge)
		f.check(t, refused.Renew(t.Context(), "REDIS_URL").Reveal(), "two", "fetch")
		f.check(t, refused.Renew(t.Context(), "REDIS_URL").Reveal(), "two", "")
		f.check(t, f.get(t, "/"), "two", "open two, close one (context canceled)")
	})
}

func TestLate_EnvironmentWins(t *testing.T) {
	testLate(t, map[string]string{"REDIS_URL": "environment"}, func(t *testing.T, f *lazyFixture) {
		f.check(t, f.get(t, "/"), "environment", "fetch, open environment")
		wait(secrets.MinAge)
		f.check(t, f.env.Renew(t.Context(), "REDIS_URL").Reveal(), "environment", "fetch")
	})
}

func TestLate_EmptyVariableCountsAsUnset(t *testing.T) {
	testLate(t, map[string]string{"REDIS_URL": " "}, func(t *testing.T, f *lazyFixture) {
		f.check(t, f.get(t, "/"), "one", "fetch, open one")
	})
}

func TestLate_ConcurrentFirstEventsOpenOnce(t *testing.T) {
	testLate(t, nil, func(t *testing.T, f *lazyFixture) {
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if got := f.get(t, "/"); got != "one" {
					t.Errorf("got %q", got)
				}
			})
		}
		all.Wait()
		f.check(t, "", "", "fetch, open one")
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
