package provision_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/account"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/fault"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/provision"
	"github.com/voiceassist/gateway/shared/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
	"github.com/voiceassist/gateway/shared/wish"
)

const herPassword = config.Secret("a password from before")

// proof signs a in and returns the proof of that.
func (w *world) proof(a account.Account) signin.Proof {
	w.t.Helper()
	l := signin.Start(a.ID, "device", "192.0.2.1", w.time(), signin.Lifetimes{Disuse: 48 * time.Hour})
	if err := w.db.StartLogin(w.t.Context(), l, "hash", audit.New(audit.LoggedIn, a.ID, audit.Origin{}, w.time())); err != nil {
		w.t.Fatal(err)
	}
	return signin.Proven(a.ID, l.ID)
}

// inConflict returns a user whose address the account "Countess" has in
// Nextcloud, which stores a file, and a proof of a login.
func (w *world) inConflict() (account.Account, signin.Proof) {
	w.t.Helper()
	w.cloud.AddUser("Countess", herPassword, "ada@example.org")
	w.cloud.Set("Countess", "displayname", "Augusta Ada")
	w.cloud.Set("Countess", "quota", "1 GB")
	a := w.register("ada@example.org")
	w.batch(w.reconciler())
	if n := w.known(a); n.InTheWay() != "Countess" {
		w.t.Fatalf("the row is %+v", n)
	}
	return a, w.proof(a)
}

func (w *world) claim(by signin.Proof, password config.Secret) (wish.Account, error) {
	return w.reconciler().Claim(w.t.Context(), by, password, audit.New(audit.Claimed, by.User(), audit.Origin{}, w.time()))
}

func (w *world) adopt(user account.ID, id string) (wish.Account, error) {
	event := audit.New(audit.Adopted, user, audit.Origin{}, w.time())
	return w.reconciler().Adopt(w.t.Context(), user, id, event, func(fn func(*store.Tx, store.Confirmed) error) error {
		return w.db.Update(w.t.Context(), func(tx *store.Tx) error { return fn(tx, tx.AtConsole()) })
	})
}

// events returns how often each event was recorded.
func (w *world) events() map[audit.Name]int {
	w.t.Helper()
	list, err := w.db.AuditEvents(w.t.Context(), store.AuditFilter{Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	count := map[audit.Name]int{}
	for _, e := range list {
		count[e.Name]++
	}
	return count
}

// code returns the code of a fault, and how long it asks to wait.
func code(err error) (string, time.Duration) {
	if f := fault.Of(err); err != nil && f != nil {
		return f.Code, f.RetryAfter
	}
	return "", 0
}

// wants fails the test unless err is a fault of that code.
func (w *world) wants(what string, err error, want string) {
	w.t.Helper()
	if got, _ := code(err); got != want {
		w.t.Errorf("%s: %v, want %q", what, err, want)
	}
}

// asItWas fails the test unless the claimed account has all that it had, and the
// gateway reaches its files.
func (w *world) asItWas(a account.Account) {
	w.t.Helper()
	n := w.known(a)
	if n.Status != wish.Active || n.LastError != "" || !n.Owned || n.Link != wish.Claimed || n.NextcloudID != "Countess" ||
		string(n.First) != wish.Spent || n.WantsPassword || n.DueAt != nil {
		w.t.Errorf("the row is %+v", n)
	}
	u, _ := w.cloud.User("Countess")
	if !u.Enabled || u.Email != "ada@example.org" || u.DisplayName != "Augusta Ada" || u.Quota != "1 GB" || !w.cloud.Opens("Countess", herPassword) {
		w.t.Errorf("the account was changed: %+v", u)
	}
	if app, err := w.wisher.Box.Open(n.App, string(a.ID)); err != nil || !w.appPasswordOpens("Countess", app) {
		w.t.Errorf("the gateway reaches no files: %v", err)
	}
	if len(w.cloud.Users()) != 2 {
		w.t.Errorf("Nextcloud has %+v", w.cloud.Users())
	}
}

func TestClaim_WithThePassword(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, nil)
		a, by := w.inConflict()
		if n, err := w.claim(by, herPassword); err != nil || n.Status != wish.Pending {
			t.Fatalf("%+v, %v", n, err)
		}
		r := w.reconciler()
		w.batch(r)
		w.asItWas(a)
		if c := w.compare(r); len(c.Drifts) != 0 || c.Compared != 1 {
			t.Errorf("the sweep says %+v", c)
		}
		calls := len(w.cloud.Calls())
		if n, err := w.claim(by, "anything"); err != nil || n.Link != wish.Claimed || len(w.cloud.Calls()) != calls {
			t.Errorf("again: %+v, %v", n, err)
		}
		if got := w.events(); got[audit.Claimed] != 1 || got[audit.ClaimRefused] != 0 {
			t.Errorf("the audit trail has %v", got)
		}

		// What changes afterwards is passed on, and only that.
		a.FullName = "Ada King"
		w.changed(a)
		w.update(func(ctx context.Context, tx *store.Tx) error {
			return w.wisher.PasswordChanged(ctx, tx, a, "an entirely new passphrase", w.time())
		})
		w.batch(r)
		u, _ := w.cloud.User("Countess")
		if u.DisplayName != "Ada King" || u.Quota != "1 GB" || !w.cloud.Opens("Countess", "an entirely new passphrase") {
			t.Errorf("after a change: %+v", u)
		}
		if n := w.known(a); !n.Personal || n.Status != wish.Active || w.cloud.Strikes() != 0 {
			t.Errorf("the row is %+v, %d strikes", n, w.cloud.Strikes())
		}
	})
}

