package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// post adds a reset mail for a to the outbox and reports whether it did.
func post(t testing.TB, db *store.DB, a account.Account, now time.Time) (added bool) {
	t.Helper()
	err := db.Update(t.Context(), func(tx *store.Tx) (err error) {
		added, err = new(mail.Outbox).Reset(t.Context(), tx, a, "hash", now)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return added
}

// leaseMail leases up to n mails for a minute.
func leaseMail(t testing.TB, db *store.DB, name string, now time.Time, n int) []mail.Message {
	t.Helper()
	list, err := db.LeaseMails(t.Context(), name, now, now.Add(time.Minute), n)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAddMail_IsLimitedPerMailboxAndHour(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		accounts := []account.Account{someone(t, db, "ada@example.org"), someone(t, db, "ada+x@example.org"), someone(t, db, "ADA+y@example.org")}
		added := make([]bool, 12)
		var all sync.WaitGroup
		for i := range added {
			all.Go(func() { added[i] = post(t, db, accounts[i%len(accounts)], noon) })
		}
		all.Wait()
		n := 0
		for _, yes := range added {
			if yes {
				n++
			}
		}
		if n != mail.PerHour {
			t.Errorf("%d mails to one mailbox in an hour, want %d", n, mail.PerHour)
		}
		if !post(t, db, someone(t, db, "bob@example.org"), noon) {
			t.Error("another mailbox gets no mail")
		}
		if !post(t, db, accounts[0], noon.Add(time.Hour+time.Second)) {
			t.Error("no mail an hour later")
		}
	})
}

func TestAddMail_UnknownAccountGetsNone(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		if post(t, db, account.Account{Email: "nobody@example.org"}, noon) {
			t.Error("a mail was added")
		}
		disabled := someone(t, db, "eve@example.org")
		changeAs(t, db, disabled, store.Changes{Disabled: new(true)})
		if post(t, db, disabled, noon) {
			t.Error("a disabled account gets a mail")
		}
	})
}

func TestLeaseMails_KeepTheOrderOfEachRecipient(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ada, bob := someone(t, db, "ada@example.org"), someone(t, db, "bob@example.org")
		post(t, db, ada, noon)
		post(t, db, ada, noon.Add(time.Second))
		post(t, db, bob, noon.Add(2*time.Second))
		a, b := uid.New(), uid.New()
		now := noon.Add(time.Minute)
		first := leaseMail(t, db, a, now, 10)
		if len(first) != 2 || first[0].User != ada.ID || first[1].User != bob.ID {
			t.Fatalf("leased %v, want the first mail of each", first)
		}
		if more := leaseMail(t, db, b, now, 10); len(more) != 0 {
			t.Errorf("leased %v, while the earlier mail is not finished", more)
		}
		retry := mail.Outcome{DueAt: now.Add(time.Hour), Attempts: 1, Error: "451 greylisted"}
		if err := db.SettleMail(t.Context(), first[0], a, retry, now); err != nil {
			t.Fatal(err)
		}
		if more := leaseMail(t, db, b, now, 10); len(more) != 0 {
			t.Errorf("leased %v, while the earlier mail waits for its next attempt", more)
		}
		now = now.Add(time.Hour)
		again := leaseMail(t, db, b, now, 10)
		if len(again) != 2 || again[0].ID != first[0].ID || again[0].Attempts != 1 || again[0].LastError != "451 greylisted" {
			t.Fatalf("leased %+v, want the mail that failed and the one whose lease expired", again)
		}
		if err := db.SettleMail(t.Context(), first[0], a, mail.Outcome{Result: mail.Sent}, now); !errors.Is(err, store.ErrChanged) {
			t.Errorf("a lost lease settles: %v", err)
		}
		if err := db.SettleMail(t.Context(), again[0], b, mail.Outcome{Result: mail.Sent}, now); err != nil {
			t.Fatal(err)
		}
		if last := leaseMail(t, db, uid.New(), now, 10); len(last) != 1 || last[0].ID == first[0].ID {
			t.Errorf("leased %v, want the second mail to the first recipient", last)
		}
	})
}

