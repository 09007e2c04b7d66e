package health_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/functions/health"
	"github.com/voiceassist/gateway/functions/health/internal/probe"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

type readiness struct {
	Status string
	Checks map[string]struct {
		Status, Error string
		Required      bool
	}
}

func ready(t *testing.T, f *health.Function) (int, readiness, string) {
	t.Helper()
	mux := http.NewServeMux()
	for _, r := range f.Routes() {
		mux.Handle(r.Pattern, r.Handler)
	}
	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ready", http.NoBody))
	var body readiness
	if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
		t.Fatalf("%v in %s", err, rec.Body)
	}
	return rec.Code, body, rec.Body.String()
}

func TestReady(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		a := g.Do("GET", "/ready", nil).Want(http.StatusOK, "")
		for check, want := range map[string]string{
			"database": "ok", "schema": "ok", "redis": "disabled", "qdrant": "disabled", "nextcloud": "disabled",
		} {
			if got := a.Get("checks", check, "status"); got != want {
				t.Errorf("%s: got %q, want %q", check, got, want)
			}
		}
		if g.Do("GET", "/health", nil).Want(http.StatusOK, "").Get("status") != "ok" {
			t.Error("want healthy")
		}
	})
}

func TestReady_WithAnEmptyDatabase_OnPostgres(t *testing.T) {
	t.Parallel()
	db := storetest.OpenPostgres(t, storetest.FromTemplate(t, func(context.Context, string) error { return nil }))
	t.Cleanup(func() { db.Close() })
	status, body, _ := ready(t, health.New(*setting.Of[health.Settings](config.Map(nil)), db))
	if status != http.StatusServiceUnavailable || body.Checks["database"].Status != "ok" || body.Checks["schema"].Status != "failed" ||
		!strings.Contains(body.Checks["schema"].Error, "version 0") {
		t.Errorf("%d %+v", status, body)
	}
}

// TestReady_WithADependencyDown fails each dependency in turn. Only a required one takes
// the gateway out of service.
func TestReady_WithADependencyDown(t *testing.T) {
	t.Parallel()
	down := func(context.Context) error { return probe.Failed(errors.New("dial tcp 10.0.0.5:6333: secret")) }
	for _, tt := range []struct {
		down     string
		requires []string
		code     int
		want     string
	}{
		{"", nil, 200, "ready"},
		{"database", nil, 503, "unavailable"},
		{"schema", nil, 503, "unavailable"},
		{"redis", nil, 200, "degraded"},
		{"redis", []string{"nextcloud", "redis"}, 503, "unavailable"},
		{"qdrant", nil, 200, "degraded"},
		{"qdrant", []string{"qdrant"}, 503, "unavailable"},
		{"nextcloud", nil, 200, "degraded"},
		{"nextcloud", []string{"nextcloud"}, 503, "unavailable"},
		{"nextcloud", []string{"redis", "qdrant"}, 200, "degraded"},
		{"redis nextcloud", []string{"nextcloud"}, 503, "unavailable"},
		{"redis nextcloud", []string{"redis"}, 503, "unavailable"},
	} {
		p := map[string]probe.Probe{}
		for _, name := range []string{"database", "schema", "redis", "qdrant", "nextcloud"} {
			p[name] = func(context.Context) error { return nil }
			if slices.Contains(strings.Fields(tt.down), name) {
				p[name] = down
			}
		}
		f := &health.Function{
			Now: time.Now, Database: p["database"], Schema: p["schema"], Redis: p["redis"], Qdrant: p["qdrant"], Nextcloud: p["nextcloud"],
			Requires: tt.requires,
		}
		code, body, text := ready(t, f)
		if code != tt.code || body.Status != tt.want {
			t.Errorf("%q down, %q required: got %d %s, want %d %s", tt.down, tt.requires, code, text, tt.code, tt.want)
		}
		for name, check := range body.Checks {
			failed := slices.Contains(strings.Fields(tt.down), name)
			required := name == "database" || name == "schema" || slices.Contains(tt.requires, name)
			if failed != (check.Status == "failed" && check.Error != "") || required != check.Required {
				t.Errorf("%q down, %q required: %s is %+v", tt.down, tt.requires, name, check)
			}
		}
		if strings.Contains(text, "10.0.0.5") || strings.Contains(text, "secret") {
			t.Errorf("the body leaks the cause: %s", text)
		}
	}
}

