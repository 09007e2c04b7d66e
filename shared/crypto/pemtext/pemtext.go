// Package pemtext parses keys and certificates in PEM (RFC 7468) leniently: among
// other blocks, with text around them, with the line breaks of any system, and
// after a byte order mark. If the key or certificate is missing, the error says what
// the text contains instead. No error quotes a key.
//
// Begin with [PrivateKey].
package pemtext

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Unescape returns the PEM in the value of a setting. Line breaks may be written as
// \n or \r\n, as some ways to set a variable do not preserve them.
func Unescape(value string) []byte {
	return []byte(strings.NewReplacer(`\r\n`, "\n", `\n`, "\n").Replace(value))
}

// Plain returns text without a byte order mark, which some editors add. It would
// hide the first block.
func Plain(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\ufeff")) }

// PrivateKey returns the first private key in text: unencrypted, in PKCS #8 or in the
// older formats of OpenSSL (SEC 1, PKCS #1). It skips blocks of other types, such as
// EC PARAMETERS or a certificate.
func PrivateKey(text []byte) (crypto.Signer, error) {
	var others []string
	for _, block := range blocks(text) {
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return privateKey(block)
		}
		others = append(others, block.Type)
	}
	return nil, errNotFound("private key", text, others)
}

func privateKey(block *pem.Block) (crypto.Signer, error) {
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY", strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		return nil, errors.New("the private key is encrypted; openssl pkey -in FILE writes it in plain")
	case block.Type == "OPENSSH PRIVATE KEY":
		return nil, errors.New("the private key has OpenSSH's format; ssh-keygen -p -m PKCS8 -f FILE changes it")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			return key, nil
		}
		if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return key, nil
		}
		return nil, fmt.Errorf("private key: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("private key: not one that signs")
	}
	return signer, nil
}

// PublicKey returns the only public key in text (PKIX or PKCS #1). It skips
// certificates: it cannot know which one of a chain is meant, and does not check
// validity.
func PublicKey(text []byte) (crypto.PublicKey, error) {
	var keys []crypto.PublicKey
	var others []string
	for _, block := range blocks(text) {
		var key crypto.PublicKey
		var err error
		switch block.Type {
		case "PUBLIC KEY":
			key, err = x509.ParsePKIXPublicKey(block.Bytes)
		case "RSA PUBLIC KEY":
			key, err = x509.ParsePKCS1PublicKey(block.Bytes)
		default:
			others = append(others, block.Type)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("public key: %w", err)
		}
		keys = append(keys, key)
	}
	switch {
	case len(keys) == 1:
		return keys[0], nil
	case len(keys) > 1:
		return nil, fmt.Errorf("%d public keys, and only one can be meant", len(keys))
	}
	err := errNotFound("public key", text, others)
	switch {
	case slices.ContainsFunc(others, func(kind string) bool { return strings.HasSuffix(kind, "PRIVATE KEY") }):
		err = fmt.Errorf("%w; openssl pkey -pubout -in FILE writes its public half", err)
	case slices.Contains(others, "CERTIFICATE"):
		err = fmt.Errorf("%w; openssl x509 -pubkey -noout -in FILE writes its key", err)
	}
	return nil, err
}

// Authorities returns a pool of the certificates in text. It skips certificates that
// cannot be parsed if others can: bundles of operating systems contain some.
func Authorities(text []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if pool.AppendCertsFromPEM(Plain(text)) {
		return pool, nil
	}
	var others []string
	for _, block := range blocks(text) {
		if block.Type == "CERTIFICATE" {
			if _, err := x509.ParseCertificate(block.Bytes); err != nil {
				return nil, fmt.Errorf("certificate: %w", err)
			}
		}
		others = append(others, block.Type)
	}
	return nil, errNotFound("certificate", text, others)
}

func blocks(text []byte) (all []*pem.Block) {
	rest := Plain(text)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return all
		}
		all = append(all, block)
	}
}

// errNotFound returns the error for text that contains no block of the wanted kind,
// only blocks of the given kinds.
func errNotFound(wanted string, text []byte, kinds []string) error {
	const longest = 200
	begun, only := bytes.Count(text, []byte("-----BEGIN ")), strings.Join(kinds, ", ")
	switch {
	case len(only) > longest:
		return fmt.Errorf("no %s in %d PEM blocks", wanted, len(kinds))
	case len(kinds) > 0 && begun > len(kinds):
		return fmt.Errorf("no %s, only %s, and a damaged PEM block", wanted, only)
	case len(kinds) > 0:
		return fmt.Errorf("no %s, only %s", wanted, only)
	case begun > 0:
		return errors.New("a damaged PEM block")
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")):
		return errors.New("no PEM block; the text is UTF-16, not UTF-8")
	case bytes.HasPrefix(text, []byte("\x30")): // an ASN.1 SEQUENCE (or the digit 0)
		return errors.New("no PEM block; it looks like DER, which openssl can convert")
	}
	return errors.New("no PEM block")
}
