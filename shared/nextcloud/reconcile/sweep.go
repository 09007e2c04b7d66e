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

// A DriftKind is how an account differs from its wish.
type DriftKind string

// The kinds. An account can have several.
const (
	DriftMissing  DriftKind = "missing"  // wished, and not there
	DriftDisabled DriftKind = "disabled" // not usable, and should be
	DriftEnabled  DriftKind = "enabled"  // usable, and should not be
	DriftQuota    DriftKind = "quota"
	DriftEmail    DriftKind = "email"
	DriftName     DriftKind = "display_name"
	DriftGroup    DriftKind = "group"
	DriftOrphan   DriftKind = "orphan" // there, looks like one of ours, and nobody's
)

// A Drift is one difference between Nextcloud and the wishes.
type Drift struct {
	Kind        DriftKind  `json:"kind"`
	NextcloudID string     `json:"nextcloud_user_id"`
	UserID      account.ID `json:"user_id,omitempty"` // "" for an orphan
	Wanted      string     `json:"wanted,omitempty"`
	Found       string     `json:"found,omitempty"`
	Kept        bool       `json:"kept,omitempty"` // left as it is, as [Settings.KeepQuotas] says
}

// A Comparison is what a sweep found.
type Comparison struct {
	Compared  int     `json:"compared"`  // accounts at rest, which should be as wished
	Unsettled int     `json:"unsettled"` // accounts that are worked on, in conflict or failed: not compared
	Foreign   int     `json:"foreign"`   // accounts in Nextcloud that are none of ours
	Drifts    []Drift `json:"drifts"`    // by kind, then by id

	drifted []desired.Account // those to put right
}

// Drifted returns how many accounts are to be put right.
func (c Comparison) Drifted() int { return len(c.drifted) }

// ErrNotNow is what a sweep gets while Nextcloud may not be called.
var ErrNotNow = errors.New("no call to Nextcloud")

const (
	sweepPage = 50 // users that Nextcloud tells of in one call; each costs it some milliseconds
	sweepRows = 500
	// doubts bounds how many accounts are asked for once more, one by one, since
	// the list is not of one moment: more than that is no coincidence.
	doubts = 100
)

// Compare reads all accounts in Nextcloud and compares those at rest with their
// wishes. It changes neither; what it sees of a quota that differs is noted.
func (r *Reconciler) Compare(ctx context.Context) (Comparison, error) {
	open, err := r.enter(ctx)
	if err != nil {
		return Comparison{}, err
	}
	if !open {
		return Comparison{}, r.notNow(ctx)
	}
	s := sweep{Reconciler: r, begun: r.now()}
	if err := s.read(ctx); err != nil {
		return Comparison{}, s.broken(ctx, err)
	}
	if err := s.compare(ctx); err != nil {
		return Comparison{}, err
	}
	if err := s.orphans(ctx); err != nil {
		return Comparison{}, err
	}
	slices.SortFunc(s.found.Drifts, func(a, b Drift) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.NextcloudID, b.NextcloudID))
	})
	return s.found, nil
}

// notNow returns [ErrNotNow] with the reason.
func (r *Reconciler) notNow(ctx context.Context) error {
	h, err := r.Blocked(ctx)
	if err != nil {
		return err
	}
	return fmt.Errorf("%w before %s: %s", ErrNotNow, h.Until.UTC().Format(time.RFC3339), h.Reason)
}

// broken returns the failure of a call, and closes the gate where it is of
// Nextcloud as a whole.
func (s *sweep) broken(ctx context.Context, failure error) error {
	if ctx.Err() == nil && (isRefusal(failure) || isOutage(failure)) {
		return errors.Join(failure, s.shut(ctx, failure))
	}
	return failure
}

// Recheck makes the accounts that differ due, and returns how many: the
// reconciler puts them right. What happened to one since it was compared counts
// more.
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

