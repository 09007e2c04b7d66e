package main

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/voiceassist/gateway/cmd/gateway/internal/configcheck"
	"github.com/voiceassist/gateway/cmd/gateway/internal/database"
	"github.com/voiceassist/gateway/cmd/gateway/internal/operator"
	"github.com/voiceassist/gateway/cmd/gateway/internal/server"
	"github.com/voiceassist/gateway/cmd/gateway/internal/tracing"
	"github.com/voiceassist/gateway/functions"
	"github.com/voiceassist/gateway/shared/audit/trail"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/mail/delivery"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/ratelimit/redislimit"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/store"
)

// parts are what commands work with, built from the settings.
type parts struct {
	functions.Parts

	Trail *trail.Trail
	Mails *delivery.Dispatcher // nil: mails stay in the outbox

	public *url.URL // where users reach the gateway

	http *setup.HTTP
	vars *variables
	env  *config.Env
	ring *keyring.Ring
	log  *slog.Logger
}

// allSettings are the settings of commands that use the database or Nextcloud.
type allSettings struct {
	functions.Settings

	Database database.Settings
	Trail    trail.Settings
	Mail     delivery.Settings
	Outbox   mail.Settings
	Redis    redislimit.Settings // only loaded if rate limits are counted in Redis
}

// Load loads all of them.
func (s *allSettings) Load(r setting.Reader) {
	setting.LogLevel(r) // only to find mistakes; the logger exists already
	s.Limits.AllowRedis = true
	setting.Load(r, &s.Database, &s.Settings, &s.Trail, &s.Outbox)
	s.Mail.DefaultDir = s.Database.MailFolder()
	s.Mail.Load(r)
	if s.Limits.Store == ratelimit.InRedis {
		s.Redis.Load(r)
	}
}

// open builds the parts from the settings. It creates and changes nothing unless all
// settings are valid. observe, which may be nil, sees all calls of Nextcloud. The caller
// closes the database.
func open(
	ctx context.Context, vars *variables, env *config.Env, log *slog.Logger, observe func(http.RoundTripper) http.RoundTripper,
) (*parts, error) {
	if _, err := checkSettings(vars, env); err != nil {
		return nil, err
	}
	own := keySource(env).LacksSecret()
	if err := vars.keep(ctx, env, time.Now()); err != nil {
		return nil, err
	}
	var s allSettings
	s.Passwords.Slots = server.HashSlots()
	if err := env.Load(&s); err != nil {
		return nil, err
	}
	s.Nextcloud.Wrap = observe
	if own && !s.Database.Embedded {
		log.WarnContext(ctx, configcheck.OwnSecret, slog.String("file", keySource(env).File.Path()))
	}
	if warning := setup.SharedSecretWarning(&s.Tokens.Settings, &s.Keys); warning != "" {
		log.WarnContext(ctx, warning)
	}
	db, err := s.Database.Open(ctx, func(line string) { log.WarnContext(ctx, line) })
	if err != nil {
		return nil, err
	}
	db.LogTo(log)
	if !s.Mail.Configured() {
		log.InfoContext(ctx, "mails stay in the outbox, because neither SMTP_URL nor MAIL_DIR is set")
	}
	return assemble(&s, vars, env, db, log)
}

// sharedSecret returns the warning of [setup.SharedSecretWarning], or "". env collects the
// mistakes in the settings.
func sharedSecret(env *config.Env) string {
	var tokens token.Settings
	var keys keyring.Settings
	setting.Load(env, &tokens, &keys)
	return setup.SharedSecretWarning(&tokens, &keys)
}

// assemble builds the parts from the settings and db.
func assemble(s *allSettings, vars *variables, env *config.Env, db *store.DB, log *slog.Logger) (*parts, error) {
	var redis ratelimit.Store
	if s.Limits.Store == ratelimit.InRedis {
		redis = s.Redis.Open()
	}
	ring := s.Keys.Ring()
	mails, err := delivery.New(db, s.Mail, ring, time.Now)
	if err != nil {
		return nil, err
	}
	p := &parts{
		Parts: *s.Parts(db, ring, redis, time.Now), Trail: trail.New(db, ring, s.Trail.Keep, time.Now), Mails: mails, public: s.Mail.Public,
		http: &s.HTTP, vars: vars, env: env, ring: ring, log: log,
	}
	if p.Mails != nil {
		p.Outbox.Notify, p.Outbox.Notices = p.Mails.Wake, s.Outbox.Notices
	}
	if p.Reconciler != nil {
		p.Desired.Notify = p.Reconciler.Wake
		if p.Storage != nil {
			p.Storage.Notify = p.Reconciler.Wake
		}
	}
	return p, nil
}

// operator returns the operator whose changes the commands make.
func (p *parts) operator() *operator.Operator {
	return &operator.Operator{DB: p.DB, Registrar: p.Registrar(), Desired: p.Desired, Reconciler: p.Reconciler, Outbox: p.Outbox, Now: p.Now}
}

// checkSettings reads the settings as [open] does. It creates, changes and contacts
// nothing. It returns the settings that come from the key file, or would after the
// first start, and all mistakes.
func checkSettings(vars *variables, env *config.Env) (kept map[string]string, err error) {
	before := maps.Clone(vars.fromKeyFile)
	defer func() { vars.fromKeyFile = before }()
	if err := vars.preview(env, time.Now()); err != nil {
		env.AddMistake(err, keyring.Variable, keyring.DataVariable, token.VariablePrivate, token.VariablePrivate+"_FILE")
	}
	err = env.Load(new(allSettings))
	return vars.fromKeyFile, err
}

// readServer reads the settings that only the server needs. env collects their
// mistakes, which [open] returns.
func readServer(env *config.Env) (at server.Settings, traces tracing.Settings) {
	setting.Load(env, &at, &traces)
	at.CheckFiles(env)
	return at, traces
}

// withParts runs fn with the parts, and logs to logs. It returns an error if the
// database is not ready for this version or was sealed with other keys.
func withParts(ctx context.Context, vars *variables, logs io.Writer, fn func(*parts) error) error {
	env, err := vars.read()
	if err != nil {
		return err
	}
	log := setup.Log(setting.LogLevel(env), logs)
	setDefaultLogger(log, logs)
	p, err := open(ctx, vars, env, log, nil)
	if err != nil {
		return err
	}
	defer p.DB.Close()
	if err := database.CheckSchema(ctx, p.DB); err != nil {
		return explain(err)
	}
	if err := database.CheckKeys(ctx, p.DB, p.ring, p.env); err != nil {
		return explain(err)
	}
	return fn(p)
}