func TestReady_ProbesInParallel(t *testing.T) {
	t.Parallel()
	all := make(chan struct{})
	arrived := make(chan struct{}, 3)
	wait := func(ctx context.Context) error {
		arrived <- struct{}{}
		select {
		case <-all:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	go func() {
		for range 3 {
			<-arrived
		}
		close(all)
	}()
	if status, _, text := ready(t, &health.Function{Now: time.Now, Database: wait, Schema: wait, Redis: wait}); status != http.StatusOK {
		t.Errorf("probes ran one after the other: %s", text)
	}
}

// TestReady_SharesOneNextcloudProbe also checks that no probe sends credentials, so that
// brute-force protection counts none.
func TestReady_SharesOneNextcloudProbe(t *testing.T) {
	t.Parallel()
	var waiting sync.WaitGroup
	cloud := nextcloudtest.New(nextcloudtest.Options{AdminPassword: "hunter2"})
	f := nextcloudHealth(t, cloud)
	for range 20 {
		waiting.Go(func() {
			if status, body, text := ready(t, f); status != http.StatusOK || body.Checks["nextcloud"].Status != "ok" {
				t.Errorf("%d %s", status, text)
			}
		})
	}
	waiting.Wait()
	ready(t, f)
	calls := cloud.Calls()
	if len(calls) != 1 || calls[0].Path != "/status.php" || calls[0].User != "" {
		t.Errorf("Nextcloud received %+v, want status.php once, without credentials", calls)
	}
}

func TestReady_ReportsAnUnusableNextcloud(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, status, want string }{
		{"maintenance", `{"installed":true,"maintenance":true}`, "in maintenance mode"},
		{"an upgrade", `{"installed":true,"needsDbUpgrade":true}`, "waiting for the upgrade of its database"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cloud := nextcloudtest.New(nextcloudtest.Options{})
			cloud.Fail(func(*http.Request) nextcloudtest.Fault {
				return nextcloudtest.Answer(http.StatusOK, "application/json", c.status, 0)
			})
			status, body, text := ready(t, nextcloudHealth(t, cloud))
			if status != http.StatusOK || body.Status != "degraded" || body.Checks["nextcloud"].Error != c.want {
				t.Errorf("%d %s", status, text)
			}
		})
	}
}

// nextcloudHealth returns the function configured for that Nextcloud.
func nextcloudHealth(t *testing.T, cloud *nextcloudtest.Server) *health.Function {
	t.Helper()
	server := httptest.NewServer(cloud)
	t.Cleanup(server.Close)
	f := health.New(*setting.Of[health.Settings](config.Map(map[string]string{"NEXTCLOUD_URL": server.URL})), &store.DB{})
	f.Database, f.Schema = nil, nil
	return f
}

// TestRead_Requirements also checks that a requirement without effect is refused.
func TestRead_Requirements(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ requires, want string }{
		{"redis , nextcloud", ""},
		{"qdrant", `READY_REQUIRES is "qdrant"; it must be a configured dependency; set QDRANT_URL`},
		{"database", `READY_REQUIRES is "database"; it must be a list of redis, qdrant, nextcloud`},
	} {
		env := config.Map(map[string]string{
			"REDIS_URL": "redis://127.0.0.1:1", "NEXTCLOUD_URL": "http://127.0.0.1:1",
			"NEXTCLOUD_ADMIN_USER": "admin", "NEXTCLOUD_ADMIN_PASSWORD": "x", "READY_REQUIRES": tt.requires,
		})
		f := health.New(*setting.Of[health.Settings](env), &store.DB{})
		if tt.want != "" {
			if err := env.Err(); err == nil || err.Error() != tt.want {
				t.Errorf("%s: got %v, want %s", tt.requires, err, tt.want)
			}
			continue
		}
		f.Database, f.Schema = nil, nil // there is none
		status, body, text := ready(t, f)
		if env.Err() != nil || status != http.StatusServiceUnavailable || !body.Checks["redis"].Required {
			t.Errorf("%s: got %v, %d %s", tt.requires, env.Err(), status, text)
		}
	}
}

func TestRead_RejectsInvalidSettings(t *testing.T) {
	t.Parallel()
	env := config.Map(map[string]string{"REDIS_URL": "http://x", "QDRANT_URL": "x", "NEXTCLOUD_URL": "ftp://x"})
	setting.Of[health.Settings](env)
	if n := strings.Count(env.Err().Error()+"\n", "\n"); n != 3 {
		t.Errorf("%d lines, want 3: %v", n, env.Err())
	}
}
