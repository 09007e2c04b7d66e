package setup_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/setup"
)

func TestHandler_ReportsAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	env := config.Map(map[string]string{"JWT_ALGORITHM": "none", "ALLOWED_ORIGINS": "*", "TRUSTED_PROXIES": "x"})
	err := env.Load(new(setup.Function), new(keyring.Settings), new(token.IssuerSettings))
	if err == nil {
		t.Fatal("a function with a wrong environment serves")
	}
	for _, want := range []string{"JWT_SECRET is not set", `JWT_ALGORITHM is "none"`, `ALLOWED_ORIGINS is "*"`, `TRUSTED_PROXIES is "x"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not contain %q: %v", want, err)
		}
	}
}

func TestHandler_Serves(t *testing.T) {
	t.Parallel()
	env := config.Map(map[string]string{keyring.Variable: keyring.Generate().Reveal()})
	var function setup.Function
	if err := env.Load(&function); err != nil {
		t.Fatal(err)
	}
	h := function.Handler(function.Limiter(nil, nil), endpoint.Routes{{Pattern: "GET /x", Handler: http.NotFoundHandler()}})
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/x", http.NoBody))
	if rec.Code != http.StatusNotFound || rec.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("got %d, %v", rec.Code, rec.Header())
	}
}

func TestLog_HasTheConfiguredLevel(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		env  map[string]string
		want string // of debug, info, warn, error
	}{
		{nil, "info warn error"},
		{map[string]string{"LOG_LEVEL": "warn"}, "warn error"},
		{map[string]string{"DEBUG": "true", "LOG_LEVEL": "error"}, "debug info warn error"},
	} {
		var b bytes.Buffer
		log := setup.Log(setting.LogLevel(config.Map(test.env)), &b)
		for level, name := range map[slog.Level]string{
			slog.LevelDebug: "debug", slog.LevelInfo: "info", slog.LevelWarn: "warn", slog.LevelError: "error",
		} {
			log.Log(t.Context(), level, name)
			if written := strings.Contains(b.String(), `"msg":"`+name+`"`); written != strings.Contains(test.want, name) {
				t.Errorf("%v: %s is written: %v", test.env, name, written)
			}
		}
	}
}

func TestFunctionLimits_RejectRedis(t *testing.T) {
	t.Parallel()
	env := config.Map(map[string]string{"RATE_LIMIT_STORE": "redis", "REDIS_URL": "redis://127.0.0.1"})
	setting.Of[setup.Function](env)
	if want := `RATE_LIMIT_STORE is "redis"; it must be one of database, memory`; env.Err() == nil || env.Err().Error() != want {
		t.Errorf("got %v, want %s", env.Err(), want)
	}
}
