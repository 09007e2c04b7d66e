package codes_test

import (
	"context"
	"encoding/base32"
	"errors"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/codes"
	"github.com/voiceassist/gateway/shared/identity/mfa"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// TestMatch_VectorsOfTheRFC checks the vectors of RFC 6238 appendix B for SHA-1. The
// last six of their eight digits are the code of six digits (RFC 4226 section 5.3).
func TestMatch_VectorsOfTheRFC(t *testing.T) {
	t.Parallel()
	key := secret.String(base32.StdEncoding.EncodeToString([]byte("12345678901234567890")))
	for _, v := range []struct {
		unix, step int64
		code       secret.String
	}{
		{59, 0x1, "94287082"},
		{1111111109, 0x23523EC, "07081804"},
		{1111111111, 0x23523ED, "14050471"},
		{1234567890, 0x273EF07, "89005924"},
		{2000000000, 0x3F940AA, "69279037"},
		{20000000000, 0x27BC86AA, "65353130"},
	} {
		code := v.code[2:]
		for _, drift := range []struct {
			steps int64
			ok    bool
		}{{-2, false}, {-1, true}, {0, true}, {1, true}, {2, false}} {
			now := time.Unix(v.unix, 0).Add(time.Duration(drift.steps) * codes.Period)
			if now.Unix() < 0 {
				continue
			}
			step, ok := codes.Match(key, code, now)
			if ok != drift.ok || ok && step != v.step {
				t.Errorf("%s, %d steps later: got step %#x, %t", code, drift.steps, step, ok)
			}
		}
		if _, ok := codes.Match(key, v.code, time.Unix(v.unix, 0)); ok {
			t.Errorf("%s has eight digits", v.code)
		}
	}
	if _, ok := codes.Match(key, "", noon); ok {
		t.Error("no code is right")
	}
}

// A fixture is an account with a second factor, and a checker.
type fixture struct {
	*testing.T

	db      *store.DB
	checker *codes.Checker
	by      signin.Proof
	key     secret.String
	backup  []string

	mu  sync.Mutex
	now time.Time
}

func newFixture(t *testing.T, db *store.DB) *fixture {
	t.Helper()
	ring, err := keyring.New(keyring.Generate())
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{T: t, db: db, now: noon, key: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}
	f.checker = codes.New(db, ring, f.time)
	a := account.Account{ID: account.NewID(), Email: "ada@example.org", Role: account.User, CreatedAt: noon, UpdatedAt: noon}
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.CreateAccount(t.Context(), a, "hash") }); err != nil {
		t.Fatal(err)
	}
	l := signin.Start(a.ID, "device", "192.0.2.1", noon, signin.Lifetimes{Idle: 100 * time.Hour})
	if err := db.StartLogin(t.Context(), l, "hash", audit.New(audit.LoggedIn, a.ID, audit.Origin{}, noon), nil); err != nil {
		t.Fatal(err)
	}
	f.by = signin.NewProof(a.ID, l.ID)
	factor := mfa.Factor{ID: mfa.NewID(), User: a.ID, Sealed: f.checker.Box().Seal(f.key, string(a.ID)), CreatedAt: noon}
	var hashes [][]byte
	f.backup, hashes = mfa.NewBackupCodes(f.key)
	err = db.UpdateAs(t.Context(), f.by.AsFresh(), noon, func(tx *store.Tx, by store.Actor) error {
		return errors.Join(tx.SetUpSecondFactor(t.Context(), by, factor, hashes), tx.EnableSecondFactor(t.Context(), by, factor, noon))
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) time() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fixture) advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

// code returns the code that the app shows after d.
func (f *fixture) code(d time.Duration) secret.String {
	f.Helper()
	code, err := totp.GenerateCodeCustom(f.key.Reveal(), f.time().Add(d), totp.ValidateOpts{Period: 30, Digits: otp.DigitsSix})
	if err != nil {
		f.Fatal(err)
	}
	return secret.String(code)
}

// wrong returns a code that is wrong.
func (f *fixture) wrong() secret.String {
	f.Helper()
	right := []secret.String{f.code(-codes.Period), f.code(0), f.code(codes.Period)}
	for _, code := range []secret.String{"000000", "111111", "222222", "333333"} {
		if !slices.Contains(right, code) {
			return code
		}
	}
	return ""
}

func (f *fixture) confirm(code secret.String) error {
	by, err := f.checker.Confirm(f.Context(), f.by, audit.Origin{}, code, audit.ToDelete)
	if err == nil && !by.Code() {
		f.Error("the proof has no code")
	}
	return err
}

func (f *fixture) want(code secret.String, want error) {
	f.Helper()
	if err := f.confirm(code); !errors.Is(err, want) {
		f.Errorf("got %v, want %v", err, want)
	}
}

