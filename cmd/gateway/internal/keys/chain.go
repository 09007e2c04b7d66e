package keys

import (
	"slices"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
)

const (
	// reload is the time within which every gateway has read the key file again. It
	// is several times [FollowInterval], as clocks differ.
	reload = 30 * time.Second
	// margin is added to the lifetimes of tokens and of cached key sets. It covers
	// reload, caches on the way, and clocks that differ.
	margin = time.Minute
)

// Settings are a source of keys, and the lifetimes of the tokens that the keys
// protect.
type Settings struct {
	Source

	AccessLifetime  time.Duration // of access tokens
	RefreshLifetime time.Duration // of refresh tokens that are not used
}

// Load loads the settings of the source, ACCESS_TOKEN_EXPIRE_MINUTES and
// REFRESH_TOKEN_EXPIRE_DAYS.
func (s *Settings) Load(r setting.Reader) {
	s.Source.Load(r)
	s.AccessLifetime = token.LoadLifetime(r)
	s.RefreshLifetime = setting.Of[signin.Lifetimes](r).Idle
}

// A Chain is the keys of one kind over time, wherever they come from.
type Chain struct {
	Kind Kind
	Plan keystore.Plan

	source Source
}

// TokenChain returns the chain of the keys that sign access tokens.
func (s *Settings) TokenChain() Chain {
	c := Chain{Kind: KindFor(s.Algorithm), source: s.Source}
	c.Plan = keystore.Plan{Reload: reload, Retain: s.AccessLifetime + token.ExpiryLeeway + margin}
	switch {
	case c.Kind == Signing:
		c.Plan.Publish = token.JWKSMaxAge + margin
	case s.hasSecret && !s.hasData: // JWT_SECRET protects refresh tokens, too
		c.Plan.Retain = s.RefreshLifetime + margin
	}
	return c
}

// DataChain returns the chain of the data secrets.
func (s *Settings) DataChain() Chain {
	return Chain{Kind: Data, Plan: keystore.Plan{Reload: reload, Retain: s.RefreshLifetime + margin}, source: s.Source}
}

// Chains returns both chains.
func (s *Settings) Chains() []Chain { return []Chain{s.TokenChain(), s.DataChain()} }

// Keys returns the keys of the chain in the key file. If the file has no data
// secrets, the secrets serve as such.
func (c *Chain) Keys(set keystore.Set) keystore.Keys {
	switch {
	case c.Kind == Signing:
		return set.Signing
	case c.Kind == Data && len(set.Data) > 0:
		return set.Data
	}
	return set.Secrets
}

// with returns the set with these keys in the chain. A rotation of the secret keeps
// the data secret, even if both were the same until now.
func (c *Chain) with(set keystore.Set, keys keystore.Keys) keystore.Set {
	switch c.Kind {
	case Signing:
		set.Signing = keys
	case Data:
		set.Data = keys
	case Secret:
		if len(set.Data) == 0 && !c.source.hasData {
			set.Data = slices.Clone(set.Secrets)
		}
		set.Secrets = keys
	}
	return set
}

// FromSettings reports whether settings contain the keys of the chain, rather than
// the key file.
func (c *Chain) FromSettings(set keystore.Set) bool {
	switch c.Kind {
	case Signing:
		return c.source.hasPrivate
	case Data:
		return c.source.hasData || c.source.hasSecret && len(set.Data) == 0
	}
	return c.source.hasSecret
}

// generate returns the text of a new key of the chain.
func (c *Chain) generate() (secret.String, error) { return generate(c.Kind, c.source.Algorithm) }
