package keys

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// ReplaceLeaked replaces all keys of the chain with a new one that signs at once. If
// a leaked secret also serves as data secret, it replaces that, too, and then
// reseals. If the rotation has a message although there is an error, the keys were
// replaced and only resealing failed.
func (r *Rotator) ReplaceLeaked(ctx context.Context) (Rotation, error) {
	var (
		result  Rotation
		secrets keystore.Keys // to reseal with
	)
	err := r.Chain.source.File.Update(ctx, func(set keystore.Set) (after keystore.Set, err error) {
		now := r.Now()
		keys, err := r.Chain.replacement(now)
		if err != nil {
			return set, err
		}
		message, err := r.Chain.describeStep(keystore.Begin, nil, keys)
		if err != nil {
			return set, err
		}
		if after, secrets, err = r.Chain.withoutLeaked(set, keys, now); err != nil {
			return set, err
		}
		result = Rotation{Changed: true, Message: message + "; all others are refused"}
		return after, r.Audit(ctx, result.Message, now)
	})
	if err != nil {
		return Rotation{}, err
	}
	if len(secrets) > 0 {
		// Only now: gateways discard what they cannot open, so they need the new secret
		// first.
		result.Resealed, err = r.reseal(ctx, secrets)
	}
	return result, err
}

// replacement returns one new key that signs at once.
func (c *Chain) replacement(now time.Time) (keystore.Keys, error) {
	return keystore.Keys(nil).Apply(keystore.Begin, c.Plan, now, c.generate)
}

// withoutLeaked returns the set with only these keys in the chain, and with a new
// data secret if the leaked secret also served as such. It returns the data secrets
// to reseal with, the new one last, or none if no data secret was replaced.
func (c *Chain) withoutLeaked(set keystore.Set, keys keystore.Keys, now time.Time) (after keystore.Set, secrets keystore.Keys, err error) {
	data := Chain{Kind: Data, source: c.source}
	before := data.Keys(set)
	shared := slices.ContainsFunc(before, func(k keystore.Key) bool {
		return slices.ContainsFunc(set.Secrets, func(s keystore.Key) bool { return s.Text == k.Text })
	})
	after = c.with(set, keys)
	switch {
	case c.Kind == Data && shared && token.Symmetric(c.source.Algorithm):
		return set, nil, errors.New("this secret also signs access tokens: `gateway keys rotate --now` replaces both")
	case c.Kind == Signing, c.Kind == Secret && (c.source.hasData || !shared):
		return after, nil, nil
	case c.Kind == Secret:
		if after.Data, err = data.replacement(now); err != nil {
			return set, nil, err
		}
	}
	return after, slices.Concat(before, after.Data), nil
}
