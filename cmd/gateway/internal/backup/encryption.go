package backup

import (
	"fmt"
	"os"
	"strings"

	"filippo.io/age"

	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// Recipients can decrypt a backup. Without any, it is not encrypted.
type Recipients []age.Recipient

// Identities decrypt a backup.
type Identities []age.Identity

// ParseRecipients returns the recipients with these public keys of age.
func ParseRecipients(keys []string) (Recipients, error) {
	var all Recipients
	for _, key := range keys {
		parsed, err := age.ParseRecipients(strings.NewReader(key))
		if err != nil {
			return nil, fmt.Errorf("%q is not a public key of age, which begins with age1", key)
		}
		all = append(all, parsed...)
	}
	return all, nil
}

// ForPassphrase returns the recipient who knows the passphrase. There can be no other one.
func ForPassphrase(phrase secret.String) (Recipients, error) {
	r, err := age.NewScryptRecipient(phrase.Reveal())
	return Recipients{r}, err
}

// ReadIdentities reads private keys of age from a file.
func ReadIdentities(path string) (Identities, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := age.ParseIdentities(f)
	if err != nil { // the error is dropped: it may quote a key
		return nil, fmt.Errorf("%s does not contain private keys of age, which begin with AGE-SECRET-KEY-", path)
	}
	return all, nil
}

// WithPassphrase returns the identity of somebody who knows the passphrase.
func WithPassphrase(phrase secret.String) (Identities, error) {
	id, err := age.NewScryptIdentity(phrase.Reveal())
	return Identities{id}, err
}
