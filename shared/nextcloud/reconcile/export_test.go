package reconcile

import (
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

// OnReached calls fn after each call and each commit of r, with its name.
func OnReached(r *Reconciler, fn func(point string)) { r.reached = fn }

// Adoptable reports whether the account may become a user's.
func Linkable(r *Reconciler, u ocs.User) bool { return r.adoptable(u) }

// Room is the time that must be left to begin with an account.
const MinAttemptTime = room

// Key is what stands for the settings of r in the store.
func Key(r *Reconciler) string { return r.key }

// Impatient lets r wait for an answer of the Nextcloud of s no longer than a
// test may take.
func Impatient(r *Reconciler, s Settings) {
	d := connect(s).(directory)
	d.Client = ocs.New(ocs.Config{URL: s.URL, AdminUser: s.Admin, AdminPassword: s.Password, Timeout: 300 * time.Millisecond})
	r.directory = d
}
