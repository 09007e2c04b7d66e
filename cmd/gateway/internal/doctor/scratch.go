package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
)

const (
	scratchPrefix = "va-doctor-"
	scratchQuota  = "10 MB"
	scratchTime   = "20060102150405" // layout of the creation time in the id

	// abandonedAfter is the age at which no examination uses a scratch account any
	// more. It is longer than all timeouts together.
	abandonedAfter = 15 * time.Minute
	// maxLeftovers limits how many accounts of earlier examinations are removed.
	maxLeftovers = 20
)

// A scratch is the account that an examination creates and removes.
type scratch struct {
	mayExist bool // on the server; then it must be removed
	id       string
	password secret.String
	folder   *webdav.Folder
	content  []byte // of the file
}

// newScratch returns an account with an unused id, which consists of the time, so
// that later examinations can see whether it was abandoned, and of random
// characters. The password satisfies a policy that requires every kind of character.
func newScratch(now time.Time) scratch {
	return scratch{
		id:       scratchPrefix + now.UTC().Format(scratchTime) + "-" + strings.ToLower(rand.Text()[:13]),
		password: secret.String(rand.Text() + "-aA1!x"),
	}
}

// scratchCreated returns the creation time of a scratch account, and reports
// whether id names one. Other accounts are never removed.
func scratchCreated(id string) (time.Time, bool) {
	m := regexp.MustCompile(`^` + scratchPrefix + `(\d{14})-[a-z2-7]{13}$`).FindStringSubmatch(id)
	if m == nil {
		return time.Time{}, false
	}
	at, err := time.Parse(scratchTime, m[1])
	return at, err == nil
}

// leftovers removes the accounts of examinations that were killed.
func (x *examination) leftovers(ctx context.Context) []Finding {
	ids, err := x.cloud.Users(ctx, scratchPrefix, 0, 0)
	if err != nil {
		t := diagnose(err)
		return failed(t.fix, "searching for scratch accounts of earlier runs %s", t.text)
	}
	var found []Finding
	for _, id := range ids {
		at, ours := scratchCreated(id)
		if !ours || x.Now().Sub(at) < abandonedAfter || len(found) == maxLeftovers {
			continue
		}
		if err := x.delete(ctx, id); err != nil {
			t := diagnose(err)
			if errors.Is(err, ocs.ErrUnauthorized) { // another call would be another failed login
				return failed(t.fix, "removing %s %s", id, t.text)
			}
			return append(found, warning("On the server: occ user:delete "+id, "removing %s, which an earlier run left behind, %s", id, t.text))
		}
		found = append(found, Finding{Level: OK, Text: "removed " + id + ", which an earlier run left behind"})
	}
	if len(found) == 0 {
		return passed("earlier runs left no account behind")
	}
	return found
}

// createScratch creates the account. An interrupt does not end the call: the server
// could still create the account, perhaps after the attempt to remove it.
func (x *examination) createScratch(ctx context.Context) []Finding {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callLimit)
	defer cancel()
	s := newScratch(x.Now())
	err := x.cloud.CreateUser(ctx, ocs.NewUser{ID: s.id, Password: s.password, DisplayName: s.id, Quota: scratchQuota})
	s.mayExist = err == nil || mayHaveCreated(err)
	x.scratch = s
	if err == nil {
		return passed("created the account %s", s.id)
	}
	t := diagnose(err)
	if errors.Is(err, ocs.ErrForbidden) {
		t.fix = realPasswordFix + " The account must be in the group admin: occ group:adduser admin " + x.Settings.Admin
	}
	return failed(t.fix, "creating a scratch account %s", t.text)
}

// mayHaveCreated reports whether the account can exist despite err. If it cannot,
// the examination does not try to remove it: rejected credentials are never sent
// twice.
func mayHaveCreated(err error) bool {
	if errors.Is(err, ocs.ErrUncertain) {
		return true
	}
	for _, kind := range []error{
		ocs.ErrUnauthorized, ocs.ErrForbidden, ocs.ErrRateLimited,
		ocs.ErrUnavailable, ocs.ErrWeakPassword,
	} {
		if errors.Is(err, kind) {
			return false
		}
	}
	return true
}

// loginScratch gets an app password of the account, as for every user.
func (x *examination) loginScratch(ctx context.Context) []Finding {
	token, err := x.cloud.AppPassword(ctx, x.scratch.id, x.scratch.password)
	if err != nil {
		t := diagnose(err)
		return failed(t.fix, "requesting an app password for the scratch account %s", t.text)
	}
	x.scratch.folder = x.dav.Folder(x.scratch.id, token)
	return passed("the scratch account has an app password")
}

// removeScratch removes the account, whatever the earlier checks found.
func (x *examination) removeScratch(ctx context.Context) []Finding {
	id := x.scratch.id
	if err := x.delete(ctx, id); err != nil {
		t := diagnose(err)
		return failed("On the server: occ user:delete "+id, "removing the account %s %s; it may still exist", id, t.text)
	}
	return passed("removed the account %s", id)
}

// delete removes an account. It succeeds if there is none. If the outcome of the
// call is unknown, it looks whether the account still exists.
func (x *examination) delete(ctx context.Context, id string) error {
	err := x.cloud.DeleteUser(ctx, id)
	if errors.Is(err, ocs.ErrUncertain) {
		if _, looked := x.cloud.User(ctx, id); errors.Is(looked, ocs.ErrNoUser) {
			return nil
		}
	}
	if errors.Is(err, ocs.ErrNoUser) {
		return nil
	}
	return err
}
