package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"time"

	"github.com/voiceassist/gateway/functions"
	"github.com/voiceassist/gateway/functions/health"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/audit/trail"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/identity/registration"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/nextcloud/access"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/ratelimit/redislimit"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/store"
)

// parts are what the commands work with.
type parts struct {
	functions.Parts

	Trail *trail.Trail

	vars *variables
	env  *config.Env
	ring *keyring.Ring
	log  *slog.Logger
}

// ownSecret warns of a secret that is not in the settings, while the database is
// not on this machine alone.
const ownSecret = keyring.Variable + " is not set: this machine made its own, and others that share the database will not know it"

// open builds everything from the settings. The caller closes the database.
// Nothing is made or changed before every setting was checked.
func open(ctx context.Context, vars *variables, env *config.Env, log *slog.Logger) (*parts, error) {
	if _, err := rehearse(vars, env, log); err != nil {
		return nil, err
	}
	own := lacksSecret(env)
	if err := vars.keep(ctx, env, time.Now()); err != nil {
		return nil, err
	}
	if own && env.Secret("DATABASE_URL") != "" {
		log.WarnContext(ctx, ownSecret, slog.String("file", keyFile(env).Path()))
	}
	if shared := setup.SharedSecret(env); shared != "" {
		log.WarnContext(ctx, shared)
	}
	db, err := openDatabase(ctx, env, func(line string) { log.WarnContext(ctx, line) })
	if err != nil {
		return nil, err
	}
	db.LogTo(log)
	p := assemble(vars, env, db, log)
	if err := env.Err(); err != nil {
		db.Close()
		return nil, err
	}
	return p, nil
}

// assemble builds everything from the settings, on db. Mistakes are in env; db may
// be nil for those who look for nothing else.
func assemble(vars *variables, env *config.Env, db *store.DB, log *slog.Logger) *parts {
	ring := setup.Ring(env)
	p := &parts{
		Parts: functions.Parts{
			DB: db, Tokens: setup.Issuer(env, ring), Passwords: password.Read(env), Desired: desired.ReadRecorder(env, ring), Now: time.Now,
			Health: health.Read(env, db), Limits: setup.Limits(env, ring, db, redislimit.Read, time.Now),
			Nextcloud: nextcloud.ReadServer(env), Storage: access.ReadStorage(env, db, ring, time.Now), Reconciler: reconcile.ReadReconciler(env, db, ring),
			SilentRegistration: registration.ReadSilent(env), SessionsPerUser: setup.SessionsPerUser(env),
		},
		Trail: trail.Read(env, db, ring), vars: vars, env: env, ring: ring, log: log,
	}
	if p.Reconciler != nil {
		p.Desired.Notify = p.Reconciler.Wake
		if p.Storage != nil {
			p.Storage.Notify = p.Reconciler.Wake
		}
	}
	return p
}

// rehearse reads the settings as [open] does, and makes, changes and contacts
// nothing. It returns what comes from the key file, or would, and everything that
// is wrong with the settings.
func rehearse(vars *variables, env *config.Env, log *slog.Logger) (kept map[string]string, err error) {
	before := maps.Clone(vars.kept)
	defer func() { vars.kept = before }()
	if err := vars.foresee(env, time.Now()); err != nil {
		env.Doubt(err, keyring.Variable, keyring.DataVariable, token.VariablePrivate, token.VariablePrivate+"_FILE")
	}
	db := readDatabase(env)
	if db != nil {
		defer db.Close()
	}
	defer assemble(vars, env, db, log).Limits.Close()
	return vars.kept, env.Err()
}

// withParts runs fn with everything built, logging to stderr.
func withParts(ctx context.Context, vars *variables, logs io.Writer, fn func(*parts) error) error {
	env, err := vars.read()
	if err != nil {
		return err
	}
	p, err := open(ctx, vars, env, setup.Log(env, logs))
	if err != nil {
		return err
	}
	defer p.DB.Close()
	if err := migrated(ctx, p.DB); err != nil {
		return spoken(err)
	}
	if err := p.checkData(ctx); err != nil {
		return err
	}
	return fn(p)
}

// checkData returns an error where DATA_SECRET is set and the database was sealed
// under JWT_SECRET, whose keys are not among the present ones: what cannot be opened
// would be given up, and everybody signed out.
func (p *parts) checkData(ctx context.Context) error {
	if ours, err := p.sealedUnder(ctx, p.ring); err != nil || ours {
		return spoken(err)
	}
	secrets := append(keyring.ReadPrevious(p.env), keyring.Read(p.env))
	ring, err := keyring.New(secrets[len(secrets)-1], secrets...)
	if err != nil {
		return nil //nolint:nilerr // there is no JWT_SECRET, so it sealed nothing
	}
	theirs, err := p.sealedUnder(ctx, ring)
	if err == nil && theirs {
		return fmt.Errorf("%s is not the secret that encrypted this database, which is %s: add its value to %s (docs/operations.md, Keys)",
			keyring.DataVariable, keyring.Variable, keyring.DataVariablePrevious)
	}
	return spoken(err)
}

// sealedUnder reports whether the audit trail and what else is sealed in the
// database has keys of the ring.
func (p *parts) sealedUnder(ctx context.Context, ring *keyring.Ring) (bool, error) {
	head, err := p.DB.AuditHead(ctx)
	if err != nil {
		return false, err
	}
	if _, known := ring.Derive(audit.Purpose).ByID([4]byte(head.MAC[:4])); head.MAC != (audit.MAC{}) && !known {
		return false, nil
	}
	return reconcile.Opens(ctx, p.DB, ring)
}