func TestStartMail_ShowsAnInterruptedAttempt(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		post(t, db, someone(t, db, "ada@example.org"), noon)
		now := noon
		for _, want := range []string{"false false", "true false", "true true"} {
			name := uid.New()
			m := leaseMail(t, db, name, now, 1)[0]
			if got := fmt.Sprint(m.Interrupted, m.Repeated); got != want {
				t.Errorf("interrupted, repeated: got %s, want %s", got, want)
			}
			if err := db.StartMail(t.Context(), m, name, now.Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			if err := db.StartMail(t.Context(), m, uid.New(), now.Add(time.Minute)); !errors.Is(err, store.ErrChanged) {
				t.Errorf("a lost lease starts: %v", err)
			}
			now = now.Add(2 * time.Minute)
		}
	})
}

func TestRetryMails_RevivesDeadOnes(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		post(t, db, someone(t, db, "ada@example.org"), noon)
		name := uid.New()
		m := leaseMail(t, db, name, noon, 1)[0]
		if err := db.SettleMail(t.Context(), m, name, mail.Outcome{Result: mail.Dead, Attempts: 1, Error: "550 no such user"}, noon); err != nil {
			t.Fatal(err)
		}
		if b, err := db.MailBacklog(t.Context()); err != nil || b.Dead != 1 || b.Waiting != 0 {
			t.Errorf("backlog: got %+v, %v", b, err)
		}
		if list, err := db.TroubledMails(t.Context(), 10); err != nil || len(list) != 1 || list[0].LastError != "550 no such user" {
			t.Errorf("troubled: got %+v, %v", list, err)
		}
		if n, err := db.RetryMails(t.Context(), uid.New(), noon); err != nil || n != 0 {
			t.Errorf("retry of another mail: got %d, %v", n, err)
		}
		for _, id := range []string{m.ID, ""} {
			if n, err := db.RetryMails(t.Context(), id, noon); err != nil || n != 1 {
				t.Errorf("retry of %q: got %d, %v", id, n, err)
			}
			m = leaseMail(t, db, name, noon, 1)[0]
			if err := db.SettleMail(t.Context(), m, name, mail.Outcome{Result: mail.Dead}, noon); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := db.RetryMails(t.Context(), "", noon); err != nil || n != 1 {
			t.Errorf("retry: got %d, %v", n, err)
		}
		if len(leaseMail(t, db, uid.New(), noon, 1)) != 1 {
			t.Error("the mail is not due")
		}
	})
}

func TestHeldNextcloudAccounts_AreNotLeased(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ada := addDesired(t, db, "ada@example.org", 0).UserID
		if err := db.HoldNextcloud(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
		leased := func(now time.Time) int {
			t.Helper()
			list, err := db.LeaseNextcloud(t.Context(), uid.New(), now, now.Add(time.Minute), 10)
			if err != nil {
				t.Fatal(err)
			}
			return len(list)
		}
		if n := leased(noon.Add(time.Hour)); n != 0 {
			t.Errorf("leased %d accounts that are held", n)
		}
		if b, err := db.NextcloudBacklog(t.Context(), noon.Add(time.Hour)); err != nil || b.Due != 0 {
			t.Errorf("backlog: got %+v, %v", b, err)
		}
		for want, before := range []time.Time{noon.Add(-time.Second), noon.Add(time.Second)} {
			if erased, err := db.EraseHeldPasswords(t.Context(), before); err != nil || erased != int64(want) {
				t.Errorf("erased %d passwords, %v, want %d", erased, err, want)
			}
		}
		if err := db.ReleaseNextcloud(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
		if n := leased(noon.Add(time.Hour)); n != 1 {
			t.Errorf("leased %d accounts after the release, want 1", n)
		}
	})
}
