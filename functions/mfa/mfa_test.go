package mfa_test

import (
	"bytes"
	"encoding/base64"
	"image/png"
	"maps"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/codes"
	"github.com/voiceassist/gateway/shared/identity/mfa"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

const prefix = "/api/auth/2fa/"

type fields = map[string]any

// A user is somebody with a second factor.
type user struct {
	*functionstest.Gateway

	t      *testing.T
	id     account.ID
	bearer functionstest.Option
	key    string
	backup []string
}

// enroll registers somebody and enables a second factor.
func enroll(t *testing.T, g *functionstest.Gateway) *user {
	t.Helper()
	id, pair := g.Person()
	u := &user{Gateway: g, t: t, id: id, bearer: functionstest.Bearer(pair.Access)}
	u.setUp()
	g.Do("POST", prefix+"verify", fields{"code": u.code()}, u.bearer).Want(http.StatusOK, "")
	g.Advance(codes.Period)
	return u
}

func (u *user) setUp() {
	u.t.Helper()
	var e struct {
		QR     string   `json:"qr_code"`
		Key    string   `json:"manual_entry_key"`
		URL    string   `json:"otpauth_url"`
		Backup []string `json:"backup_codes"`
	}
	u.Do("POST", prefix+"setup", fields{}, u.bearer).Want(http.StatusOK, "").Into(&e)
	u.key, u.backup = e.Key, e.Backup
	raw, err := base64.StdEncoding.DecodeString(e.QR)
	if err != nil {
		u.t.Fatal(err)
	}
	if _, err := png.Decode(bytes.NewReader(raw)); err != nil {
		u.t.Error(err)
	}
	key, err := otp.NewKeyFromURL(e.URL)
	if err != nil || key.Secret() != e.Key || key.AccountName() != functionstest.Email || key.Issuer() != "VoiceAssist" || key.Period() != 30 {
		u.t.Errorf("got %s, %v", e.URL, err)
	}
}

// code returns the present code.
func (u *user) code() string {
	u.t.Helper()
	code, err := totp.GenerateCode(u.key, u.Now())
	if err != nil {
		u.t.Fatal(err)
	}
	return code
}

// next returns a code that was not used.
func (u *user) next() string {
	u.t.Helper()
	u.Advance(codes.Period)
	return u.code()
}

// challenge logs in with the password.
func (u *user) challenge() string {
	u.t.Helper()
	a := u.Do("POST", "/api/auth/login", fields{"email": functionstest.Email, "password": functionstest.Password}).Want(http.StatusOK, "")
	if a.Get("requires_2fa") != "true" || a.Get("access_token") != "" {
		u.t.Fatalf("got %s", a.Body)
	}
	return a.Get("user_id")
}

func (u *user) answer(challenge, code string) functionstest.Answer {
	u.t.Helper()
	return u.Do("POST", prefix+"verify-login", fields{"user_id": challenge, "code": code})
}

func TestLogin_WithACode(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		u := enroll(t, functionstest.New(t, db))
		c := u.challenge()
		code := u.code()
		var pair functionstest.Pair
		u.answer(c, code).Want(http.StatusOK, "").Into(&pair)
		u.Do("GET", "/api/users/me", nil, functionstest.Bearer(pair.Access)).Want(http.StatusOK, "")

		u.answer(c, u.next()).Want(http.StatusUnauthorized, "challenge_expired") // it started a login
		c = u.challenge()
		u.answer(c, code).Want(http.StatusUnauthorized, "bad_code") // used before
		u.answer(c, u.backup[0]).Want(http.StatusOK, "")
		u.answer(u.challenge(), u.backup[0]).Want(http.StatusUnauthorized, "bad_code")
		if n := u.Do("GET", prefix+"status", nil, u.bearer).Want(http.StatusOK, "").Get("backup_codes_remaining"); n != "9" {
			t.Errorf("%s backup codes remain, want 9", n)
		}
	})
}

