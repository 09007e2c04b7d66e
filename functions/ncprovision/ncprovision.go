package ncprovision

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/voiceassist/gateway/shared/audit/trail"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/nextcloud/access"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/janitor"
	"github.com/voiceassist/gateway/shared/validation"
)

// A Function shows and maintains accounts in Nextcloud.
type Function struct {
	Auth       *endpoint.Authenticator
	DB         *store.DB
	Reconciler *reconcile.Reconciler // nil: there is no Nextcloud
	Apps       *access.AppPasswords
	Trail      *trail.Trail        // nil: another process maintains it
	Janitor    *janitor.Janitor    // nil: another process cleans up
	Resealer   *reconcile.Resealer // nil: another process reseals
	Confirmer  *password.Confirmer
	Public     *url.URL          // the address of Nextcloud for users; nil if there is none
	Desired    *desired.Recorder // its policy for the accounts of deleted users
	Now        func() time.Time
}

// Routes returns what the function serves.
func (f *Function) Routes() endpoint.Routes {
	const ok, created, none = http.StatusOK, http.StatusCreated, http.StatusNoContent
	return endpoint.Routes{
		{Pattern: "GET /api/users/me/nextcloud", Handler: endpoint.Authenticated(f.Auth, ok, f.mine)},
		{Pattern: "POST /api/users/me/nextcloud/app-password", Handler: endpoint.Authenticated(f.Auth, created, f.issue, validation.Check), Limit: ratelimit.Password, Busy: f.Confirmer.Busy},
		{Pattern: "GET /api/users/me/nextcloud/app-passwords", Handler: endpoint.Authenticated(f.Auth, ok, f.apps)},
		{Pattern: "DELETE /api/users/me/nextcloud/app-passwords/{id}", Handler: endpoint.Authenticated(f.Auth, none, f.revoke)},
		{Pattern: "POST /api/users/me/nextcloud/claim", Handler: endpoint.Authenticated(f.Auth, ok, f.claim, validation.Check), Limit: ratelimit.Password},
		{Pattern: "GET /api/nextcloud/accounts", Handler: endpoint.AdminOnly(f.Auth, ok, f.list)},
		{Pattern: "GET /api/nextcloud/accounts/{user_id}", Handler: endpoint.AdminOnly(f.Auth, ok, f.one)},
		{Pattern: "POST /api/nextcloud/accounts/{user_id}/retry", Handler: endpoint.AdminOnly(f.Auth, ok, f.retry)},
		{Pattern: "POST /api/nextcloud/accounts/{user_id}/adopt", Handler: endpoint.AdminOnly(f.Auth, ok, f.adopt, validation.Check)},
		{Pattern: "POST /api/nextcloud/reconcile", Handler: endpoint.AdminOnly(f.Auth, ok, f.reconcile)},
	}
}

// A standing is the caller's account, as the caller sees it.
type standing struct {
	Status       desired.Status `json:"status"`
	UserID       *string        `json:"user_id"`    // in Nextcloud; null until the gateway owns the account
	URL          *string        `json:"url"`        // null without a Nextcloud
	WebDAVURL    *string        `json:"webdav_url"` // null until the gateway owns the account
	Quota        *quota         `json:"quota"`      // null until it has been read
	LastSyncedAt *time.Time     `json:"last_synced_at"`
	LastError    *string        `json:"last_error"` // a stable code
	Detail       *string        `json:"detail"`     // what to do about it; null if nothing
	OnDelete     *string        `json:"on_delete"`  // what becomes of it if the user is deleted; null without a Nextcloud
}

// A quota is the storage usage in bytes. It is at most a minute old while Nextcloud
// responds. Without a limit, available and total are null.
type quota struct {
	Used      int64     `json:"used"`
	Available *int64    `json:"available"`
	Total     *int64    `json:"total"`
	AsOf      time.Time `json:"as_of"` // when Nextcloud reported it
}

func (f *Function) mine(ctx context.Context, caller endpoint.Caller, _ endpoint.None) (standing, error) {
	n, err := f.DB.NextcloudAccount(ctx, caller.Account.ID)
	if fault.Of(err) != nil && fault.Of(err).Kind == fault.NotFound {
		return f.standing(desired.Account{Status: desired.Pending}), nil // the account is older than the first desired states
	}
	if err == nil && f.Reconciler != nil {
		n, err = f.Reconciler.Usage(ctx, n)
	}
	if err != nil {
		return standing{}, err
	}
	block, err := f.blocked(ctx, n)
	if err != nil {
		return standing{}, err
	}
	if n.LastError == "" && block.Reason != store.BlockedByTrial {
		n.LastError = string(block.Reason)
	}
	return f.standing(n), nil
}

