package ratelimit

import (
	"crypto/rand"
	"slices"
	"strconv"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

// Purpose is the purpose of the derived key that names clients and accounts in stores.
const Purpose = "rate limit v1"

// A policySetting is a setting for the number of requests a minute.
type policySetting struct {
	policy   Policy
	variable string
	usual    int
}

// policySettings returns the limits. The limits of login and password protect passwords that people
// choose; the limit of registration bounds its cost; the others leave room for an office
// behind one address.
func policySettings() []policySetting {
	return []policySetting{
		{General, "RATE_LIMIT_PER_MINUTE", 100},
		{Login, "LOGIN_RATE_LIMIT_PER_MINUTE", 5},
		{Register, "REGISTER_RATE_LIMIT_PER_MINUTE", 10},
		{Refresh, "REFRESH_RATE_LIMIT_PER_MINUTE", 60},
		{Password, "PASSWORD_RATE_LIMIT_PER_MINUTE", 10},
		{APIKey, "API_KEY_RATE_LIMIT_PER_MINUTE", 300},
	}
}

// Off returns settings that disable all limits, for tests of something else.
func Off() map[string]string {
	off := map[string]string{}
	for _, s := range policySettings() {
		off[s.variable] = "off"
	}
	return off
}

// The values of RATE_LIMIT_STORE.
const (
	InMemory   = "memory"
	InDatabase = "database"
	InRedis    = "redis"
)

// Settings say how often clients may call, and where requests are counted.
type Settings struct {
	PerMinute map[Policy]int // requests; 0 is no limit
	Store     string         // [InMemory], [InDatabase] or [InRedis]

	// What Load accepts for RATE_LIMIT_STORE: the default, which is [InMemory] if empty, and
	// whether the program links a Redis client.
	DefaultStore string
	AllowRedis   bool
}

// Load loads RATE_LIMIT_STORE, RATE_LIMIT_PER_MINUTE and the variables of single policies.
func (s *Settings) Load(r setting.Reader) {
	s.PerMinute = map[Policy]int{}
	for _, v := range policySettings() {
		s.PerMinute[v.policy] = loadPerMinute(r, v)
	}
	words := []string{InMemory, InDatabase}
	if s.DefaultStore == InDatabase {
		slices.Reverse(words)
	}
	if s.AllowRedis {
		words = append(words, InRedis)
	}
	s.Store = r.OneOf("RATE_LIMIT_STORE", words...)
}

// loadPerMinute returns how many requests a minute pass. Only an explicit off or 0 means
// no limit.
func loadPerMinute(r setting.Reader, v policySetting) int {
	const most = 100_000
	got := r.String(v.variable, strconv.Itoa(v.usual))
	if got == "off" {
		return 0
	}
	n, err := strconv.Atoi(got)
	if err != nil || n < 0 || n > most {
		r.Refuse(v.variable, got, "a whole number of requests from 1 to "+strconv.Itoa(most)+", or off")
		return v.usual
	}
	return n
}

// Stores are the stores besides memory. A nil store is not available, and limits that are
// configured for it are kept in memory.
type Stores struct {
	Database Store
	Redis    Store
	// ProtectiveOnly keeps in memory those limits that would cost a statement for every request and
	// guard nothing; see docs/adr/0013-rate-limits.md.
	ProtectiveOnly bool
	// Report is called if the store fails, and with nil when it works again.
	Report func(err error)
}

// How long a store may take. The database may have to be dialled first, and the request
// needs that connection anyway.
const (
	databaseTime = time.Second
	redisTime    = 250 * time.Millisecond
)

// New returns a limiter. ring is nil for functions without secrets: their key is random, so
// they count in this process only.
func New(s Settings, ring *keyring.Ring, stores Stores, now func() time.Time) *Limiter {
	l := &Limiter{limits: map[Policy]Limit{}, now: now, memory: NewMemory(Capacity)}
	for policy, n := range s.PerMinute {
		l.limits[policy] = PerMinute(n)
	}
	l.shared = func(Policy) bool { return true }
	switch s.Store {
	case InDatabase:
		if stores.Database != nil {
			l.breaker = &breaker{store: stores.Database, timeout: databaseTime, report: stores.Report}
		}
		if stores.ProtectiveOnly {
			l.shared = Policy.isProtective
		}
	case InRedis:
		if stores.Redis != nil {
			l.breaker = &breaker{store: stores.Redis, timeout: redisTime, report: stores.Report}
		}
	}
	if ring != nil {
		l.keys = ring.Derive(Purpose).Current
		return l
	}
	var own keyring.Key
	rand.Read(own.Bytes[:])
	l.keys, l.breaker = func() keyring.Key { return own }, nil
	return l
}
