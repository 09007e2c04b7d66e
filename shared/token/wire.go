package token

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/account"
	"github.com/voiceassist/gateway/shared/signin"
	"github.com/voiceassist/gateway/shared/uid"
)

// base64url is the one encoding of each part (RFC 7515 section 2): no padding,
// and no bit set that counts for nothing.
var base64url = base64.RawURLEncoding.Strict()

// Why a token was refused; for logs only, the client sees [ErrInvalid].
var (
	errLong   = errors.New("too long")
	errHeader = errors.New("not the header of a token of these keys")
	errParts  = errors.New("not three parts")
	errCoding = errors.New("not base64url")
	errForm   = errors.New("claims: not in the form that Sign gives them")
	errOthers = errors.New("of another issuer or for another audience")
	errTimes  = errors.New("claims: no such time of issue and expiry")
)

// headerOf returns the header of the tokens of one key, encoded. There is no
// other for it.
func headerOf(algorithm, kid string) string {
	return base64url.EncodeToString(encode(struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
		Type      string `json:"typ"`
	}{algorithm, kid, tokenType}))
}

// open returns the payload of raw, if a key of the set signed it.
//
// The header is compared and never parsed. So nothing in it can choose an
// algorithm, name a key that is not ours, bring one along, or ask for an
// extension (RFC 8725 sections 3.1, 3.2, 3.10, 3.11 and RFC 7515 section 4.1.11),
// and nothing else of what is sent is looked at before the signature holds.
func (s *keySet) open(raw string) ([]byte, error) {
	if len(raw) > maxToken {
		return nil, errLong
	}
	header, rest, _ := strings.Cut(raw, ".")
	key, known := s.byHeader[header]
	if !known {
		return nil, errHeader
	}
	payload, signature, found := strings.Cut(rest, ".")
	if !found {
		return nil, errParts
	}
	mac, err := decode(signature)
	if err != nil {
		return nil, err
	}
	if err := s.method.Verify(raw[:len(header)+1+len(payload)], mac, key); err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	return decode(payload)
}

// decode takes one spelling only. [base64.Encoding] would skip line breaks.
func decode(text string) ([]byte, error) {
	b, err := base64url.DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, errCoding
	}
	return b, nil
}

// wire is the claims set as it travels (RFC 9068 section 2.2).
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

// wireOf returns how the claims travel.
func (k *Keys) wireOf(c Claims) wire {
	return wire{
		Issuer: k.issuer, Audience: k.audience, Subject: string(c.Subject), Login: string(c.Login),
		Role: string(c.Role), IssuedAt: c.IssuedAt.Unix(), ExpiresAt: c.ExpiresAt.Unix(), ID: c.ID,
	}
}

// parse returns the claims in a payload that was signed. It takes exactly what
// Sign makes: the claims, encoded again, must be the same bytes. So no member
// stands twice, is unknown or spelled in other letters, no number is a fraction,
// and no two parsers can read two things.
func (k *Keys) parse(payload []byte) (Claims, error) {
	var w wire
	if err := json.Unmarshal(payload, &w); err != nil {
		return Claims{}, fmt.Errorf("claims: %w", err)
	}
	if w.Issuer != k.issuer || w.Audience != k.audience {
		return Claims{}, errOthers
	}
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
	if !bytes.Equal(payload, encode(k.wireOf(c))) {
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
