package token

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/voiceassist/gateway/shared/account"
	"github.com/voiceassist/gateway/shared/signin"
)

// wire is the claims set as it travels. It is jwt.Claims only so that the
// library carries it; [Keys.Verify] checks what it says.
type wire struct {
	Issuer    string `json:"iss"`
	Audience  string `json:"aud"`
	Subject   string `json:"sub"`
	Login     string `json:"sid"`
	Role      string `json:"role"`
	IssuedAt  int64  `json:"iat"`
	ExpiresAt int64  `json:"exp"`
	ID        string `json:"jti"`
}

// claims parses each claim into its type; all of them are required.
func (w wire) claims() (Claims, error) {
	sub, err1 := account.ParseID(w.Subject)
	login, err2 := signin.ParseID(w.Login)
	role, err3 := account.ParseRole(w.Role)
	if err := errors.Join(err1, err2, err3); err != nil {
		return Claims{}, fmt.Errorf("claims: %w", err)
	}
	if w.IssuedAt <= 0 || w.ExpiresAt <= w.IssuedAt || w.ID == "" {
		return Claims{}, errors.New("claims: iat, exp or jti is missing")
	}
	return Claims{
		Subject: sub, Login: login, Role: role,
		IssuedAt: time.Unix(w.IssuedAt, 0).UTC(), ExpiresAt: time.Unix(w.ExpiresAt, 0).UTC(), ID: w.ID,
	}, nil
}

func (w wire) GetExpirationTime() (*jwt.NumericDate, error) {
	return jwt.NewNumericDate(time.Unix(w.ExpiresAt, 0)), nil
}

func (w wire) GetIssuedAt() (*jwt.NumericDate, error) {
	return jwt.NewNumericDate(time.Unix(w.IssuedAt, 0)), nil
}

func (wire) GetNotBefore() (*jwt.NumericDate, error)  { return nil, nil }
func (w wire) GetIssuer() (string, error)             { return w.Issuer, nil }
func (w wire) GetSubject() (string, error)            { return w.Subject, nil }
func (w wire) GetAudience() (jwt.ClaimStrings, error) { return jwt.ClaimStrings{w.Audience}, nil }