func TestClaim_WithAnAppPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	a, by := w.inConflict()
	app, err := w.client().AppPassword(t.Context(), "Countess", herPassword)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.claim(by, app); err != nil {
		t.Fatal(err)
	}
	r := w.reconciler()
	w.batch(r)
	w.asItWas(a)
	if u, _ := w.cloud.User("Countess"); len(u.AppPasswords) != 1 {
		t.Errorf("app passwords: %v", u.AppPasswords)
	}

	// Revoked, it opens nothing any more: the owner has to prove the account anew.
	w.cloud.RevokeAll("Countess")
	if err := w.db.RefuseNextcloudApp(t.Context(), a.ID, w.known(a).App, w.time()); err != nil {
		t.Fatal(err)
	}
	w.batch(r)
	if n := w.known(a); n.Status != wish.Conflict || n.LastError != provision.ClaimRequired || n.InTheWay() != "Countess" || !n.Owned {
		t.Errorf("the row is %+v", n)
	}
	if _, err := w.claim(by, herPassword); err != nil {
		t.Fatal(err)
	}
	w.batch(r)
	w.asItWas(a)
}

func TestClaim_AnIDThatIsTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	w.cloud.AddUser("ada@example.org", herPassword, "private@example.com")
	a := w.register("ada@example.org")
	r := w.reconciler()
	w.batch(r)
	if _, err := w.claim(w.proof(a), herPassword); err != nil {
		t.Fatal(err)
	}
	w.batch(r)
	if u, _ := w.cloud.User("ada@example.org"); w.known(a).Status != wish.Active || u.Email != "private@example.com" {
		t.Errorf("the row is %+v, the account %+v", w.known(a), u)
	}
}

// TestClaim_LimitsHoldEverywhere tries wrong passwords through a new reconciler
// each time, as after restarts and in other processes.
func TestClaim_LimitsHoldEverywhere(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, nil)
		a, by := w.inConflict()
		for range 3 {
			_, err := w.claim(by, "a guess")
			w.wants("a wrong password", err, "wrong_nextcloud_password")
		}
		calls := len(w.cloud.Calls())
		_, err := w.claim(by, herPassword)
		if c, wait := code(err); c != "too_many_claims" || wait <= 23*time.Hour || wait > 24*time.Hour {
			t.Errorf("after three: %v, wait %v", err, wait)
		}
		if w.cloud.Strikes() != 3 {
			t.Errorf("%d strikes after %d calls", w.cloud.Strikes(), len(w.cloud.Calls())-calls)
		}
		if got := w.events(); got[audit.ClaimRefused] != 3 || got[audit.Claimed] != 0 {
			t.Errorf("the audit trail has %v", got)
		}
		w.advance(24 * time.Hour)
		if _, err := w.claim(by, herPassword); err != nil {
			t.Errorf("a day later: %v", err)
		}
		w.batch(w.reconciler())
		w.asItWas(a)
	})
}

