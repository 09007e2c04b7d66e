package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/internal/transport"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

// A Reason says why a user of Nextcloud gets no account in the gateway. Reasons are
// stable.
type Reason string

// The reasons.
const (
	IsLinked        Reason = "linked"           // a user of the gateway has the account, or it is the gateway's
	IsAdministrator Reason = "administrator"    // of Nextcloud or of a group
	IsForeign       Reason = "foreign_back_end" // such as LDAP, which has the password
	IsDisabled      Reason = "disabled"         // in Nextcloud
	LacksAddress    Reason = "no_address"
	HasBadAddress   Reason = "bad_address"  // one that users of the gateway cannot have
	Exists          Reason = "exists"       // a user of the gateway has the address
	SharesAddress   Reason = "same_address" // another user of Nextcloud has it
)

// A RosterEntry is a user of Nextcloud and what an import makes of them.
type RosterEntry struct {
	ID       string   `json:"nextcloud_user_id"`
	Email    string   `json:"email"` // as in Nextcloud; "" for none
	Reason   Reason   `json:"reason,omitempty"`
	SharedBy []string `json:"shared_by,omitempty"` // the ids of the others, with SharesAddress

	Address  account.Email `json:"-"` // "" if it is missing or bad
	FullName string        `json:"-"`
}

// pagePauses returns the waits before a page is read again. A list of thousands takes
// Nextcloud minutes, in which a proxy can fail once.
func pagePauses() []time.Duration {
	return []time.Duration{2 * time.Second, 10 * time.Second, 30 * time.Second}
}

// Roster returns the users of Nextcloud by id, with the reasons of those who cannot get
// an account in the gateway that is linked to theirs. It calls progress with the number
// read so far, after each page. It changes nothing. It reads all users before it returns
// any, since each page can have another user with the same address; it keeps some hundred
// bytes for each. It returns [ErrBlocked] while Nextcloud may not be called.
func (r *Reconciler) Roster(ctx context.Context, progress func(read int)) ([]RosterEntry, error) {
	admitted, err := r.admit(ctx)
	if err != nil {
		return nil, err
	}
	if !admitted {
		return nil, r.errBlocked(ctx)
	}
	byID := map[string]RosterEntry{}
	err = r.eachPage(ctx, r.patientPage, func(page []ocs.User) int {
		for _, u := range page {
			byID[strings.ToLower(u.ID)] = r.rosterEntry(u)
		}
		progress(len(byID))
		return len(byID)
	})
	if err != nil {
		return nil, fmt.Errorf("after %d users of Nextcloud: %w", len(byID), r.failed(ctx, err))
	}
	list := make([]RosterEntry, 0, len(byID))
	for _, e := range byID {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b RosterEntry) int { return cmp.Compare(a.ID, b.ID) })
	return list, r.excludeKnown(ctx, list)
}

// patientPage reads a page of users, and reads it again after a failure that can pass.
func (r *Reconciler) patientPage(ctx context.Context, limit, offset int) (page []ocs.User, err error) {
	for n := 0; ; n++ {
		page, err = r.nextcloud.UserDetails(ctx, limit, offset)
		if !isOutage(err) || errors.Is(err, ocs.ErrMaintenance) || n == len(r.pauses) {
			return page, err
		}
		if ocs.RetryAfter(err) > r.pauses[n] || transport.Sleep(ctx, r.pauses[n]) != nil {
			return nil, err
		}
	}
}

// rosterEntry returns the entry of u, with the reasons that need no other user.
func (r *Reconciler) rosterEntry(u ocs.User) RosterEntry {
	e := RosterEntry{ID: u.ID, Email: u.Email}
	if u.DisplayName != u.ID { // which Nextcloud shows for users without a name
		e.FullName, _ = account.ParseName(u.DisplayName) // "" if users of the gateway cannot have it
	}
	var bad error
	e.Address, bad = account.ParseEmail(u.Email)
	switch {
	case !r.linkable(u) && u.Backend != ocs.OwnBackend:
		e.Reason = IsForeign
	case !r.linkable(u):
		e.Reason = IsAdministrator
	case !u.Enabled:
		e.Reason = IsDisabled
	case u.Email == "":
		e.Reason = LacksAddress
	case bad != nil:
		e.Reason = HasBadAddress
	}
	return e
}

// excludeKnown sets the reasons of those that the gateway knows, and of those who share
// an address.
func (r *Reconciler) excludeKnown(ctx context.Context, list []RosterEntry) error {
	for part := range slices.Chunk(list, sweepRows) {
		if err := r.excludeKnownPart(ctx, part); err != nil {
			return err
		}
	}
	owners := map[account.Email][]string{}
	for _, e := range list {
		if e.Address != "" && e.Reason != leftBehind {
			owners[e.Address] = append(owners[e.Address], e.ID)
		}
	}
	for i := range list {
		e := &list[i]
		switch {
		case e.Reason == leftBehind:
			e.Reason = IsLinked
		case e.Reason == "" && len(owners[e.Address]) > 1:
			e.Reason = SharesAddress
			e.SharedBy = slices.DeleteFunc(slices.Clone(owners[e.Address]), func(id string) bool { return id == e.ID })
		}
	}
	return nil
}

// leftBehind is [IsLinked] of an account that the gateway disabled: nobody logs in to it,
// so its address is free.
const leftBehind Reason = "left_behind"

// excludeKnownPart sets the reasons of those in part whose accounts or addresses the
// gateway knows.
func (r *Reconciler) excludeKnownPart(ctx context.Context, part []RosterEntry) error {
	var ids []string
	var addresses []account.Email
	for _, e := range part {
		ids = append(ids, e.ID)
		if e.Reason == "" {
			addresses = append(addresses, e.Address)
		}
	}
	taken, err := r.db.TakenNextcloudIDs(ctx, ids)
	if err != nil {
		return err
	}
	emails, err := r.db.TakenEmails(ctx, addresses)
	if err != nil {
		return err
	}
	for i := range part {
		e := &part[i]
		switch isTaken := taken[strings.ToLower(e.ID)]; {
		case isTaken && e.Reason == IsDisabled:
			e.Reason = leftBehind
		case isTaken && (e.Reason == "" || e.Reason == LacksAddress || e.Reason == HasBadAddress):
			e.Reason = IsLinked
		case e.Reason == "" && emails[e.Address]:
			e.Reason = Exists
		}
	}
	return nil
}