func (f *Function) standing(n desired.Account) standing {
	s := standing{Status: n.Status, LastSyncedAt: n.LastSyncedAt, Quota: quotaOf(n)}
	s.LastError, s.Detail = forOwner(n)
	if f.Public != nil {
		s.URL, s.OnDelete = orNull(f.Public.String()), orNull(f.onDelete(n))
		if n.Owned {
			s.UserID = &n.NextcloudID
			s.WebDAVURL = orNull(ocs.New(ocs.Config{URL: f.Public}).WebDAVURL(n.NextcloudID))
		}
	}
	return s
}

// onDelete returns what becomes of the account if its user is deleted, in the words of
// NEXTCLOUD_ON_DELETE. An account that the gateway did not create stays.
func (f *Function) onDelete(n desired.Account) string {
	switch {
	case n.Link != desired.NoLink, f.Desired.OnDelete == desired.Present:
		return "keep"
	case f.Desired.OnDelete == desired.Absent:
		return "delete"
	}
	return "disable"
}

// blocked returns why the gateway may not call Nextcloud, if one of the accounts
// waits for an attempt.
func (f *Function) blocked(ctx context.Context, accounts ...desired.Account) (reconcile.Block, error) {
	waits := func(n desired.Account) bool { return n.DueAt != nil }
	if f.Reconciler == nil || !slices.ContainsFunc(accounts, waits) {
		return reconcile.Block{}, nil
	}
	return f.Reconciler.Blocked(ctx)
}

