package ratelimit

import (
	"crypto/rand"
	"slices"
	"strconv"
	"time"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
)

// Purpose is what the key is for under which stores know clients and accounts.
const Purpose = "rate limit v1"

// A setting is a variable with how many requests a minute it lets through.
type setting struct {
	policy   Policy
	variable string
	usual    int
}

// settings are the limits. Login and password protect what a person could
// think up; registrations, what they cost; the rest leaves room for an office
// behind one address.
func settings() []setting {
	return []setting{
		{General, "RATE_LIMIT_PER_MINUTE", 100},
		{Login, "LOGIN_RATE_LIMIT_PER_MINUTE", 5},
		{Register, "REGISTER_RATE_LIMIT_PER_MINUTE", 10},
		{Refresh, "REFRESH_RATE_LIMIT_PER_MINUTE", 60},
		{Password, "PASSWORD_RATE_LIMIT_PER_MINUTE", 10},
	}
}

// Off returns the settings under which nothing is limited, for tests of
// something else.
func Off() map[string]string {
	off := map[string]string{}
	for _, s := range settings() {
		off[s.variable] = "off"
	}
	return off
}

// The words of RATE_LIMIT_STORE.
const (
	InMemory   = "memory"
	InDatabase = "database"
	InRedis    = "redis"
)

// Stores are what limits can be kept in besides memory.
type Stores struct {
	// Usual is the word that holds where RATE_LIMIT_STORE is unset.
	Usual string
	// Database is the store in the database; nil where there is none, and
	// limits stay in memory then.
	Database Store
	// Redis reads REDIS_URL and returns the store there; nil where its client is
	// not linked.
	Redis func(env *config.Env) Store
	// Sparing leaves to memory what would cost a statement for every request
	// and guards nothing: see docs/adr/0013-rate-limits.md.
	Sparing bool
	// Report is told that the store failed, or, with nil, that it answers again.
	Report func(err error)
}

// How long a store may take. The database may have to be dialled first, and the
// request waits for it anyway.
const (
	databaseTime = time.Second
	redisTime    = 250 * time.Millisecond
)

// Read reads RATE_LIMIT_STORE, RATE_LIMIT_PER_MINUTE (100) and its like for
// single policies. A ring of nil is for functions without secrets, which must
// not need one: their keys are good for this process only.
func Read(env *config.Env, ring *keyring.Ring, stores Stores, now func() time.Time) *Limiter {
	l := &Limiter{limits: map[Policy]Limit{}, now: now, memory: NewMemory(Capacity)}
	for _, s := range settings() {
		l.limits[s.policy] = PerMinute(readPerMinute(env, s))
	}
	words := []string{InMemory, InDatabase}
	if stores.Usual == InDatabase {
		slices.Reverse(words)
	}
	if stores.Redis != nil {
		words = append(words, InRedis)
	}
	l.shared = func(Policy) bool { return true }
	switch env.OneOf("RATE_LIMIT_STORE", words...) {
	case InDatabase:
		if stores.Database != nil {
			l.fence = &fence{store: stores.Database, timeout: databaseTime, report: stores.Report}
		}
		if stores.Sparing {
			l.shared = Policy.guards
		}
	case InRedis:
		if store := stores.Redis(env); store != nil {
			l.fence = &fence{store: store, timeout: redisTime, report: stores.Report}
		}
	}
	if ring != nil {
		l.keys = ring.Derive(Purpose).Current
		return l
	}
	var own keyring.Key
	rand.Read(own.Bytes[:])
	l.keys, l.fence = func() keyring.Key { return own }, nil
	return l
}

// readPerMinute reads how many requests a minute pass; only an explicit off or 0
// is no limit.
func readPerMinute(env *config.Env, s setting) int {
	const most = 100_000
	got := env.String(s.variable, strconv.Itoa(s.usual))
	if got == "off" {
		return 0
	}
	n, err := strconv.Atoi(got)
	if err != nil || n < 0 || n > most {
		env.Refuse(s.variable, got, "a whole number of requests from 1 to "+strconv.Itoa(most)+", or off")
		return s.usual
	}
	return n
}
