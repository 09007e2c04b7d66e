package functions

import (
	"time"

	"github.com/voiceassist/gateway/functions/health"
	"github.com/voiceassist/gateway/functions/page"
	"github.com/voiceassist/gateway/functions/sessions"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/codes"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
	"github.com/voiceassist/gateway/shared/identity/mfa"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/identity/recovery"
	"github.com/voiceassist/gateway/shared/identity/registration"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/nextcloud/access"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/store"
)

// Settings are the settings of all functions, except the database.
type Settings struct {
	setup.HTTP

	Keys         keyring.Settings
	Tokens       token.IssuerSettings
	Passwords    password.Settings
	Nextcloud    reconcile.Settings
	Health       health.Settings
	Registration registration.Settings
	Rules        account.Rules
	Sessions     sessions.Settings
	Page         page.Settings
}

// Load loads all of them.
func (s *Settings) Load(r setting.Reader) {
	setting.Load(r, &s.HTTP, &s.Keys, &s.Tokens, &s.Passwords, &s.Nextcloud, &s.Health, &s.Registration, &s.Rules, &s.Sessions, &s.Page)
}

// Parts returns the dependencies of all functions, with db and the keys of ring. redis is
// nil unless rate limits are counted in Redis.
func (s *Settings) Parts(db *store.DB, ring *keyring.Ring, redis ratelimit.Store, now func() time.Time) *Parts {
	p := &Parts{
		DB: db, Tokens: s.Tokens.Issuer(ring), Passwords: s.Passwords.Hasher(), Codes: codes.New(db, ring, now), Now: now,
		Challenges: mfa.NewChallengeCodec(ring), Admins: s.Admins,
		Outbox:     new(mail.Outbox),
		Links:      linktoken.NewCodec(ring),
		Desired:    desired.NewRecorder(s.Nextcloud.Policy, ring),
		Reconciler: reconcile.New(db, s.Nextcloud, ring, time.Now), // its deadlines are on the real clock
		Storage:    access.NewStorage(s.Nextcloud.Server, db, ring, now),
		Nextcloud:  s.Nextcloud.Server,
		Limits:     setup.Limiter(s.Limits, ring, db, redis, now),
		Health:     health.New(s.Health, db),

		Rules: s.Rules, SilentRegistration: s.Registration.Silent, SessionsPerUser: s.Sessions.PerUser, AnswerStep: recovery.AnswerStep,
		Page: s.Page,
	}
	if p.Storage != nil {
		p.Storage.Outbox = p.Outbox
	}
	return p
}
