package reconcile

import (
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

// OnTrace calls fn after each call and each commit of r, with its name.
func OnTrace(r *Reconciler, fn func(point string)) { r.trace = fn }

// Linkable reports whether the account may be linked to a user.
func Linkable(r *Reconciler, u ocs.User) bool { return r.linkable(u) }

// MinAttemptTime is the time that must be left to begin an attempt.
const MinAttemptTime = minAttemptTime

// Key identifies the settings of r in the circuit breaker.
func Key(r *Reconciler) string { return r.key }

// Impatient shortens the timeout of r's calls for tests.
func Impatient(r *Reconciler, s Settings) {
	r.nextcloud.Client = ocs.New(ocs.Config{URL: s.URL, AdminUser: s.Admin, AdminPassword: s.Password, Timeout: 300 * time.Millisecond})
}

// PausePages sets the waits before r reads a page of users again.
func PausePages(r *Reconciler, pauses ...time.Duration) { r.pauses = pauses }
