package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

// A Comparison is the result of comparing all accounts with their desired state.
type Comparison struct {
	Compared  int     `json:"compared"`  // settled accounts, which should agree
	Unsettled int     `json:"unsettled"` // accounts that are due, in conflict or failed: not compared
	Foreign   int     `json:"foreign"`   // accounts in Nextcloud that are not the gateway's
	Drifts    []Drift `json:"drifts"`    // by kind, then by id

	drifted []desired.Account // accounts to repair
}

// Drifted returns the number of accounts to repair.
func (c Comparison) Drifted() int { return len(c.drifted) }

// ErrBlocked is the error of a sweep while the circuit breaker is open.
var ErrBlocked = errors.New("no call to Nextcloud")

const (
	sweepPage = 50 // users in one response; each costs Nextcloud some milliseconds
	sweepRows = 500
	// maxRereads bounds how many accounts are read once more, one by one, because
	// the list is not of one moment. More than that is no coincidence.
	maxRereads = 100
)

// Compare reads all accounts in Nextcloud and compares the settled ones with their
// desired state. It changes neither, except that it records the usage figures of an
// account with another quota. It returns [ErrBlocked] while Nextcloud may not be
// called.
func (r *Reconciler) Compare(ctx context.Context) (Comparison, error) {
	admitted, err := r.admit(ctx)
	if err != nil {
		return Comparison{}, err
	}
	if !admitted {
		return Comparison{}, r.errBlocked(ctx)
	}
	s := sweep{Reconciler: r, begun: r.now()}
	if err := s.read(ctx); err != nil {
		return Comparison{}, s.failed(ctx, err)
	}
	if err := s.compare(ctx); err != nil {
		return Comparison{}, err
	}
	if err := s.findOrphans(ctx); err != nil {
		return Comparison{}, err
	}
	slices.SortFunc(s.result.Drifts, func(a, b Drift) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.NextcloudID, b.NextcloudID))
	})
	return s.result, nil
}

// errBlocked returns [ErrBlocked] with the reason.
func (r *Reconciler) errBlocked(ctx context.Context) error {
	b, err := r.Blocked(ctx)
	if err != nil {
		return err
	}
	return fmt.Errorf("%w before %s: %s", ErrBlocked, b.Until.UTC().Format(time.RFC3339), b.Reason)
}

// ScheduleRepair makes the accounts that differ due, so that the reconciler
// repairs them, and returns their number. Accounts that have changed since the
// comparison do not count.
func (r *Reconciler) ScheduleRepair(ctx context.Context, c Comparison) (int, error) {
	due := 0
	for _, n := range c.drifted {
		ok, err := r.db.RecheckNextcloudAccount(ctx, n, r.now())
		if err != nil {
			return due, err
		}
		if ok {
			due++
		}
	}
	if due > 0 {
		r.Wake()
	}
	return due, nil
}

// A sweep is one comparison of all accounts. It reads Nextcloud first and the
// store second: an account that the gateway creates in between has a row that is
// younger than the sweep.
type sweep struct {
	*Reconciler

	begun  time.Time
	actual map[string]ocs.User // by id in lower case
	reread int                 // accounts that were read again
	known  map[string]bool     // ids, in lower case, that occur in a row
	result Comparison
}

// read reads all accounts of Nextcloud.
func (s *sweep) read(ctx context.Context) error {
	s.actual = map[string]ocs.User{}
	return s.eachPage(ctx, s.nextcloud.UserDetails, func(page []ocs.User) int {
		for _, u := range page {
			s.actual[strings.ToLower(u.ID)] = u
		}
		s.progress()
		return len(s.actual)
	})
}

// eachPage calls fn for each page of the users of Nextcloud, which read reads. A user who
// is created or deleted meanwhile can be on two pages, or on none. fn returns the number
// of users it knows by now.
func (r *Reconciler) eachPage(
	ctx context.Context, read func(ctx context.Context, limit, offset int) ([]ocs.User, error), fn func([]ocs.User) int,
) error {
	isAdmin := func(u ocs.User) bool { return strings.EqualFold(u.ID, r.admin) }
	complete := false
	for offset, before := 0, 0; ; offset += sweepPage {
		page, err := read(ctx, sweepPage, offset)
		if err != nil {
			return err
		}
		complete = complete || slices.ContainsFunc(page, isAdmin)
		known := fn(page)
		if len(page) < sweepPage || known == before { // the end, or a server without pages
			break
		}
		before = known
	}
	if !complete {
		// Acting on a list without its own reader would create everybody again.
		return fmt.Errorf("%w: its list of users lacks the administrator", ocs.ErrBadAnswer)
	}
	return nil
}

func (s *sweep) progress() {
	if s.Progress != nil {
		s.Progress(len(s.actual), s.result.Compared)
	}
}

// failed returns the failure of a call, and opens the circuit breaker if it
// concerns Nextcloud as a whole.
func (r *Reconciler) failed(ctx context.Context, failure error) error {
	if ctx.Err() == nil && (isRefusal(failure) || isOutage(failure)) {
		return errors.Join(failure, r.trip(ctx, failure))
	}
	return failure
}

