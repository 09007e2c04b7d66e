package main

import (
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// A keyKind is what keys are for, as people read it.
type keyKind string

const (
	signingKey keyKind = "signing key" // of access tokens under EdDSA, ES256 and RS256
	jwtSecret  keyKind = "secret"      // of access tokens under HS256, HS384 and HS512
	dataSecret keyKind = "data secret" // which everything else is drawn from
)

// A chain is the keys of one kind.
type chain struct {
	env       *config.Env
	file      keystore.File
	algorithm string
	kind      keyKind
	plan      keystore.Plan
}

// signsWith returns the kind of keys that sign access tokens.
func signsWith(algorithm string) keyKind {
	if token.Symmetric(algorithm) {
		return jwtSecret
	}
	return signingKey
}

// chainOf returns the chain of the data secrets, or of what signs access tokens.
func chainOf(env *config.Env, data bool) (*chain, error) {
	c := &chain{env: env, file: keyFile(env), algorithm: token.LoadAlgorithm(env)}
	c.kind, c.plan.Reload = signsWith(c.algorithm), settle
	c.plan.Retain = token.LoadLifetime(env) + token.ExpiryLeeway + slack
	if c.kind == signingKey {
		c.plan.Publish = token.JWKSMaxAge + slack
	}
	if data {
		c.kind, c.plan.Publish = dataSecret, 0
	}
	var logins signin.Lifetimes
	logins.Load(env)
	if data || c.kind == jwtSecret && c.fromSettings() && !c.apart() {
		c.plan.Retain = logins.Idle + slack
	}
	return c, env.Err()
}

// apart reports whether the settings name a data secret.
func (c *chain) apart() bool { return c.env.Secret(keyring.DataVariable) != "" }

// of returns the keys of this chain. Where the file has no data secrets, they are
// the others.
func (c *chain) of(set keystore.Set) keystore.Keys {
	switch {
	case c.kind == signingKey:
		return set.Signing
	case c.kind == dataSecret && len(set.Data) > 0:
		return set.Data
	}
	return set.Secrets
}

// with returns the set with other keys in this chain. A rotation of the secret
// leaves the data secret what it is, also where the two were one.
func (c *chain) with(set keystore.Set, keys keystore.Keys) keystore.Set {
	switch c.kind {
	case signingKey:
		set.Signing = keys
	case dataSecret:
		set.Data = keys
	case jwtSecret:
		if len(set.Data) == 0 && !c.apart() {
			set.Data = slices.Clone(set.Secrets)
		}
		set.Secrets = keys
	}
	return set
}

// withoutLeaked returns the set after a key leaked: next, in which no data secret
// is one that leaked. The keys are those to seal anew with, the last of them
// current; none where what is sealed was not touched.
func (c *chain) withoutLeaked(set, next keystore.Set, now time.Time) (keystore.Set, keystore.Keys, error) {
	data := &chain{env: c.env, kind: dataSecret}
	before := data.of(set)
	one := slices.ContainsFunc(before, func(k keystore.Key) bool {
		return slices.ContainsFunc(set.Secrets, func(s keystore.Key) bool { return s.Text == k.Text })
	})
	switch {
	case c.kind == dataSecret && one && token.Symmetric(c.algorithm):
		return set, nil, errors.New("this secret also signs access tokens: `gateway keys rotate --now` replaces both")
	case c.kind == dataSecret:
		return next, slices.Concat(before, next.Data), nil
	case c.kind == signingKey || c.apart() || !one:
		return next, nil, nil
	}
	var err error
	if next.Data, err = keystore.Keys(nil).Apply(keystore.Begin, c.plan, now, data.fresh); err != nil {
		return set, nil, err
	}
	return next, slices.Concat(before, next.Data), nil
}

// fromSettings reports whether the settings name the keys, so that the key file
// does not.
func (c *chain) fromSettings() bool {
	switch c.kind {
	case signingKey:
		return signingKeySet(c.env)
	case dataSecret:
		if c.apart() {
			return true
		}
		set, err := c.file.Read()
		if err == nil && len(set.Data) > 0 {
			return false
		}
	}
	return c.env.Secret(keyring.Variable) != ""
}

// fresh makes a new key.
func (c *chain) fresh() (secret.String, error) {
	if c.kind != signingKey {
		return keyring.Generate(), nil
	}
	key, err := token.GenerateKey(c.algorithm)
	if err != nil {
		return "", err
	}
	return token.EncodePrivate(key)
}

// id returns what names the key openly: the kid of the tokens that it signs, or of
// a data secret, what its refresh tokens name it by.
func (c *chain) id(text secret.String) (string, error) {
	switch c.kind {
	case jwtSecret:
		keys, err := token.NewKeys(token.Options{Algorithm: "HS256", Secrets: []secret.String{text}})
		if err != nil {
			return "", err
		}
		return keys.IDs()[0], nil
	case dataSecret:
		ring, err := keyring.New(text)
		if err != nil {
			return "", err
		}
		id := ring.Derive(signin.Purpose).Current().ID
		return hex.EncodeToString(id[:]), nil
	}
	key, err := token.ParsePrivate(text)
	if err != nil {
		return "", err
	}
	return token.KeyID(key.Public())
}