func TestConfirm_AcceptsEachCodeOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		before := f.code(-codes.Period)
		f.want(f.code(0), nil)
		f.want(f.code(0), mfa.ErrBadCode)
		f.want(before, mfa.ErrBadCode) // of an earlier step than one that was accepted
		f.want(f.code(codes.Period), nil)
		f.advance(codes.Period)
		f.want(f.code(0), mfa.ErrBadCode)
		f.advance(codes.Period)
		f.want(f.code(0), nil)

		f.want(secret.String(f.backup[0]), nil)
		f.want(secret.String(f.backup[0]), mfa.ErrBadCode)
		if n, err := db.CountBackupCodes(t.Context(), f.by.User()); n != mfa.BackupCodes-1 || err != nil {
			t.Errorf("%d remain, %v", n, err)
		}
		events, err := db.AuditOf(t.Context(), f.by.User(), 2)
		if err != nil || events[0].Name != audit.CodeRefused || events[0].Detail != audit.ToDelete ||
			events[1].Name != audit.BackupCodeUsed || events[1].Detail != audit.ToDelete+"; 9 remain" {
			t.Errorf("audited %+v, %v", events, err)
		}
	})
}

// TestConfirm_OneOfConcurrentCallsWins sends one code several times at once, through
// two checkers as in two processes.
func TestConfirm_OneOfConcurrentCallsWins(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		for name, newest := range map[string]func() secret.String{
			"of the app": func() secret.String { return f.code(0) },
			"backup":     func() secret.String { return secret.String(f.backup[3]) },
		} {
			code := newest() // the clock is advanced between them
			var accepted, other atomic.Int32
			var wg sync.WaitGroup
			for range 6 {
				wg.Go(func() {
					switch err := f.confirm(code); {
					case err == nil:
						accepted.Add(1)
					case !errors.Is(err, mfa.ErrBadCode) && !errors.Is(err, store.ErrUnavailable):
						other.Add(1)
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if accepted.Load() != 1 {
				t.Errorf("%s: %d of 6 were accepted, want 1", name, accepted.Load())
			}
			f.advance(mfa.WrongCodeWindow)
		}
	})
}

func TestConfirm_LimitsWrongCodes(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		for range mfa.MaxWrongCodes {
			f.want(f.wrong(), mfa.ErrBadCode)
			f.advance(time.Minute)
		}
		f.want(f.code(0), mfa.ErrTooManyCodes) // even the right one, or a guess would be told
		f.advance(mfa.WrongCodeWindow - mfa.MaxWrongCodes*time.Minute - time.Second)
		f.want(f.code(0), mfa.ErrTooManyCodes)
		f.advance(time.Second)
		f.want(f.wrong(), mfa.ErrBadCode) // the first one is an hour old
		f.want(f.code(0), mfa.ErrTooManyCodes)
		f.advance(time.Minute)
		f.want(f.code(0), nil)
	})
}

// TestConfirm_LimitsConcurrentWrongCodes checks that many wrong codes at once do not
// pass the limit.
func TestConfirm_LimitsConcurrentWrongCodes(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		wrong := f.wrong()
		var refused atomic.Int32
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range mfa.MaxWrongCodes {
					if errors.Is(f.confirm(wrong), mfa.ErrBadCode) {
						refused.Add(1)
					}
				}
			})
		}
		wg.Wait()
		if refused.Load() != mfa.MaxWrongCodes {
			t.Errorf("%d codes were checked, want %d", refused.Load(), mfa.MaxWrongCodes)
		}
	})
}

func TestConfirm_NeedsALiveLogin(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		if ok, err := db.RevokeLogin(t.Context(), f.by.User(), f.by.Login(), "logout", noon); !ok || err != nil {
			t.Fatal(ok, err)
		}
		f.want(f.code(0), signin.ErrRevoked)
	})
}

func TestConfirm_WithoutAFactor(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		by, err := f.checker.Confirm(t.Context(), f.by, audit.Origin{}, f.code(0), audit.ToDelete)
		if err != nil {
			t.Fatal(err)
		}
		remove := func(ctx context.Context, by signin.Proof) error {
			return db.UpdateAs(ctx, by, noon, func(tx *store.Tx, by store.Actor) error {
				enabled, err := tx.RemoveSecondFactor(ctx, by, f.by.User())
				if err == nil && !enabled {
					t.Error("it was not enabled")
				}
				return err
			})
		}
		if err := remove(t.Context(), f.by.WithPassword("hash")); !errors.Is(err, mfa.ErrCodeRequired) {
			t.Errorf("without the code: %v", err)
		}
		if err := remove(t.Context(), by); err == nil {
			t.Error("removed without the password")
		}
		if err := remove(t.Context(), by.WithPassword("hash")); err != nil {
			t.Error(err)
		}
		f.want(f.code(0), mfa.ErrNotSetUp)
		if n, err := db.CountBackupCodes(t.Context(), f.by.User()); n != 0 || err != nil {
			t.Errorf("%d backup codes remain, %v", n, err)
		}
	})
}