func quotaOf(n desired.Account) *quota {
	if n.Used == nil || n.UsedAt == nil {
		return nil
	}
	q := &quota{Used: *n.Used, Total: n.Total, AsOf: *n.UsedAt}
	if n.Total != nil {
		free := max(0, *n.Total-*n.Used)
		q.Available = &free
	}
	return q
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// An entry is one account, as administrators see it.
type entry struct {
	UserID          account.ID         `json:"user_id"`
	NextcloudUserID string             `json:"nextcloud_user_id"`
	Email           account.Email      `json:"email"`
	Wish            desired.State      `json:"wish"`
	Status          desired.Status     `json:"status"`
	Attempts        int                `json:"attempts"`
	NextTryAt       *time.Time         `json:"next_try_at"` // null if nothing is due, or if it waits for the user
	WaitsFor        *store.BlockReason `json:"waits_for"`   // what delays the next attempt; null for nothing
	LastSyncedAt    *time.Time         `json:"last_synced_at"`
	LastError       *string            `json:"last_error"`
	Detail          *string            `json:"detail"`        // what to do about it; null if nothing
	Link            *desired.Link      `json:"link"`          // null for an account that the gateway created
	ConflictWith    *string            `json:"conflict_with"` // the id in Nextcloud; null without a conflict
	UpdatedAt       time.Time          `json:"updated_at"`
	OnDelete        string             `json:"on_delete"` // what becomes of it if the user is deleted

	Quota access.Quota `json:"quota"`
}

func (f *Function) entry(n desired.Account, block reconcile.Block) entry {
	e := entry{
		UserID: n.UserID, NextcloudUserID: n.NextcloudID, Email: n.Email, Wish: n.State, Status: n.Status,
		Attempts: n.Attempts, NextTryAt: n.DueAt, LastSyncedAt: n.LastSyncedAt, LastError: orNull(n.LastError),
		Detail: forAdministrators(n), ConflictWith: orNull(n.ConflictingID()), UpdatedAt: n.UpdatedAt, Quota: access.QuotaOf(n),
		OnDelete: f.onDelete(n),
	}
	if n.Link != desired.NoLink {
		e.Link = &n.Link
	}
	if n.Held {
		e.LastError, e.NextTryAt = orNull(reconcile.EmailUnverified), nil
		return e
	}
	if block.Reason != "" && n.DueAt != nil && n.DueAt.Before(block.Until) {
		e.NextTryAt, e.WaitsFor = &block.Until, &block.Reason
	}
	return e
}

type list struct {
	page   endpoint.PageQuery
	status desired.Status
}

// Bind reads the page and the status.
func (q *list) Bind(r *http.Request) error {
	if err := q.page.Bind(r); err != nil {
		return err
	}
	var wrong fault.Fields
	q.status = fault.ParseField(&wrong, "status", q.page.Param("status"), desired.ParseStatus)
	return wrong.Err()
}

func (f *Function) list(ctx context.Context, _ endpoint.Admin, q list) (endpoint.List, error) {
	rows, err := f.DB.NextcloudAccounts(ctx, q.status, store.Page{
		Before: q.page.Before, Skip: q.page.Skip, Limit: q.page.Limit + 1,
	})
	if err != nil {
		return endpoint.List{}, err
	}
	block, err := f.blocked(ctx, rows...)
	if err != nil {
		return endpoint.List{}, err
	}
	return endpoint.NewList(q.page, rows, func(n desired.Account) string { return string(n.UserID) },
		func(n desired.Account) entry { return f.entry(n, block) })
}

type byID struct{ id account.ID }

// Bind reads the id from the path.
func (q *byID) Bind(r *http.Request) (err error) {
	q.id, err = account.ParseID(r.PathValue("user_id"))
	return err
}

func (f *Function) one(ctx context.Context, _ endpoint.Admin, q byID) (entry, error) {
	n, err := f.DB.NextcloudAccount(ctx, q.id)
	if err != nil {
		return entry{}, err
	}
	block, err := f.blocked(ctx, n)
	return f.entry(n, block), err
}

// retry makes an account due now, even if it is in conflict or has failed.
func (f *Function) retry(ctx context.Context, admin endpoint.Admin, q byID) (entry, error) {
	now := f.Now()
	var n desired.Account
	err := f.DB.UpdateAs(ctx, admin.Proof(), now, func(tx *store.Tx, by store.Actor) (err error) {
		n, err = tx.RetryNextcloud(ctx, by, q.id, now)
		return err
	})
	if err != nil {
		return entry{}, err
	}
	if f.Reconciler != nil {
		f.Reconciler.Wake()
	}
	block, err := f.blocked(ctx, n)
	return f.entry(n, block), err
}

const (
	batch     = 16   // accounts that fit into the time of one request
	scheduled = 1000 // accounts of a batch of the scheduled job, which ends with its time
)

func (f *Function) reconcile(ctx context.Context, admin endpoint.Admin, _ endpoint.None) (reconcile.Result, error) {
	if f.Reconciler == nil {
		return reconcile.Result{}, nextcloud.ErrNotConfigured
	}
	if err := f.Auth.Recheck(ctx, admin.Proof()); err != nil {
		return reconcile.Result{}, err
	}
	return f.Reconciler.RunBatch(ctx, batch)
}

// Run is the scheduled job: it chains and prunes the audit trail, removes expired
// rows once an hour, reseals credentials after a rotation, reconciles until no account
// can be attempted now, and then compares all accounts once a day. It stops
// when ctx ends; the next run continues. A failure of one part does not stop the
// others.
func (f *Function) Run(ctx context.Context) error {
	return errors.Join(f.keepTrail(ctx), f.tidy(ctx), f.reseal(ctx), f.provision(ctx))
}

func (f *Function) reseal(ctx context.Context) error {
	if f.Resealer == nil {
		return nil
	}
	return f.Resealer.Due(ctx)
}

func (f *Function) tidy(ctx context.Context) error {
	if f.Janitor == nil {
		return nil
	}
	return f.Janitor.RunIfDue(ctx)
}

func (f *Function) keepTrail(ctx context.Context) error {
	if f.Trail == nil {
		return nil
	}
	chained, pruned, err := f.Trail.Keep(ctx)
	if chained+pruned > 0 {
		slog.InfoContext(ctx, "audit trail", slog.String("head", f.Trail.Seen()),
			slog.Int64("chained", chained), slog.Int64("pruned", pruned))
	}
	return err
}

func (f *Function) provision(ctx context.Context) error {
	for f.Reconciler != nil && ctx.Err() == nil {
		r, err := f.Reconciler.RunBatch(ctx, scheduled)
		if err != nil {
			return err
		}
		if r.Attempted == 0 {
			return f.Reconciler.SweepDaily(ctx)
		}
	}
	return nil
}

// Waiting returns how long the oldest account that does not exist in Nextcloud yet
// has waited; 0 if there is none.
func (f *Function) Waiting(ctx context.Context) (time.Duration, error) {
	since, err := f.DB.OldestUnprovisioned(ctx)
	if err != nil || since == nil {
		return 0, err
	}
	return max(0, f.Now().Sub(*since)), nil
}
