package mfa

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"image/png"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/codes"
	"github.com/voiceassist/gateway/shared/identity/mfa"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/store"
)

const (
	issuer     = "VoiceAssist" // the name that apps show beside the address
	secretSize = 20            // bytes, the recommended length (RFC 4226 section 4, R6)
	qrSize     = 300           // pixels; a code of the longest address has 101 modules
)

// A setup request contains the password, unless the login has just begun.
type setup struct {
	CurrentPassword optionalSecret `json:"current_password" validate:"omitempty,filled"`
	Password        optionalSecret `json:"password" validate:"omitempty,same_as=CurrentPassword,filled"`
}

// either returns the password from whichever member was sent.
func either(a, b optionalSecret) secret.String { return cmp.Or(a.Value, b.Value) }

// An enrollment is what the user's app needs, and the backup codes. No other response
// contains them.
type enrollment struct {
	QRCode      string   `json:"qr_code"` // a PNG in base64
	Key         string   `json:"manual_entry_key"`
	URL         string   `json:"otpauth_url"`
	BackupCodes []string `json:"backup_codes"`
}

// setup creates a second factor, which is not enabled until [Function.verify]. It
// replaces an earlier one that was not enabled either.
func (f *Function) setup(ctx context.Context, caller endpoint.Caller, q setup) (enrollment, error) {
	if caller.Account.SecondFactor() {
		return enrollment{}, mfa.ErrAlreadyEnabled
	}
	sent := password.Credentials{Password: either(q.CurrentPassword, q.Password)}
	by, err := f.Confirmer.Reauthenticate(ctx, caller.Proof(), caller.Origin, sent, audit.ToSetUpSecondFactor)
	if err != nil {
		return enrollment{}, err
	}
	key, err := newKey(caller.Account.Email)
	if err != nil {
		return enrollment{}, err
	}
	shown, hashes := mfa.NewBackupCodes(secret.String(key.Secret()))
	now, user := f.Now(), caller.Account.ID
	factor := mfa.Factor{
		ID: mfa.NewID(), User: user, CreatedAt: now,
		Sealed: f.Codes.Box().Seal(secret.String(key.Secret()), string(user)),
	}
	err = f.DB.UpdateAs(ctx, by, now, func(tx *store.Tx, by store.Actor) error {
		return tx.SetUpSecondFactor(ctx, by, factor, hashes)
	})
	if err != nil {
		return enrollment{}, err
	}
	picture, err := qrCode(key)
	return enrollment{QRCode: picture, Key: key.Secret(), URL: key.URL(), BackupCodes: shown}, err
}

// newKey returns a new random key for the account with the address.
func newKey(email account.Email) (*otp.Key, error) {
	key, err := totp.Generate(totp.GenerateOpts{
		Issuer: issuer, AccountName: string(email), SecretSize: secretSize,
		Period: uint(codes.Period / time.Second), Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1,
	})
	if err != nil {
		return nil, fmt.Errorf("generate a key: %w", err)
	}
	return key, nil
}

// qrCode returns the address of the key as a QR code: a PNG in base64.
func qrCode(key *otp.Key) (string, error) {
	picture, err := key.Image(qrSize, qrSize)
	if err != nil {
		return "", fmt.Errorf("draw the QR code: %w", err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return "", fmt.Errorf("encode the QR code: %w", err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes()), nil
}
