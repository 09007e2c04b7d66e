package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/conversation"
	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

const day = 24 * time.Hour

// TestLimitLogins checks that no statement accepts a login at the end of its lifetime,
// however it was used, and that all do until then.
func TestLimitLogins(t *testing.T) {
	t.Parallel()
	const lifetime = 90 * day
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		db.SetLoginLifetime(lifetime)
		a := someone(t, db, "ada@example.org")
		l := signin.Start(a.ID, "device", "192.0.2.1", noon, signin.Lifetimes{Idle: 365 * day, Absolute: lifetime})
		if err := db.StartLogin(t.Context(), l, "hash", audit.New(audit.LoggedIn, a.ID, audit.Origin{}, noon), nil); err != nil {
			t.Fatal(err)
		}
		end := l.CreatedAt.Add(lifetime)
		if !l.EndsAt.Equal(end) {
			t.Errorf("login ends at %v, want %v", l.EndsAt, end)
		}
		by := signin.NewProof(a.ID, l.ID)
		c := conversation.Session{ID: conversation.NewID(), UserID: a.ID, Title: "x", Context: document.Empty, CreatedAt: noon, UpdatedAt: noon}
		if err := db.CreateSession(t.Context(), by, c, 10); err != nil {
			t.Fatal(err)
		}
		title, counter := "y", int64(0)
		for _, test := range []struct {
			name string
			do   func(now time.Time) error
		}{
			{"a request", func(now time.Time) error { _, err := db.SignedIn(t.Context(), a.ID, l.ID, now); return err }},
			{"a transaction", func(now time.Time) error {
				return db.UpdateAs(t.Context(), by, now, func(*store.Tx, store.Actor) error { return nil })
			}},
			{"a new session", func(now time.Time) error {
				another := c
				another.ID, another.CreatedAt, another.UpdatedAt = conversation.NewID(), now, now
				return db.CreateSession(t.Context(), by, another, 10)
			}},
			{"a change of a session", func(now time.Time) error {
				_, err := db.ChangeSession(t.Context(), by, c.ID, &title, nil, now)
				return err
			}},
			{"the list of logins", func(now time.Time) error {
				list, err := db.Logins(t.Context(), a.ID, store.Page{Limit: 10}, now)
				if err == nil && len(list) == 0 {
					err = signin.ErrRevoked
				}
				for _, l := range list {
					if !l.End().Equal(end) {
						t.Errorf("listed login ends at %v, want %v", l.End(), end)
					}
				}
				return err
			}},
			{"a refresh", func(now time.Time) error {
				r, matched, err := db.RotateLogin(t.Context(), l.ID, counter, "192.0.2.1", now, now.Add(365*day))
				if matched {
					counter++
					if !r.Login.End().Equal(end) {
						t.Errorf("refreshed login ends at %v, want %v", r.Login.End(), end)
					}
				} else if err == nil {
					err = signin.ErrRevoked
				}
				return err
			}},
			{"a deletion of a session", func(now time.Time) error { return db.DeleteSession(t.Context(), by, c.ID, now) }},
		} {
			if err := test.do(end); !errors.Is(err, signin.ErrRevoked) {
				t.Errorf("%s at the end: got %v, want login_revoked", test.name, err)
			}
			if err := test.do(end.Add(-time.Microsecond)); err != nil {
				t.Errorf("%s before the end: %v", test.name, err)
			}
		}
		is, err := db.Login(t.Context(), l.ID)
		if err != nil || signin.Decide(is.Login, 0, end, signin.MaxGrace) != signin.Expired ||
			signin.Decide(is.Login, 0, end.Add(-time.Microsecond), signin.MaxGrace) != signin.Repeat {
			t.Errorf("used token at the end: got %+v, %v; want the same as before", is, err)
		}
	})
}

// TestLimitLogins_UsesTheCurrentSetting checks that another setting applies at once, also
// to existing logins, and that no setting means no limit.
func TestLimitLogins_UsesTheCurrentSetting(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := someone(t, db, "ada@example.org")
		by := signedIn(t, db, a)
		now := noon.Add(30 * time.Minute)
		for _, test := range []struct {
			lifetime time.Duration
			want     error
		}{
			{0, nil}, {30 * time.Minute, signin.ErrRevoked}, {31 * time.Minute, nil}, {0, nil},
		} {
			db.SetLoginLifetime(test.lifetime)
			if _, err := db.SignedIn(t.Context(), a.ID, by.Login(), now); !errors.Is(err, test.want) {
				t.Errorf("lifetime %v, login of half an hour: got %v, want %v", test.lifetime, err, test.want)
			}
			is, err := db.Login(t.Context(), by.Login())
			if err != nil || is.Login.EndsAt.IsZero() != (test.lifetime == 0) {
				t.Errorf("lifetime %v: login ends at %v, %v", test.lifetime, is.Login.EndsAt, err)
			}
		}
	})
}
