package operator_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/mfa"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestDisableSecondFactor(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o, _ := newOperator(t)
		o.DB, o.Outbox = db, &mail.Outbox{Notices: true}
		a := add(t, o, "ada@example.org", account.User, true)
		l := logIn(t, o, a.ID)
		factor := mfa.Factor{ID: mfa.NewID(), User: a.ID, Sealed: []byte("sealed"), CreatedAt: noon}
		by := signin.NewProof(a.ID, l.ID).WithPassword("hash")
		err := db.UpdateAs(t.Context(), by, noon, func(tx *store.Tx, by store.Actor) error {
			return errors.Join(tx.SetUpSecondFactor(t.Context(), by, factor, [][]byte{[]byte("a backup code")}),
				tx.EnableSecondFactor(t.Context(), by, factor, noon))
		})
		if err != nil {
			t.Fatal(err)
		}
		for n := range 2 { // the second call finds none
			if _, disabled, err := o.DisableSecondFactor(t.Context(), a.Email.Lookup()); err != nil || disabled != (n == 0) {
				t.Errorf("call %d: disabled %v, %v", n+1, disabled, err)
			}
		}
		told, err := db.LeaseMails(t.Context(), uid.New(), noon, noon.Add(time.Minute), 10)
		if err != nil || len(told) != 1 || told[0].Kind != mail.SecondFactorDisabled || told[0].Recipient != "ada@example.org" {
			t.Errorf("got the mails %v, %v; want one second-factor-disabled", told, err)
		}
		if got, err := db.SignedIn(t.Context(), a.ID, l.ID, noon); err != nil || got.SecondFactor() {
			t.Errorf("the login: second factor %v, %v", got.SecondFactor(), err)
		}
		if n, err := db.CountBackupCodes(t.Context(), a.ID); err != nil || n != 0 {
			t.Errorf("%d backup codes remain, %v", n, err)
		}
		got := slices.DeleteFunc(events(t, o), func(e entry) bool { return e.Name != audit.SecondFactorDisabled })
		if diff := cmp.Diff([]entry{{audit.SecondFactorDisabled, a.ID, "", "", "command line"}}, got); diff != "" {
			t.Error(diff)
		}
		if _, _, err := o.DisableSecondFactor(t.Context(), account.Email("nobody@example.org").Lookup()); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("an unknown address: %v", err)
		}
	})
}
