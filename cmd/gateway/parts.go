package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/voiceassist/gateway/functions"
	"github.com/voiceassist/gateway/functions/health"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/enrol"
	"github.com/voiceassist/gateway/shared/keyring"
	"github.com/voiceassist/gateway/shared/password"
	"github.com/voiceassist/gateway/shared/provision"
	"github.com/voiceassist/gateway/shared/ratelimit/redislimit"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/trail"
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

// open builds everything from the settings. The caller closes the database.
// Nothing but the database file is touched before every setting was checked.
func open(ctx context.Context, vars *variables, env *config.Env, log *slog.Logger) (*parts, error) {
	p := &parts{vars: vars, env: env, log: log}
	own := lacksSecret(env)
	if err := vars.keep(ctx, env, time.Now()); err != nil {
		return nil, err
	}
	if own && env.Secret("DATABASE_URL") != "" {
		p.log.WarnContext(ctx, keyring.Variable+" is not set: this machine made its own, and others that share the database will not know it",
			slog.String("file", keyFile(env).Path()))
	}
	if shared := setup.SharedSecret(env); shared != "" {
		p.log.WarnContext(ctx, shared)
	}
	ring := setup.Ring(env)
	p.ring = ring
	p.Parts = functions.Parts{
		Tokens: setup.Issuer(env, ring), Passwords: password.Read(env),
		Wishes: provision.ReadWisher(env, ring), Now: time.Now, SilentRegistration: enrol.ReadSilent(env),
		SessionsPerUser: setup.SessionsPerUser(env),
	}
	if err := env.Err(); err != nil {
		return nil, err
	}
	db, err := openDatabase(ctx, env, func(line string) { log.WarnContext(ctx, line) })
	if err != nil {
		return nil, err
	}
	p.DB = db
	p.DB.LogTo(log)
	p.Trail = trail.Read(env, p.DB, ring)
	p.Health, p.Limits = health.Read(env, p.DB), setup.Limits(env, ring, p.DB, redislimit.Read, p.Now)
	p.Storage = provision.ReadStorage(env, p.DB, ring, p.Now)
	if p.Reconciler = provision.ReadReconciler(env, p.DB, ring); p.Reconciler != nil {
		p.Wishes.Notify, p.Storage.Notify = p.Reconciler.Wake, p.Reconciler.Wake
	}
	if err := env.Err(); err != nil {
		p.DB.Close()
		return nil, err
	}
	return p, nil
}

// withParts runs fn with everything built, logging to stderr.
func withParts(ctx context.Context, vars *variables, logs io.Writer, fn func(*parts) error) error {
	env, err := vars.env()
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
		return fmt.Errorf("%s is not what this database was sealed with, which is %s: set %s to the value of that, too (docs/operations.md, Keys)",
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
	return provision.Opens(ctx, p.DB, ring)
}