func TestLogin_ChallengeIsBound(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		u := enroll(t, functionstest.New(t, db))
		u.answer(string(u.id), u.code()).Want(http.StatusUnauthorized, "challenge_expired") // without the password

		expired := u.challenge()
		u.Advance(mfa.ChallengeLifetime)
		u.answer(expired, u.code()).Want(http.StatusUnauthorized, "challenge_expired")

		c := u.challenge()
		for range mfa.MaxTries {
			u.answer(c, "000000").Want(http.StatusUnauthorized, "bad_code")
		}
		u.answer(c, u.code()).Want(http.StatusUnauthorized, "challenge_expired")

		u.Advance(mfa.WrongCodeWindow)
		u.bearer = functionstest.Bearer(u.login())
		c = u.challenge()
		u.Do("POST", "/api/users/change-password", fields{"old_password": functionstest.Password, "new_password": "another long passphrase"}, u.bearer).
			Want(http.StatusOK, "")
		u.answer(c, u.next()).Want(http.StatusUnauthorized, "challenge_expired")
	})
}

// login completes a login and returns its access token.
func (u *user) login() string {
	u.t.Helper()
	return u.answer(u.challenge(), u.next()).Want(http.StatusOK, "").Get("access_token")
}

func TestLogin_LimitsWrongCodesOverAllChallenges(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		u := enroll(t, functionstest.New(t, db))
		for range mfa.MaxWrongCodes {
			u.answer(u.challenge(), "000000").Want(http.StatusUnauthorized, "bad_code")
		}
		if a := u.answer(u.challenge(), u.code()).Want(http.StatusTooManyRequests, "too_many_codes"); a.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		u.Advance(mfa.WrongCodeWindow)
		u.answer(u.challenge(), u.code()).Want(http.StatusOK, "")
	})
}

func TestLogin_KeepsTheTransport(t *testing.T) {
	t.Parallel()
	u := enroll(t, functionstest.New(t, storetest.SQLite(t)))
	sent := fields{"email": functionstest.Email, "password": functionstest.Password, "transport": "cookie"}
	a := u.answer(u.Do("POST", "/api/auth/login", sent).Want(http.StatusOK, "").Get("user_id"), u.code()).Want(http.StatusOK, "")
	if _, set := a.RefreshCookie(); !set || a.Get("refresh_token") != "" {
		t.Errorf("got %s", a.Body)
	}
	c := u.Do("POST", "/api/auth/login", sent).Want(http.StatusOK, "").Get("user_id")
	foreign := functionstest.Header("Origin", "https://evil.example")
	u.Do("POST", prefix+"verify-login", fields{"user_id": c, "code": u.next()}, foreign).Want(http.StatusForbidden, "")
	a = u.Do("POST", prefix+"verify-login", fields{"user_id": c, "code": u.code(), "transport": "body"}).Want(http.StatusOK, "")
	if _, set := a.RefreshCookie(); set || a.Get("refresh_token") == "" {
		t.Errorf("got %s", a.Body)
	}
}

func TestSetup_RequiresThePasswordAfterAWhile(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	_, pair := g.Person()
	bearer := functionstest.Bearer(pair.Access)
	g.Do("POST", prefix+"verify", fields{"code": "123456"}, bearer).Want(http.StatusConflict, "second_factor_not_set_up")
	g.Advance(signin.ReauthenticationWindow + time.Second)
	g.Do("POST", prefix+"setup", fields{}, bearer).Want(http.StatusForbidden, "reauthentication_required")
	g.Do("POST", prefix+"setup", fields{"password": "a wrong passphrase"}, bearer).Want(http.StatusBadRequest, "incorrect_password")
	g.Do("POST", prefix+"setup", fields{"password": functionstest.Password}, bearer).Want(http.StatusOK, "")
	if got := g.Do("GET", prefix+"status", nil, bearer).Get("enabled"); got != "false" {
		t.Errorf("enabled %s before a code verified it", got)
	}
	g.Login(functionstest.Email, functionstest.Password) // needs no code yet
}