// A sweep is one comparison under way. It reads Nextcloud first: what the
// gateway makes meanwhile has a row by the time the rows are read, and one that
// is younger than the sweep.
type sweep struct {
	*Reconciler

	begun  time.Time
	there  map[string]ocs.User // by id in lower case
	asked  int                 // accounts asked for one by one
	claims map[string]bool     // ids, in lower case, that a row has
	found  Comparison
}

// read reads all accounts of Nextcloud.
func (s *sweep) read(ctx context.Context) error {
	s.there = map[string]ocs.User{}
	for offset := 0; ; offset += sweepPage {
		page, err := s.directory.UserDetails(ctx, sweepPage, offset)
		if err != nil {
			return err
		}
		known := len(s.there)
		for _, u := range page {
			s.there[strings.ToLower(u.ID)] = u
		}
		s.progress()
		if len(page) < sweepPage || len(s.there) == known { // the end, or a server that does not page
			break
		}
	}
	if _, ok := s.there[strings.ToLower(s.admin)]; !ok {
		// Not even who asks: acting on such a list would make everybody anew.
		return fmt.Errorf("%w: its list of users lacks the administrator", ocs.ErrBadAnswer)
	}
	return nil
}

func (s *sweep) progress() {
	if s.Progress != nil {
		s.Progress(len(s.there), s.found.Compared)
	}
}

