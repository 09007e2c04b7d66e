package reconcile

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/background"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/store"
)

const (
	resealed = 500 // values that are read at a time

	resealEvery = time.Hour   // between two looks of one process at what a secret before sealed
	resealLook  = time.Minute // between two at the ring, which may have changed
)

// A Resealer seals anew, in the background, what was sealed with another secret
// than the current one, for as long as there is another. It is safe for concurrent
// use, also by several processes.
type Resealer struct {
	db   *store.DB
	ring *keyring.Ring
	now  func() time.Time

	mu   sync.Mutex
	with [4]byte   // the current key of the last round that worked
	last time.Time // of that round
}

// NewResealer returns what reseals with the ring.
func NewResealer(db *store.DB, ring *keyring.Ring, now func() time.Time) *Resealer {
	return &Resealer{db: db, ring: ring, now: now}
}

// Due seals anew unless there is but one secret, or this process did in the last
// hour with the same. Once is not enough: another process may seal with the secret
// before until it knows the new one.
func (r *Resealer) Due(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys, now := r.ring.Derive(desired.Purpose).All(), r.now()
	since := now.Sub(r.last)
	if len(keys) == 1 || keys[0].ID == r.with && since >= 0 && since < resealEvery {
		return nil
	}
	sealed, lost, err := Reseal(ctx, r.db, r.ring, func(int) {})
	if sealed+lost > 0 {
		slog.LogAttrs(ctx, slog.LevelInfo, "sealed anew with the current secret", slog.Int("sealed", sealed), slog.Int("lost", lost))
	}
	if err == nil {
		r.with, r.last = keys[0].ID, now
	}
	return err
}

// Loop seals anew whenever it is due, until ctx ends.
func (r *Resealer) Loop(ctx context.Context) {
	background.Loop{Failed: "seal anew", Interval: resealLook}.Run(ctx, r.Due)
}

// Reseal seals anew, with the current key of the ring, all that was sealed with
// another, so that the secret before can be dropped. It returns how many values
// it sealed, and how many open with no key of the ring; those stay as they are.
// It may run beside gateways that have the ring, and beside itself. After each page
// it calls progress with how many values it has looked at.
func Reseal(ctx context.Context, db *store.DB, ring *keyring.Ring, progress func(looked int)) (sealed, lost int, err error) {
	box, looked := desired.NewBox(ring), 0
	for _, place := range store.SealedColumns() {
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
			looked += len(values)
			progress(looked)
			if len(values) < resealed {
				break
			}
		}
	}
	return sealed, lost, nil
}

// Opens reports whether what is sealed opens with the ring, by one value of each
// kind; true where there is none.
func Opens(ctx context.Context, db *store.DB, ring *keyring.Ring) (bool, error) {
	box := desired.NewBox(ring)
	for _, place := range store.SealedColumns() {
		values, err := db.SealedValues(ctx, place, "", 1)
		if err != nil {
			return false, err
		}
		for _, v := range values {
			if _, err := box.Open(v.Box, string(v.Owner)); err != nil {
				return false, nil
			}
		}
	}
	return true, nil
}
