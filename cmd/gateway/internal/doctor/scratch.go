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
	scratchTime   = "20060102150405" // when it was made, in its id

	// abandoned is the age at which a scratch account belongs to no examination
	// any more: all limits together are less.
	abandoned = 15 * time.Minute
	// maxLeftovers bounds how many accounts of former examinations are removed.
	maxLeftovers = 20
)

// A scratch is the account that an examination makes and removes.
type scratch struct {
	tried   bool // it may be there
	id      string
	secret  secret.String
	folder  *webdav.Folder
	content []byte // of the file
}

// newScratch returns an account that nobody has: the time tells later
// examinations whether it was abandoned, the rest is chance. The password
// satisfies a policy that wants every kind of character.
func newScratch(now time.Time) scratch {
	return scratch{
		id:     scratchPrefix + now.UTC().Format(scratchTime) + "-" + strings.ToLower(rand.Text()[:13]),
		secret: secret.String(rand.Text() + "-aA1!x"),
	}
}

// scratchMade returns when the account of that id was made, if it is one of an
// examination: nobody else's is ever removed.
func scratchMade(id string) (time.Time, bool) {
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
		return failed(t.cure, "searching for scratch accounts of earlier runs %s", t.text)
	}
	var found []Finding
	for _, id := range ids {
		at, ours := scratchMade(id)
		if !ours || x.Now().Sub(at) < abandoned || len(found) == maxLeftovers {
			continue
		}
		if err := x.delete(ctx, id); err != nil {
			t := diagnose(err)
			if errors.Is(err, ocs.ErrUnauthorized) { // a further call would be a further strike
				return failed(t.cure, "removing %s %s", id, t.text)
			}
			return append(found, warning("On the server: occ user:delete "+id, "removing %s, which an earlier run left behind, %s", id, t.text))
		}
		found = append(found, Finding{Level: OK, Text: "removed " + id + ", which an earlier run left behind"})
	}
	if len(found) == 0 {
		return fine("earlier runs left no account behind")
	}
	return found
}

// makeScratch makes the account. An interrupt does not end the call: the server
// would make the account all the same, perhaps after we tried to remove it.
func (x *examination) makeScratch(ctx context.Context) []Finding {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callLimit)
	defer cancel()
	s := newScratch(x.Now())
	err := x.cloud.CreateUser(ctx, ocs.NewUser{ID: s.id, Password: s.secret, DisplayName: s.id, Quota: scratchQuota})
	s.tried = err == nil || mayHaveMade(err)
	x.scratch = s
	if err == nil {
		return fine("created the account %s", s.id)
	}
	t := diagnose(err)
	if errors.Is(err, ocs.ErrForbidden) {
		t.cure = realCure + " The account must be in the group admin: occ group:adduser admin " + x.Settings.Admin
	}
	return failed(t.cure, "creating a scratch account %s", t.text)
}

// mayHaveMade reports whether an account can be there after that error. Where
// it cannot, nothing is sent any more: a refused credential is not tried twice.
func mayHaveMade(err error) bool {
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

// enterScratch fetches an app password of the account, as for every user.
func (x *examination) enterScratch(ctx context.Context) []Finding {
	token, err := x.cloud.AppPassword(ctx, x.scratch.id, x.scratch.secret)
	if err != nil {
		t := diagnose(err)
		return failed(t.cure, "requesting an app password for the scratch account %s", t.text)
	}
	x.scratch.folder = x.dav.Folder(x.scratch.id, token)
	return fine("the scratch account has an app password")
}

// removeScratch removes the account, whatever became of it.
func (x *examination) removeScratch(ctx context.Context) []Finding {
	id := x.scratch.id
	if err := x.delete(ctx, id); err != nil {
		t := diagnose(err)
		return failed("On the server: occ user:delete "+id, "removing the account %s %s; it may still exist", id, t.text)
	}
	return fine("removed the account %s", id)
}

// delete removes an account, and is content when it is not there. An uncertain
// outcome is settled by looking.
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