func TestClaim_LimitForAllTogether(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const people = 9
		w := newWorld(t, db, map[string]string{"NEXTCLOUD_USER_ID": "uuid"})
		w.cloud.SetAllowListed(true)
		by := make([]signin.Proof, people)
		for i := range by {
			address := fmt.Sprintf("user%d@example.org", i)
			w.cloud.AddUser(fmt.Sprint("user", i), herPassword, address)
			by[i] = w.proof(w.register(address))
		}
		w.batch(w.reconciler())
		var all sync.WaitGroup
		codes := make([]string, people)
		for i := range by {
			all.Go(func() {
				_, err := w.claim(by[i], "a guess")
				codes[i], _ = code(err)
			})
		}
		all.Wait()
		count := map[string]int{}
		for _, c := range codes {
			count[c]++
		}
		if count["wrong_nextcloud_password"] != 5 || count["too_many_claims"] != people-5 {
			t.Errorf("got %v", count)
		}
		w.advance(30 * time.Minute)
		_, err := w.claim(by[8], "a guess")
		w.wants("half an hour later", err, "wrong_nextcloud_password")
	})
}

func TestClaim_NotWhileNextcloudIsSlowedDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	_, by := w.inConflict()
	w.cloud.Strike("127.0.0.1", "somebody", 1)
	_, err := w.claim(by, herPassword)
	if c, wait := code(err); c != "too_many_claims" || wait <= 0 {
		t.Errorf("with a delay: %v", err)
	}
	w.cloud.Forgive()
	if _, err := w.claim(by, herPassword); err != nil {
		t.Errorf("without: %v", err)
	}
}

func TestClaim_OnlyWhatMayBe(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(w *world){
		"administrators":              func(w *world) { w.cloud.Appoint("Countess", "admin") },
		"administrators of a group":   func(w *world) { w.cloud.Appoint("Countess", "staff") },
		"accounts of other back ends": func(w *world) { w.cloud.SetBackend("Countess", "LDAP") },
		"the gateway's own": func(w *world) {
			w.wisher.Settings.Admin = "countess"
			w.wisher.Settings.Password = herPassword
			w.cloud.Appoint("Countess", "admin")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, storetest.SQLite(t), nil)
			a, by := w.inConflict()
			prepare(w)
			_, err := w.claim(by, herPassword)
			w.wants("claimed", err, "not_adoptable")
			_, err = w.adopt(a.ID, "Countess")
			w.wants("adopted", err, "not_adoptable")
			for _, c := range w.cloud.Calls() {
				if c.Path == "/ocs/v2.php/cloud/user" && c.User == "Countess" {
					t.Error("the password was sent to Nextcloud")
				}
			}
			if n := w.known(a); n.Link != wish.NoLink {
				t.Errorf("the row is %+v", n)
			}
		})
	}
	t.Run("an account that becomes an administrator is left alone", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, storetest.SQLite(t), nil)
		a, by := w.inConflict()
		if _, err := w.claim(by, herPassword); err != nil {
			t.Fatal(err)
		}
		r := w.reconciler()
		w.batch(r)
		w.cloud.Appoint("Countess", "admin")
		w.update(func(ctx context.Context, tx *store.Tx) error {
			return w.wisher.PasswordChanged(ctx, tx, a, "an entirely new passphrase", w.time())
		})
		w.batch(r)
		if n := w.known(a); n.LastError != provision.NotAdoptable || !w.cloud.Opens("Countess", herPassword) {
			t.Errorf("the row is %+v", n)
		}
	})
	t.Run("nothing is in the way", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, storetest.SQLite(t), nil)
		a := w.register("ada@example.org")
		w.batch(w.reconciler())
		_, err := w.claim(w.proof(a), herPassword)
		w.wants("claimed", err, "nothing_to_claim")
	})
	t.Run("the address went to somebody else", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, storetest.SQLite(t), nil)
		a, by := w.inConflict()
		w.cloud.Set("Countess", "email", "other@example.org")
		_, err := w.claim(by, herPassword)
		w.wants("claimed", err, "changed_meanwhile")
		w.batch(w.reconciler())
		if n := w.known(a); n.Status != wish.Active || n.NextcloudID != "ada@example.org" {
			t.Errorf("the row is %+v", n)
		}
	})
}