// compare compares every row with what was read.
func (s *sweep) compare(ctx context.Context) error {
	s.known, s.result.Drifts = map[string]bool{}, []Drift{}
	for after := account.ID(""); ; {
		rows, abandoned, err := s.db.NextcloudAccountsAfter(ctx, after, sweepRows)
		if err != nil {
			return err
		}
		for _, n := range rows {
			s.known[strings.ToLower(n.NextcloudID)] = true
			if id := n.ConflictingID(); id != "" {
				s.known[strings.ToLower(id)] = true // known not to be the gateway's, so no orphan
			}
			switch {
			case abandoned[n.UserID]: // no longer has a desired state
			case n.DueAt != nil, n.Status == desired.Conflict, n.Status == desired.Failed, !n.UpdatedAt.Before(s.begun):
				s.result.Unsettled++
			default:
				if err := s.compareOne(ctx, n); err != nil {
					return err
				}
			}
		}
		s.progress()
		if len(rows) < sweepRows {
			return nil
		}
		after = rows[len(rows)-1].UserID
	}
}

// compareOne compares one account.
func (s *sweep) compareOne(ctx context.Context, n desired.Account) error {
	s.result.Compared++
	var actual *ocs.User
	if u, ok := s.actual[strings.ToLower(n.NextcloudID)]; ok {
		actual = &u
	} else if n.State == desired.Present {
		var err error
		if actual, err = s.readAgain(ctx, n.NextcloudID); err != nil {
			return err
		}
	}
	drifts := Diff(n, s.policy, actual)
	s.result.Drifts = append(s.result.Drifts, drifts...)
	if slices.ContainsFunc(drifts, func(d Drift) bool { return !d.Kept }) {
		s.result.drifted = append(s.result.drifted, n)
	}
	if slices.ContainsFunc(drifts, func(d Drift) bool { return d.Kind == DriftQuota }) {
		if used, total := usageOf(*actual); used != nil {
			return s.db.SetUsage(ctx, n.UserID, *used, total, s.begun)
		}
	}
	return nil
}

// readAgain reads one account that the list seemed to lack, or to have; nil is
// none.
func (s *sweep) readAgain(ctx context.Context, id string) (*ocs.User, error) {
	if s.reread++; s.reread > maxRereads {
		return nil, nil
	}
	u, err := s.nextcloud.User(ctx, id)
	if errors.Is(err, ocs.ErrNoUser) {
		return nil, nil
	}
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	return &u, nil
}

// findOrphans finds accounts that look like the gateway's and have no row.
func (s *sweep) findOrphans(ctx context.Context) error {
	for id, u := range s.actual {
		if s.known[id] {
			continue
		}
		orphan := id != strings.ToLower(s.admin) && s.looksOurs(u)
		if orphan && s.reread < maxRereads { // the reconciler may have deleted it since it was read
			again, err := s.readAgain(ctx, u.ID)
			if err != nil {
				return err
			}
			orphan = again != nil
		}
		if orphan {
			s.result.Drifts = append(s.result.Drifts, Drift{Kind: DriftOrphan, NextcloudID: u.ID})
		} else {
			s.result.Foreign++
		}
	}
	return nil
}

// looksOurs reports whether the gateway could have created the account: it is in
// the group of all accounts or, if there is no group, has such an id.
func (s *sweep) looksOurs(u ocs.User) bool {
	if s.policy.Group != "" {
		return slices.Contains(u.Groups, s.policy.Group)
	}
	if _, err := uid.Parse(u.ID); err == nil {
		return true
	}
	_, err := account.ParseEmail(u.ID)
	return err == nil && s.policy.ByEmail
}

const (
	sweepInterval = 24 * time.Hour
	sweepRetry    = time.Hour // after a failure
	// What is repaired at once, before a person has to look: a gateway with the
	// address of the wrong Nextcloud finds all accounts missing there.
	maxRepairs       = 10 // accounts, and above it
	maxRepairPercent = 10
)

// SweepDaily compares all accounts and schedules the repair of those that differ.
// All processes together do it once a day, while the circuit breaker is closed. If
// too many differ, it only logs that.
func (r *Reconciler) SweepDaily(ctx context.Context) error {
	now := r.now()
	b, err := r.db.NextcloudBreaker(ctx, r.key, now)
	if err != nil || !b.Closed {
		return err
	}
	mine, err := r.db.ClaimSweep(ctx, now.Add(-sweepInterval), now)
	if err != nil || !mine {
		return err
	}
	c, err := r.Compare(ctx)
	if err != nil {
		again := now.Add(sweepRetry - sweepInterval)
		return errors.Join(fmt.Errorf("sweep: %w", err), r.db.PostponeSweep(context.WithoutCancel(ctx), again))
	}
	logDrifts(ctx, c.Drifts)
	if n := c.Drifted(); n > maxRepairs && n*100 > c.Compared*maxRepairPercent {
		slog.LogAttrs(ctx, slog.LevelError,
			"too much differs to be put right unasked: gateway nextcloud sweep --plan lists it, --apply puts it right",
			slog.Int("compared", c.Compared), slog.Int("drifted", n))
		return nil
	}
	_, err = r.ScheduleRepair(ctx, c)
	return err
}

// logDrifts logs one line for each drift, and one for all orphans: their ids can be
// e-mail addresses, which are not logged.
func logDrifts(ctx context.Context, drifts []Drift) {
	orphans := 0
	for _, d := range drifts {
		if d.Kind == DriftOrphan {
			orphans++
			continue
		}
		level := slog.LevelWarn
		if d.Kept { // on purpose
			level = slog.LevelInfo
		}
		slog.LogAttrs(ctx, level, "drift in Nextcloud", slog.String("user_id", string(d.UserID)),
			slog.String("kind", string(d.Kind)), slog.Bool("kept", d.Kept))
	}
	if orphans > 0 {
		slog.LogAttrs(ctx, slog.LevelWarn, "accounts in Nextcloud that are nobody's: gateway nextcloud sweep --plan lists them",
			slog.Int("orphans", orphans))
	}
}
