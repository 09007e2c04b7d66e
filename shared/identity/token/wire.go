package token

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
)

// Why a token was refused, for logs only: clients get [ErrInvalid].
var (
	errLong     = errors.New("too long")
	errHeader   = errors.New("not the header of a token of these keys")
	errForm     = errors.New("claims: not in the form that Sign gives them")
	errAudience = errors.New("claims: for somebody else")
	errTimes    = errors.New("claims: no such time of issue and expiry")
)

// A verifier verifies the tokens of one key.
type verifier struct {
	key       any
	audiences []string // one of which a token must have; "" for none
}

// verifierOf returns the verifier for the key that signed raw according to its
// header.
//
// It compares the header with those of the accepted keys before the token is
// parsed. So no header can choose an algorithm, name an unknown key, bring a
// key along or require an extension (RFC 8725 sections 3.1, 3.2, 3.10, 3.11 and
// RFC 7515 section 4.1.11).
func (s *keySet) verifierOf(raw string) (verifier, error) {
	if len(raw) > maxToken && defense.AccessTokenClaims {
		return verifier{}, errLong
	}
	header, _, _ := strings.Cut(raw, ".")
	v, known := s.byHeader[header]
	if !known && !defense.AccessTokenHeader {
		v, known = s.byHeader[encodedHeader(s.method.Alg(), s.ids[0])]
	}
	if !known {
		return verifier{}, errHeader
	}
	return v, nil
}

// headerOf returns the header of the tokens of one key.
func headerOf(algorithm, kid string) map[string]any {
	return map[string]any{"alg": algorithm, "kid": kid, "typ": tokenType}
}

// encodedHeader returns the encoded header, the only accepted one for the key.
func encodedHeader(algorithm, kid string) string {
	return base64.RawURLEncoding.EncodeToString(encode(headerOf(algorithm, kid)))
}

// wire is the claims set on the wire (RFC 9068 section 2.2).
type wire struct {
	Issuer    string `json:"iss"`
	Audience  string `json:"aud,omitempty"`
	Subject   string `json:"sub"`
	Login     string `json:"sid"`
	Role      string `json:"role"`
	IssuedAt  int64  `json:"iat"`
	ExpiresAt int64  `json:"exp"`
	ID        string `json:"jti"`
}

var _ jwt.Claims = (*wire)(nil) // for the parser

func (w *wire) GetExpirationTime() (*jwt.NumericDate, error) { return date(w.ExpiresAt), nil }
func (w *wire) GetIssuedAt() (*jwt.NumericDate, error)       { return date(w.IssuedAt), nil }
func (w *wire) GetNotBefore() (*jwt.NumericDate, error)      { return nil, nil }
func (w *wire) GetIssuer() (string, error)                   { return w.Issuer, nil }
func (w *wire) GetSubject() (string, error)                  { return w.Subject, nil }

func (w *wire) GetAudience() (jwt.ClaimStrings, error) {
	if w.Audience == "" {
		return nil, nil
	}
	return jwt.ClaimStrings{w.Audience}, nil
}

func date(seconds int64) *jwt.NumericDate { return jwt.NewNumericDate(time.Unix(seconds, 0)) }

// wireOf returns the claims in their form on the wire.
func (k *Keys) wireOf(c Claims, audience string) *wire {
	return &wire{
		Issuer: k.issuer, Audience: audience, Subject: string(c.Subject), Login: string(c.Login),
		Role: string(c.Role), IssuedAt: c.IssuedAt.Unix(), ExpiresAt: c.ExpiresAt.Unix(), ID: c.ID,
	}
}

// claims returns the claims in w, which raw contains. It accepts only tokens as
// Sign makes them: encoding the claims again must result in the same text. So
// there are no duplicate, unknown or differently spelled members and no
// fractions, and two parsers cannot read different things.
func (k *Keys) claims(w *wire, raw string) (Claims, error) {
	if w.IssuedAt <= 0 || w.ExpiresAt <= w.IssuedAt || w.ExpiresAt-w.IssuedAt > int64(MaxLifetime/time.Second) {
		return Claims{}, errTimes
	}
	c := Claims{IssuedAt: time.Unix(w.IssuedAt, 0).UTC(), ExpiresAt: time.Unix(w.ExpiresAt, 0).UTC()}
	var errs [4]error
	c.Subject, errs[0] = account.ParseID(w.Subject)
	c.Login, errs[1] = signin.ParseID(w.Login)
	c.Role, errs[2] = account.ParseRole(w.Role)
	c.ID, errs[3] = uid.Parse(w.ID)
	if err := errors.Join(errs[:]...); err != nil {
		return Claims{}, fmt.Errorf("claims: %w", err)
	}
	payload := base64.RawURLEncoding.EncodeToString(encode(k.wireOf(c, w.Audience)))
	if defense.AccessTokenClaims && (strings.Split(raw, ".")[1] != payload || strings.ContainsAny(raw, "\r\n")) { // the decoder skips line breaks
		return Claims{}, errForm
	}
	return c, nil
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("token: encode: " + err.Error()) // strings and numbers only
	}
	return b
}
