package signin_test

import (
	"errors"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/identity/signin"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	const grace = 30 * time.Second
	rotated := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	uses := []time.Time{rotated, rotated.Add(-10 * time.Second), rotated.Add(-time.Minute)}
	login := signin.Login{Counter: 7, RotatedAt: rotated, Uses: uses, ExpiresAt: rotated.Add(time.Hour)}
	forgetful := login
	forgetful.Uses = nil
	revoked := login
	revoked.RevokedAt = &rotated

	tests := []struct {
		name    string
		login   signin.Login
		counter int64
		after   time.Duration // since the last rotation
		want    signin.Decision
	}{
		{"the current token rotates", login, 7, time.Minute, signin.Rotate},
		{"the current token rotates just before expiry", login, 7, time.Hour - 1, signin.Rotate},
		{"at its end the login has expired", login, 7, time.Hour, signin.Expired},
		{"the previous token is repeated at once", login, 6, 0, signin.Repeat},
		{"the previous token is repeated at the end of grace", login, 6, grace, signin.Repeat},
		{"just after grace the previous token is reuse", login, 6, grace + 1, signin.Reuse},
		{"a clock that is behind is within grace", login, 6, -time.Second, signin.Repeat},
		{"the second to last token is repeated at the end of its grace", login, 5, 20 * time.Second, signin.Repeat},
		{"just after its grace the second to last token is reuse", login, 5, 20*time.Second + 1, signin.Reuse},
		{"the third to last token was used too long ago", login, 4, 0, signin.Reuse},
		{"a token without a recorded use is reuse", login, 3, 0, signin.Reuse},
		{"a rotation by an older gateway allows the previous token", forgetful, 6, grace, signin.Repeat},
		{"a rotation by an older gateway allows no other token", forgetful, 5, 0, signin.Reuse},
		{"the first token is reuse", login, 0, 0, signin.Reuse},
		{"a future token is unknown and revokes nothing", login, 8, 0, signin.Unknown},
		{"a negative counter is unknown", login, -1, 0, signin.Unknown},
		{"a new login has nothing to repeat", signin.Login{RotatedAt: rotated, ExpiresAt: rotated.Add(1)}, -1, 0, signin.Unknown},
		{"expired comes before reuse", login, 3, 2 * time.Hour, signin.Expired},
		{"expired comes before unknown", login, 8, 2 * time.Hour, signin.Expired},
		{"revoked comes before the current token", revoked, 7, 0, signin.Revoked},
		{"revoked comes before repeat", revoked, 6, 0, signin.Revoked},
		{"revoked comes before reuse", revoked, 1, 0, signin.Revoked},
		{"revoked comes before unknown", revoked, 8, 0, signin.Revoked},
		{"revoked comes before expired", revoked, 7, 2 * time.Hour, signin.Revoked},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := signin.Decide(tt.login, tt.counter, rotated.Add(tt.after), grace); got != tt.want {
				t.Errorf("Decide(counter 7, %d, %v after) = %v, want %v", tt.counter, tt.after, got, tt.want)
			}
		})
	}
}

func TestDecide_WithoutGraceTokensAreSingleUse(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	login := signin.Login{Counter: 1, RotatedAt: now, ExpiresAt: now.Add(time.Hour)}
	for _, after := range []time.Duration{-time.Second, 0, 1} {
		if got := signin.Decide(login, 0, now.Add(after), 0); got != signin.Reuse {
			t.Errorf("Decide without grace, %v after = %v, want reuse", after, got)
		}
	}
}

func TestDecision_Err(t *testing.T) {
	t.Parallel()
	tests := []struct {
		decision signin.Decision
		want     error
		code     string
		word     string
	}{
		{signin.Rotate, nil, "", "rotate"},
		{signin.Repeat, nil, "", "repeat"},
		{signin.Reuse, signin.ErrReused, "token_reused", "reuse"},
		{signin.Revoked, signin.ErrRevoked, "login_revoked", "revoked"},
		{signin.Expired, signin.ErrExpired, "token_expired", "expired"},
		{signin.Unknown, signin.ErrInvalidRefresh, "invalid_token", "unknown"},
		{signin.Decision(99), signin.ErrInvalidRefresh, "invalid_token", "unknown"},
	}
	for _, tt := range tests {
		got := tt.decision.Err()
		if tt.want == nil && got != nil || !errors.Is(got, tt.want) {
			t.Errorf("%v.Err() = %v, want %v", tt.decision, got, tt.want)
		}
		if got != nil && got.Error() != tt.code {
			t.Errorf("%v.Err() has the code %v, want %s", tt.decision, got, tt.code)
		}
		if tt.decision.String() != tt.word {
			t.Errorf("String() = %q, want %q", tt.decision, tt.word)
		}
	}
}
