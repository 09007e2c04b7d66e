// Package setup builds from the environment what functions are made of. The
// binary and every Lambda function call the same code, so a setting means the
// same in each of them. What is wrong is collected in the [config.Env]; nothing
// that was built may be used before its Err was asked.
package setup

import (
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/store"
)

// Ring returns the keys drawn from DATA_SECRET and DATA_PREVIOUS_SECRETS, or from
// JWT_SECRET and JWT_PREVIOUS_SECRETS, see [keyring.ReadData].
func Ring(env *config.Env) *keyring.Ring {
	secrets := keyring.ReadData(env)
	if secrets == nil {
		secrets = []secret.String{keyring.Generate()} // for nobody: it lets the other mistakes be found, too
	}
	ring, err := keyring.New(secrets[0], secrets[1:]...)
	if err != nil {
		panic("setup: " + err.Error()) // ReadData lets no such secret through
	}
	return ring
}

// SharedSecret returns a warning where whoever verifies access tokens could forge
// what only the gateway should make, or "".
func SharedSecret(env *config.Env) string {
	if !token.Symmetric(token.ReadAlgorithm(env)) || !keyring.Shared(env) {
		return ""
	}
	return "whoever verifies access tokens with " + keyring.Variable + " can forge refresh tokens and open what is sealed: set " +
		keyring.DataVariable + " (docs/operations.md, Keys)"
}

// Issuer returns what makes and reads the tokens of both kinds.
func Issuer(env *config.Env, ring *keyring.Ring) *token.Issuer {
	return token.ReadIssuer(env, token.Read(env), signin.NewCodec(ring.Derive(signin.Purpose)))
}

// Log returns the logger of the level that the environment asks for; one JSON
// object a line.
func Log(env *config.Env, w io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: env.LogLevel()}))
}

// Limits returns what bounds how often the clients of a server call. redis reads
// REDIS_URL for the store there; it is an argument, as the client would double
// the size of a function. Without db, the limits are only good for finding
// mistakes.
func Limits(
	env *config.Env, ring *keyring.Ring, db *store.DB, redis func(*config.Env) ratelimit.Store, now func() time.Time,
) *ratelimit.Limiter {
	s := ratelimit.Stores{Usual: ratelimit.InMemory, Redis: redis, Report: reportLimits}
	if db != nil {
		s.Database = db.RateLimits()
	}
	return ratelimit.Read(env, ring, s, now)
}

// FunctionLimits is [Limits] for a function. Its memory is that of one instance
// of many, so the database is what counts where nothing else is set. ring and db
// are nil for a function that has none.
func FunctionLimits(env *config.Env, ring *keyring.Ring, db *store.DB) *ratelimit.Limiter {
	s := ratelimit.Stores{Usual: ratelimit.InDatabase, Sparing: true, Report: reportLimits}
	if db != nil {
		s.Database = db.RateLimits()
	}
	return ratelimit.Read(env, ring, s, time.Now)
}

// reportLimits tells operators when limits are counted by each process for
// itself, and when they no longer are.
func reportLimits(err error) {
	if err != nil {
		slog.Warn("the store of rate limits does not answer; each process counts for itself", slog.String("cause", err.Error()))
		return
	}
	slog.Info("the store of rate limits answers again")
}

// SessionsPerUser reads SESSIONS_PER_USER, how many conversation sessions one user
// may have.
func SessionsPerUser(env *config.Env) int {
	const usual, most = 10_000, 1_000_000
	return env.Int("SESSIONS_PER_USER", usual, 1, most)
}

// Settings returns what all endpoints share: ALLOWED_ORIGINS, TRUSTED_PROXIES.
func Settings(env *config.Env, log *slog.Logger) endpoint.Settings {
	return endpoint.Settings{
		Log: log, Origins: endpoint.ReadOrigins(env), Proxies: endpoint.ReadProxies(env), Now: time.Now,
	}
}

// Handler returns what serves the routes of one function, logging through
// [slog.Default], or everything that is wrong with the environment.
func Handler(env *config.Env, limits *ratelimit.Limiter, routes endpoint.Routes) (http.Handler, error) {
	s := Settings(env, slog.Default())
	s.Limits = limits
	if err := env.Err(); err != nil {
		return nil, err
	}
	return endpoint.New(s, routes...), nil
}