// compare compares every row with what was read.
func (s *sweep) compare(ctx context.Context) error {
	s.claims, s.found.Drifts = map[string]bool{}, []Drift{}
	for after := account.ID(""); ; {
		rows, left, err := s.db.NextcloudAccountsAfter(ctx, after, sweepRows)
		if err != nil {
			return err
		}
		for _, n := range rows {
			s.claims[strings.ToLower(n.NextcloudID)] = true
			if id := n.ConflictingID(); id != "" {
				s.claims[strings.ToLower(id)] = true // known not to be ours, so no orphan
			}
			switch {
			case left[n.UserID]: // nothing is wished of it any more
			case n.DueAt != nil, n.Status == desired.Conflict, n.Status == desired.Failed, !n.UpdatedAt.Before(s.begun):
				s.found.Unsettled++
			default:
				if err := s.look(ctx, n); err != nil {
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

// look compares one account.
func (s *sweep) look(ctx context.Context, n desired.Account) error {
	s.found.Compared++
	u, ok := s.there[strings.ToLower(n.NextcloudID)]
	if !ok && n.State == desired.Present {
		var err error
		if u, ok, err = s.again(ctx, n.NextcloudID); err != nil {
			return err
		}
	}
	before := len(s.found.Drifts)
	add := func(kind DriftKind, wanted, found string) {
		s.found.Drifts = append(s.found.Drifts, Drift{
			Kind: kind, NextcloudID: n.NextcloudID, UserID: n.UserID, Wanted: wanted, Found: found,
		})
	}
	switch {
	case n.State != desired.Present:
		if ok && n.Owned && u.Enabled {
			add(DriftEnabled, "", "")
		}
	case !ok:
		add(DriftMissing, "", "")
	default:
		if !u.Enabled {
			add(DriftDisabled, "", "")
		}
		if differs, kept := s.compareQuota(n, u); differs {
			add(DriftQuota, n.EffectiveQuota(), u.Quota.String())
			s.found.Drifts[len(s.found.Drifts)-1].Kept = kept
			if used, total := numbersOf(u); used != nil {
				if err := s.db.SetUsage(ctx, n.UserID, *used, total, s.begun); err != nil {
					return err
				}
			}
		}
		if emailDiffers(n, u) {
			add(DriftEmail, string(n.Email), u.Email)
		}
		if nameDiffers(n, u) {
			add(DriftName, displayName(n), u.DisplayName)
		}
		if groupDiffers(s.group, u) {
			add(DriftGroup, s.group, strings.Join(u.Groups, ", "))
		}
	}
	if slices.ContainsFunc(s.found.Drifts[before:], func(d Drift) bool { return !d.Kept }) {
		s.found.drifted = append(s.found.drifted, n)
	}
	return nil
}

// again asks for one account that the list seemed to lack, or to have.
func (s *sweep) again(ctx context.Context, id string) (ocs.User, bool, error) {
	if s.asked++; s.asked > doubts {
		return ocs.User{}, false, nil
	}
	u, err := s.directory.User(ctx, id)
	if errors.Is(err, ocs.ErrNoUser) {
		return u, false, nil
	}
	if err != nil {
		return u, false, s.broken(ctx, err)
	}
	return u, true, nil
}

// orphans looks for accounts that look like ours and that no row claims.
func (s *sweep) orphans(ctx context.Context) error {
	for id, u := range s.there {
		if s.claims[id] {
			continue
		}
		there := id != strings.ToLower(s.admin) && s.looksOurs(u)
		if there && s.asked < doubts { // it may be gone, as wished, since it was read
			var err error
			if _, there, err = s.again(ctx, u.ID); err != nil {
				return err
			}
		}
		if there {
			s.found.Drifts = append(s.found.Drifts, Drift{Kind: DriftOrphan, NextcloudID: u.ID})
		} else {
			s.found.Foreign++
		}
	}
	return nil
}

// looksOurs reports whether the gateway could have made the account: it is in
// the group of all that it makes, or, without one, has such an id.
func (s *sweep) looksOurs(u ocs.User) bool {
	if s.group != "" {
		return slices.Contains(u.Groups, s.group)
	}
	if _, err := uid.Parse(u.ID); err == nil {
		return true
	}
	_, err := account.ParseEmail(u.ID)
	return err == nil && s.byEmail
}

const (
	sweepEvery = 24 * time.Hour
	sweepAgain = time.Hour // after one that failed
	// What may be wrong at once before a person has to look: a gateway that was
	// pointed at the wrong Nextcloud finds all accounts missing there.
	sweepAlways = 10
	sweepShare  = 10 // percent
)

// SweepDaily compares both sides and puts right what differs, once a day of all
// processes together, while Nextcloud is known to answer. Where too much
// differs it only says so.
func (r *Reconciler) SweepDaily(ctx context.Context) error {
	now := r.now()
	gate, err := r.db.NextcloudBreaker(ctx, r.key, now)
	if err != nil || !gate.Closed {
		return err
	}
	mine, err := r.db.ClaimSweep(ctx, now.Add(-sweepEvery), now)
	if err != nil || !mine {
		return err
	}
	c, err := r.Compare(ctx)
	if err != nil {
		again := now.Add(sweepAgain - sweepEvery)
		return errors.Join(fmt.Errorf("sweep: %w", err), r.db.PostponeSweep(context.WithoutCancel(ctx), again))
	}
	orphans := 0
	for _, d := range c.Drifts {
		if d.Kind == DriftOrphan { // whose id can be an address, which no log has
			orphans++
			continue
		}
		level := slog.LevelWarn
		if d.Kept { // somebody wanted it so
			level = slog.LevelInfo
		}
		slog.LogAttrs(ctx, level, "drift in Nextcloud", slog.String("user_id", string(d.UserID)),
			slog.String("kind", string(d.Kind)), slog.Bool("kept", d.Kept))
	}
	if orphans > 0 {
		slog.LogAttrs(ctx, slog.LevelWarn, "accounts in Nextcloud that are nobody's: gateway nextcloud sweep --plan lists them",
			slog.Int("orphans", orphans))
	}
	if n := c.Drifted(); n > sweepAlways && n*100 > c.Compared*sweepShare {
		slog.LogAttrs(ctx, slog.LevelError,
			"too much differs to be put right unasked: gateway nextcloud sweep --plan lists it, --apply puts it right",
			slog.Int("compared", c.Compared), slog.Int("drifted", n))
		return nil
	}
	_, err = r.ScheduleRepair(ctx, c)
	return err
}
