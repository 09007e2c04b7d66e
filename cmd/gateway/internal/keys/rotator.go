package keys

import (
	"context"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// A Rotator rotates the keys of a chain that are in the key file. Concurrent
// rotations, also of several processes, wait for each other.
type Rotator struct {
	Chain Chain
	Now   func() time.Time

	// Audit stores an audit event with this detail. It is called before the key file
	// is written: a crash in between leaves an event too many, never one too few.
	Audit func(ctx context.Context, detail string, now time.Time) error
	// Reseal encrypts again, with the current key of the ring, everything that was
	// encrypted with one of its other keys.
	Reseal func(ctx context.Context, ring *keyring.Ring) (*Resealed, error)
}

// A Rotation is the result of a [Rotator].
type Rotation struct {
	Changed bool       `json:"changed"`
	Message string     `json:"message"` // contains no secret
	NextAt  *time.Time `json:"next_at"` // when the next step is due; null if there is none

	*Resealed
}

// Resealed counts the values that were encrypted again.
type Resealed struct {
	Sealed int `json:"resealed"`
	Lost   int `json:"lost"` // values that none of the secrets opens
}

// Rotate takes the next step of the rotation if it is due.
func (r *Rotator) Rotate(ctx context.Context) (Rotation, error) {
	var result Rotation
	err := r.Chain.source.File.Update(ctx, func(set keystore.Set) (keystore.Set, error) {
		before, now := r.Chain.Keys(set), r.Now()
		if r.Chain.Kind == Signing && len(before) > 0 {
			if err := r.Chain.source.checkAlgorithm(before[len(before)-1]); err != nil {
				return set, err
			}
		}
		step, due := before.Next(r.Chain.Plan)
		if now.Before(due) {
			result = Rotation{Message: r.Chain.describeWait(step, due), NextAt: utc(due)}
			return set, nil
		}
		after, err := before.Apply(step, r.Chain.Plan, now, r.Chain.generate)
		if err != nil {
			return set, err
		}
		result = Rotation{Changed: true}
		if len(after) > 1 {
			_, due := after.Next(r.Chain.Plan)
			result.NextAt = utc(due)
		}
		if r.Chain.Kind == Data && step == keystore.Remove {
			if result.Resealed, err = r.reseal(ctx, before); err != nil {
				return set, err
			}
		}
		if result.Message, err = r.Chain.describeStep(step, before, after); err != nil {
			return set, err
		}
		return r.Chain.with(set, after), r.Audit(ctx, result.Message, now)
	})
	if err != nil {
		return Rotation{}, err
	}
	return result, nil
}

// reseal encrypts everything again with the last of the secrets, so that the others
// can be removed.
func (r *Rotator) reseal(ctx context.Context, secrets keystore.Keys) (*Resealed, error) {
	last := len(secrets) - 1
	var others []secret.String
	for _, k := range secrets[:last] {
		others = append(others, k.Text)
	}
	ring, err := keyring.New(secrets[last].Text, others...)
	if err != nil {
		return nil, err
	}
	return r.Reseal(ctx, ring)
}

// describeStep returns one line about a step that was taken.
func (c *Chain) describeStep(step keystore.Step, before, after keystore.Keys) (string, error) {
	key := after[len(after)-1]
	if step == keystore.Remove {
		key = before[0]
	}
	id, err := keyID(c.Kind, key.Text)
	if err != nil {
		return "", err
	}
	switch {
	case step == keystore.Remove:
		return fmt.Sprintf("the %s %s is removed", c.Kind, id), nil
	case step == keystore.Publish && c.Plan.Publish > 0:
		return fmt.Sprintf("the %s %s is published", c.Kind, id), nil
	}
	return fmt.Sprintf("the %s %s signs from %s on", c.Kind, id, key.Signs.Format(time.RFC3339)), nil
}

// describeWait returns one line about why a step is not due yet.
func (c *Chain) describeWait(step keystore.Step, due time.Time) string {
	kind := string(c.Kind)
	reason := map[keystore.Step]string{
		keystore.Publish: "the " + kind + " signs for less than " + c.Plan.MinAge.String() + " (--older-than)",
		keystore.Sign:    "verifiers may have a key set without the new " + kind,
		keystore.Remove:  "tokens of the " + kind + " before may still be in use",
	}[step]
	return fmt.Sprintf("nothing to do before %s: %s", due.UTC().Format(time.RFC3339), reason)
}

func utc(t time.Time) *time.Time {
	t = t.UTC()
	return &t
}
