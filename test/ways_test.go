package test_test

import (
	"net/http"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/voiceassist/gateway/docs/docstest"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/faas/faastest"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

const rootPassword = "correct horse battery staple\n"

// TestEveryWayAnswersAlike runs the acceptance script against the binary on both engines
// and against the functions as Lambda runs them, including with the database behind a
// transaction pooler. It checks every response against the API description, and compares
// them all.
func TestEveryWayAnswersAlike(t *testing.T) {
	t.Parallel()
	got := map[string][]exchange{}
	t.Run("ways", func(t *testing.T) {
		type result struct {
			way       string
			exchanges []exchange
		}
		results := make(chan result, 5)
		for way, run := range map[string]func(t *testing.T) []exchange{
			"binary on SQLite":     func(t *testing.T) []exchange { return onBinary(t) },
			"binary on PostgreSQL": func(t *testing.T) []exchange { return onBinary(t, "DATABASE_URL="+database(t)) },
			"functions on Lambda":  func(t *testing.T) []exchange { return onLambda(t, database(t)) },
			"functions behind PgBouncer": func(t *testing.T) []exchange {
				return onLambda(t, storetest.Pooler(t, database(t)))
			},
			"functions behind a pooler that cannot describe": func(t *testing.T) []exchange {
				return onLambda(t, storetest.Pooler(t, database(t))+"&default_query_exec_mode=exec")
			},
		} {
			t.Run(way, func(t *testing.T) {
				t.Parallel()
				results <- result{way, run(t)}
			})
		}
		t.Cleanup(func() {
			close(results)
			for r := range results {
				got[r.way] = r.exchanges
			}
		})
	})
	want := got["binary on SQLite"]
	if len(want) != len(acceptance()) {
		t.Fatalf("the script played %d of %d steps", len(want), len(acceptance()))
	}
	for way, exchanges := range got {
		if diff := cmp.Diff(want, exchanges); diff != "" {
			t.Errorf("%s responds differently (- binary on SQLite, + %s):\n%s", way, way, diff)
		}
	}
}

// database returns the URL of a new, migrated database.
func database(t *testing.T) string {
	t.Helper()
	return storetest.PostgresURL(t)
}

func onBinary(t *testing.T, env ...string) []exchange {
	t.Helper()
	dir := t.TempDir()
	env = append(env, "JWT_SECRET="+keyring.Generate().Reveal())
	env = append(env, listen(t, newNextcloud(t))...)
	admin(t, dir, env)
	g := start(t, dir, nil, env...).target()
	g.check = docstest.Check
	return play(t, g, acceptance(), map[string]string{"admin": "root@example.com"})
}

// admin creates the script's administrator.
func admin(t *testing.T, dir string, env []string) {
	t.Helper()
	if out, code := command(t, dir, rootPassword, env, "user", "create", "--admin", "root@example.com"); code != 0 {
		t.Fatalf("user create: %s", out)
	}
}

func onLambda(t *testing.T, database string) []exchange {
	t.Helper()
	env := []string{
		"DATABASE_URL=" + database, "JWT_SECRET=" + keyring.Generate().Reveal(),
		"ALLOWED_ORIGINS=https://app.example.org", "BCRYPT_COST=10",
	}
	env = append(env, unlimited()...)
	env = append(env, listen(t, newNextcloud(t))...)
	admin(t, t.TempDir(), env)
	g := target{
		client: &http.Client{Transport: deploy(t, env...)}, url: public,
		check: docstest.Check,
	}
	return play(t, g, acceptance(), map[string]string{"admin": "root@example.com"})
}

// deploy starts the bootstrap of every function and routes to them as template.yaml says.
func deploy(t *testing.T, env ...string) lambdas {
	t.Helper()
	api := lambdas{
		mux: http.NewServeMux(), byPattern: map[string]http.RoundTripper{}, processes: map[string]*faastest.Process{},
	}
	for name, paths := range templateRoutes(t) {
		p := faastest.Start(t, faastest.Build(t, "../functions/"+name+"/bootstrap"), env...)
		api.processes[name] = p
		function := faastest.FrontV2.Client(p)
		for _, p := range paths {
			if p == "" || p == "$default" { // whatever no other route matches
				p = "/"
			}
			p = strings.TrimSuffix(p, "{path+}")
			if _, known := api.byPattern[p]; known {
				continue // API Gateway needs two routes for a folder and its contents, the mux one
			}
			api.mux.Handle(p, http.NotFoundHandler()) // the mux only finds the pattern
			api.byPattern[p] = function
		}
	}
	return api
}

// lambdas is an HTTP API in front of functions.
type lambdas struct {
	mux       *http.ServeMux
	byPattern map[string]http.RoundTripper
	processes map[string]*faastest.Process // by the name of the function
}

func (l lambdas) RoundTrip(r *http.Request) (*http.Response, error) {
	_, pattern := l.mux.Handler(r)
	return l.byPattern[pattern].RoundTrip(r)
}

// templateRoutes returns the paths of each function in template.yaml, by the name of its
// folder.
func templateRoutes(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(path.Join("..", "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]struct {
			Type       string `yaml:"Type"`
			Properties struct {
				Events map[string]struct {
					Type       string `yaml:"Type"`
					Properties struct {
						Path string `yaml:"Path"`
					} `yaml:"Properties"`
				} `yaml:"Events"`
			} `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	routes := map[string][]string{}
	for id, resource := range template.Resources {
		if resource.Type != "AWS::Serverless::Function" {
			continue
		}
		name := strings.ToLower(strings.TrimSuffix(id, "Function"))
		for _, e := range resource.Properties.Events {
			if e.Type == "HttpApi" {
				routes[name] = append(routes[name], e.Properties.Path)
			}
		}
	}
	return routes
}
