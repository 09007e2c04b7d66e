package setup

import (
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/store"
)

// HTTP are the settings that all endpoints share.
type HTTP struct {
	Origins endpoint.Origins
	Proxies endpoint.Proxies
	Limits  ratelimit.Settings
	Admins  endpoint.AdminPolicy
}

// Load loads ALLOWED_ORIGINS, TRUSTED_PROXIES, REQUIRE_2FA_FOR_ADMINS and the rate
// limits.
func (s *HTTP) Load(r setting.Reader) { setting.Load(r, &s.Origins, &s.Proxies, &s.Limits, &s.Admins) }

// Endpoint returns the settings for [endpoint.New].
func (s *HTTP) Endpoint(log *slog.Logger, limits *ratelimit.Limiter) endpoint.Settings {
	return endpoint.Settings{Log: log, Origins: s.Origins, Proxies: s.Proxies, Limits: limits, Now: time.Now}
}

// Function is [HTTP] for a Lambda function. It counts rate limits in the database by
// default, because the instances of a function do not share memory.
type Function struct{ HTTP }

// Load loads the settings.
func (s *Function) Load(r setting.Reader) {
	s.Limits.DefaultStore = ratelimit.InDatabase
	s.HTTP.Load(r)
}

// Authenticator returns an authenticator of callers with the policy of the settings.
func (s *Function) Authenticator(keys *token.Keys, logins endpoint.Logins) *endpoint.Authenticator {
	return &endpoint.Authenticator{Keys: keys, Logins: logins, Now: time.Now, Admins: s.Admins}
}

// Limiter returns the rate limits of the function. ring and db are nil for a
// function that has none.
func (s *Function) Limiter(ring *keyring.Ring, db *store.DB) *ratelimit.Limiter {
	stores := ratelimit.Stores{ProtectiveOnly: true, Report: reportLimits}
	if db != nil {
		stores.Database = db.RateLimits()
	}
	return ratelimit.New(s.Limits, ring, stores, time.Now)
}

// Handler returns the handler of the function's routes. It logs to [slog.Default].
func (s *Function) Handler(limits *ratelimit.Limiter, routes endpoint.Routes) http.Handler {
	return endpoint.New(s.Endpoint(slog.Default(), limits), routes...)
}

// Limiter returns the rate limits of a server. redis is nil unless limits are
// counted there.
func Limiter(s ratelimit.Settings, ring *keyring.Ring, db *store.DB, redis ratelimit.Store, now func() time.Time) *ratelimit.Limiter {
	return ratelimit.New(s, ring, ratelimit.Stores{Database: db.RateLimits(), Redis: redis, Report: reportLimits}, now)
}

// reportLimits logs when each process starts to count rate limits for itself, and
// when it no longer does.
func reportLimits(err error) {
	if err != nil {
		slog.Warn("the store of rate limits does not answer; each process counts for itself", slog.String("cause", err.Error()))
		return
	}
	slog.Info("the store of rate limits answers again")
}

// SharedSecretWarning returns a warning if services that verify access tokens with
// JWT_SECRET could also derive the keys of the gateway, or "".
func SharedSecretWarning(tokens *token.Settings, keys *keyring.Settings) string {
	if !token.Symmetric(tokens.Algorithm) || !keys.Contains(tokens.Secrets) {
		return ""
	}
	return "whoever verifies access tokens with " + keyring.Variable + " can forge refresh tokens and open what is sealed: set " +
		keyring.DataVariable + " (docs/operations.md, Keys)"
}

// Log returns a logger that writes one JSON object per line.
func Log(level slog.Leveler, w io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}