func TestClaim_TheAccountIsDeletedInBetween(t *testing.T) {
	t.Parallel()
	t.Run("before the claim", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, storetest.SQLite(t), nil)
		a, by := w.inConflict()
		w.cloud.RemoveUser("Countess")
		_, err := w.claim(by, herPassword)
		w.wants("claimed", err, "changed_meanwhile")
		w.batch(w.reconciler())
		w.settled(a, adasPassword)
	})
	t.Run("after it", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, storetest.SQLite(t), nil)
		a, by := w.inConflict()
		if _, err := w.claim(by, herPassword); err != nil {
			t.Fatal(err)
		}
		w.cloud.RemoveUser("Countess")
		r := w.reconciler()
		for range 3 {
			w.batch(r)
			w.advance(time.Hour)
		}
		if n := w.known(a); n.Status != wish.Active || n.Link != wish.NoLink || n.NextcloudID != "Countess" {
			t.Errorf("the row is %+v", n)
		}
		if u, _ := w.cloud.User("Countess"); u.DisplayName != a.FullName {
			t.Errorf("the account is %+v", u)
		}
	})
	t.Run("between the look and the password, which opens another account", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, storetest.SQLite(t), nil)
		w.cloud.AddUser("ada@example.org", "x", "")
		a := w.register("ada@example.org")
		r := w.reconciler()
		w.batch(r)
		provision.OnReached(r, func(point string) {
			if point == "claim begun" {
				w.cloud.RemoveUser("ada@example.org")
				w.cloud.AddUser("Countess", herPassword, "ada@example.org")
			}
		})
		_, err := r.Claim(t.Context(), w.proof(a), herPassword, audit.New(audit.Claimed, a.ID, audit.Origin{}, w.time()))
		w.wants("claimed", err, "wrong_nextcloud_password")
		if n := w.known(a); n.Link != wish.NoLink {
			t.Errorf("the row is %+v", n)
		}
	})
}

// TestClaim_SurvivesACrashAnywhere stops after every call and commit of a claim,
// and of the reconciler after it.
func TestClaim_SurvivesACrashAnywhere(t *testing.T) {
	t.Parallel()
	points := 0
	for at := 1; points == 0 && !t.Failed(); at++ {
		w := newWorld(t, storetest.SQLite(t), nil)
		a, by := w.inConflict()
		seen := 0
		crash := func(r *provision.Reconciler) *provision.Reconciler {
			provision.OnReached(r, func(string) {
				if seen++; seen == at {
					panic(errCrash{})
				}
			})
			return r
		}
		crashed := crashes(func() {
			event := audit.New(audit.Claimed, a.ID, audit.Origin{}, w.time())
			if _, err := crash(w.reconciler()).Claim(t.Context(), by, herPassword, event); err != nil {
				t.Error(err)
			}
			w.batch(crash(w.reconciler()))
		})
		if !crashed {
			points = at - 1
		}
		w.advance(time.Hour) // the lease runs out
		if _, err := w.claim(by, herPassword); err != nil {
			t.Errorf("point %d: again: %v", at, err)
		}
		for range 3 {
			w.batch(w.reconciler())
			w.advance(time.Hour)
		}
		w.asItWas(a)
	}
	if points < 7 { // begun, tried, claimed, looked, app password, kept, touched, settled
		t.Errorf("only %d points were tried", points)
	}
}

func TestClaim_AnAnswerThatIsLost(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]func(*http.Request) bool{
		"of the password":     nextcloudtest.On(http.MethodGet, "/cloud/user"),
		"of the app password": nextcloudtest.On(http.MethodGet, "/core/getapppassword"),
		"of the capabilities": nextcloudtest.On(http.MethodGet, "/cloud/capabilities"),
		"of the account":      nextcloudtest.On(http.MethodGet, "/cloud/users/Countess"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, storetest.SQLite(t), nil)
			a, by := w.inConflict()
			fault := nextcloudtest.CutAfter()
			if name == "of the capabilities" || name == "of the account" { // which may be asked for again
				fault = nextcloudtest.Maintenance()
			}
			w.cloud.Fail(nextcloudtest.Times(1, fault, lost))
			_, err := w.claim(by, herPassword)
			if name != "of the app password" {
				if c, wait := code(err); c != "nextcloud_unavailable" || wait <= 0 {
					t.Errorf("got %v", err)
				}
				w.advance(time.Hour)
				_, err = w.claim(by, herPassword)
			}
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				w.batch(w.reconciler())
				w.advance(time.Hour)
			}
			w.asItWas(a)
		})
	}
}

// TestClaim_AtOnce claims one account many times at once.
func TestClaim_AtOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, nil)
		a, by := w.inConflict()
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if n, err := w.claim(by, herPassword); err != nil || n.NextcloudID != "Countess" {
					t.Errorf("%+v, %v", n, err)
				}
			})
		}
		all.Wait()
		w.batch(w.reconciler())
		w.asItWas(a)
		if got := w.events(); got[audit.Claimed] != 1 {
			t.Errorf("the audit trail has %v", got)
		}
	})
}