// TestCode_IsRequiredForWhatTakesOver: neither a stolen token nor a stolen password
// suffices to take over the account, or to create a credential that outlasts the login.
func TestCode_IsRequiredForWhatTakesOver(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g, _ := functionstest.NewWithNextcloud(t, db, nil)
		u := enroll(t, g)
		if _, err := g.Reconciler.RunBatch(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
		for _, request := range []struct {
			method, path, member string
			more                 fields
		}{
			{"POST", "/api/users/me/nextcloud/app-password", "password", fields{"name": "a phone"}},
			{"POST", "/api/auth/api-keys", "password", fields{"name": "a script", "scopes": []string{"profile:read"}}},
			{"PATCH", "/api/users/me", "current_password", fields{"email": "new@example.org"}},
			{"DELETE", "/api/users/me", "password", nil},
		} {
			body := fields{request.member: functionstest.Password}
			maps.Copy(body, request.more)
			u.Do(request.method, request.path, body, u.bearer).Want(http.StatusForbidden, "code_required")
			body["code"] = "000000"
			u.Do(request.method, request.path, body, u.bearer).Want(http.StatusBadRequest, "bad_code")
			body["code"] = u.next()
			if a := u.Do(request.method, request.path, body, u.bearer); a.Status >= 300 {
				t.Errorf("%s %s: got %d %s", request.method, request.path, a.Status, a.Body)
			}
		}
	})
}

func TestDisable_AndBackupCodes(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		u := enroll(t, functionstest.New(t, db))
		old := u.backup[0]
		u.Do("POST", prefix+"setup", fields{}, u.bearer).Want(http.StatusConflict, "already_enabled")
		u.Do("POST", prefix+"backup-codes", fields{"code": "000000"}, u.bearer).Want(http.StatusBadRequest, "bad_code")
		var fresh struct {
			Codes []string `json:"backup_codes"`
		}
		u.Do("POST", prefix+"backup-codes", fields{"code": u.code()}, u.bearer).Want(http.StatusOK, "").Into(&fresh)
		u.answer(u.challenge(), old).Want(http.StatusUnauthorized, "bad_code")
		u.answer(u.challenge(), fresh.Codes[9]).Want(http.StatusOK, "")

		u.Do("POST", prefix+"disable", fields{"password": "a wrong passphrase", "code": u.next()}, u.bearer).Want(http.StatusBadRequest, "incorrect_password")
		u.Do("POST", prefix+"disable", fields{"password": functionstest.Password, "code": fresh.Codes[0]}, u.bearer).Want(http.StatusOK, "")
		u.Do("POST", prefix+"disable", fields{"password": functionstest.Password, "code": "000000"}, u.bearer).Want(http.StatusConflict, "second_factor_not_enabled")
		u.Login(functionstest.Email, functionstest.Password)
		a, _, err := db.AccountAndHash(t.Context(), u.id)
		if err != nil || a.SecondFactor() {
			t.Error(a, err)
		}
		events, err := db.AuditOf(t.Context(), u.id, 20)
		if err != nil {
			t.Fatal(err)
		}
		counts := map[audit.Name]int{}
		for _, e := range events {
			counts[e.Name]++
		}
		if counts[audit.SecondFactorEnabled] != 1 || counts[audit.SecondFactorDisabled] != 1 || counts[audit.BackupCodeUsed] != 2 ||
			counts[audit.BackupCodesReplaced] != 1 || counts[audit.CodeRefused] != 2 {
			t.Errorf("audited %v", counts)
		}
	})
}

// TestAdmins_NeedASecondFactor checks what an administrator without one reaches.
func TestAdmins_NeedASecondFactor(t *testing.T) {
	t.Parallel()
	g := functionstest.NewWith(t, storetest.SQLite(t), map[string]string{"REQUIRE_2FA_FOR_ADMINS": "true"})
	_, pair := g.Admin(functionstest.Email)
	u := &user{Gateway: g, t: t, bearer: functionstest.Bearer(pair.Access)}
	refused := []string{"/api/users", "/api/sessions", "/api/users/me/logins", "/api/files/", "/api/nextcloud/accounts"}
	for _, path := range refused {
		g.Do("GET", path, nil, u.bearer).Want(http.StatusForbidden, "second_factor_required")
	}
	for _, path := range []string{"/api/users/me", "/api/auth/me", "/api/auth/session", prefix + "status"} {
		g.Do("GET", path, nil, u.bearer).Want(http.StatusOK, "")
	}
	u.setUp()
	g.Do("POST", prefix+"verify", fields{"code": u.code()}, u.bearer).Want(http.StatusOK, "")
	g.Do("GET", "/api/users", nil, u.bearer).Want(http.StatusOK, "")
	g.Do("POST", "/api/auth/logout", nil, u.bearer).Want(http.StatusNoContent, "")
}
