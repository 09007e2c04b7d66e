package provision

import (
	"context"

	"github.com/voiceassist/gateway/shared/keyring"
	"github.com/voiceassist/gateway/shared/store"
)

const resealed = 500 // values that are read at a time

// Reseal seals anew, with the current key of the ring, all that was sealed with
// another, so that the secret before can be dropped. It returns how many values
// it sealed, and how many open with no key of the ring; those stay as they are.
// It may run beside gateways that have the ring, and beside itself.
func Reseal(ctx context.Context, db *store.DB, ring *keyring.Ring) (sealed, lost int, err error) {
	box := newBox(ring)
	for _, place := range store.SealedPlaces() {
		for after := ""; ; {
			values, err := db.SealedValues(ctx, place, after, resealed)
			if err != nil {
				return sealed, lost, err
			}
			for _, v := range values {
				after = v.ID
				if !box.NeedsReseal(v.Box) {
					continue
				}
				plain, err := box.Open(v.Box, string(v.Owner))
				if err != nil {
					lost++
					continue
				}
				fresh, err := box.Seal(plain, string(v.Owner))
				if err != nil {
					return sealed, lost, err
				}
				replaced, err := db.ReplaceSealed(ctx, place, v, fresh)
				if err != nil {
					return sealed, lost, err
				}
				if replaced {
					sealed++
				}
			}
			if len(values) < resealed {
				break
			}
		}
	}
	return sealed, lost, nil
}