func TestClaim_NotBesideTheReconciler(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	a, by := w.inConflict()
	w.retry(a)
	r, claimed := w.reconciler(), false
	provision.OnReached(r, func(point string) {
		if point == "asked for the address" {
			claimed = true
			_, err := w.claim(by, herPassword)
			w.wants("claimed", err, "nothing_to_claim")
			_, err = w.adopt(a.ID, "Countess")
			w.wants("adopted", err, "changed_meanwhile")
		}
	})
	w.batch(r)
	if !claimed {
		t.Fatal("the reconciler did not get there")
	}
	if _, err := w.claim(by, herPassword); err != nil {
		t.Fatal(err)
	}
	w.batch(w.reconciler())
	w.asItWas(a)
}

func TestAdopt_LinksOnly(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, nil)
		a, by := w.inConflict()
		w.cloud.AddUser("lovelace", herPassword, "")
		_, err := w.adopt(a.ID, "nobody")
		w.wants("an id that nobody has", err, "no_nextcloud_account")
		if n, err := w.adopt(a.ID, ""); err != nil || n.NextcloudID != "Countess" || n.Link != wish.Adopted || n.LastError != provision.ClaimRequired {
			t.Errorf("%+v, %v", n, err)
		}
		if n, err := w.adopt(a.ID, "LOVELACE"); err != nil || n.NextcloudID != "lovelace" {
			t.Errorf("another one: %+v, %v", n, err)
		}
		if _, err := w.adopt(a.ID, "Countess"); err != nil {
			t.Error(err)
		}
		w.cloud.RemoveUser("lovelace")
		b := w.register("b@example.org")
		_, err = w.adopt(b.ID, "countess")
		w.wants("another user's", err, "already_linked")

		// Nothing is tried at it: each try would count as a failed login.
		w.retry(a)
		w.changed(a)
		w.batch(w.reconciler())
		if n := w.known(a); n.Status != wish.Conflict || n.LastError != provision.ClaimRequired || w.cloud.Strikes() != 0 {
			t.Errorf("the row is %+v, %d strikes", n, w.cloud.Strikes())
		}
		w.removed(b)
		w.cloud.RemoveUser("b@example.org")
		if _, err := w.claim(by, herPassword); err != nil {
			t.Fatal(err)
		}
		w.batch(w.reconciler())
		w.asItWas(a)
		_, err = w.adopt(a.ID, "Countess")
		w.wants("one that is claimed", err, "already_linked")
		if got := w.events(); got[audit.Adopted] != 3 || got[audit.Claimed] != 1 {
			t.Errorf("the audit trail has %v", got)
		}
	})
}

// TestLinked_OutlivesItsUser deletes the user of a claimed account.
func TestLinked_OutlivesItsUser(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"disable", "delete", "keep"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_ON_DELETE": policy})
			a, by := w.inConflict()
			if _, err := w.claim(by, herPassword); err != nil {
				t.Fatal(err)
			}
			r := w.reconciler()
			w.batch(r)
			w.removed(a)
			if u, there := w.cloud.User("Countess"); !there || !u.Enabled || !w.cloud.Opens("Countess", herPassword) {
				t.Errorf("the account is %+v", u)
			}
			if _, err := w.db.NextcloudAccount(t.Context(), a.ID); !errors.Is(err, account.ErrNotFound) {
				t.Errorf("the row is still there: %v", err)
			}
			again := w.register("ada@example.org")
			w.batch(r)
			if _, err := w.claim(w.proof(again), herPassword); err != nil {
				t.Errorf("claimed by the user's next account: %v", err)
			}
			w.batch(r)
			w.asItWas(again)
		})
	}
}

func TestLinked_AdoptedOutlivesItsUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_ON_DELETE": "delete"})
	a, _ := w.inConflict()
	if _, err := w.adopt(a.ID, ""); err != nil {
		t.Fatal(err)
	}
	w.removed(a)
	if u, there := w.cloud.User("Countess"); !there || !u.Enabled || w.cloud.Strikes() != 0 {
		t.Errorf("the account is %+v", u)
	}
}

// TestLinked_IsDisabledWithItsUser is about the state of a user who is there: a
// disabled one must not get at the files.
func TestLinked_IsDisabledWithItsUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	a, by := w.inConflict()
	if _, err := w.claim(by, herPassword); err != nil {
		t.Fatal(err)
	}
	r := w.reconciler()
	w.batch(r)
	now := w.time()
	a.DisabledAt = &now
	w.changed(a)
	w.batch(r)
	if u, _ := w.cloud.User("Countess"); u.Enabled {
		t.Error("it is enabled")
	}
	a.DisabledAt = nil
	w.changed(a)
	w.batch(r)
	w.asItWas(a)
}
