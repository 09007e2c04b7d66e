package reconcile

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/seal"
	"github.com/voiceassist/gateway/shared/foundation/background"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/store"
)

const (
	resealPage     = 500         // values that are read at a time
	resealInterval = time.Hour   // between two runs of one process with the same key
	resealCheck    = time.Minute // between two looks at the key ring, which may have changed
)

// A Resealer seals again, with the current key, what was sealed with an earlier
// one, as long as the ring has earlier keys. It is safe for concurrent use, also by
// several processes.
type Resealer struct {
	db   *store.DB
	ring *keyring.Ring
	now  func() time.Time

	mu   sync.Mutex
	with [4]byte   // the current key of the last successful run
	last time.Time // when that was
}

// NewResealer returns a resealer for the ring.
func NewResealer(db *store.DB, ring *keyring.Ring, now func() time.Time) *Resealer {
	return &Resealer{db: db, ring: ring, now: now}
}

// Due reseals, unless there is only one key, or this process did so with the same
// key in the last hour. Once is not enough: another process may seal with the
// earlier key until it knows the new one.
func (r *Resealer) Due(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys, now := r.ring.Derive(desired.Purpose).All(), r.now()
	since := now.Sub(r.last)
	if len(keys) == 1 || keys[0].ID == r.with && since >= 0 && since < resealInterval {
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

// Loop reseals whenever it is due, until ctx ends.
func (r *Resealer) Loop(ctx context.Context) {
	background.Loop{Failed: "seal anew", Interval: resealCheck}.Run(ctx, r.Due)
}

// Reseal seals again, with the current key of the ring, everything that was sealed
// with an earlier one, so that the earlier secret can be removed. It returns how
// many values it sealed, and how many no key of the ring opens; those stay as they
// are. It can run beside gateways that have the ring, and beside itself. After each
// page it calls progress with the number of values checked so far.
func Reseal(ctx context.Context, db *store.DB, ring *keyring.Ring, progress func(checked int)) (sealed, lost int, err error) {
	checked := 0
	for _, place := range store.SealedColumns() {
		box := seal.New(ring.Derive(place.Purpose()))
		for after := ""; ; {
			values, err := db.SealedValues(ctx, place, after, resealPage)
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
				replaced, err := db.ReplaceSealed(ctx, place, v, box.Seal(plain, string(v.Owner)))
				if err != nil {
					return sealed, lost, err
				}
				if replaced {
					sealed++
				}
			}
			checked += len(values)
			progress(checked)
			if len(values) < resealPage {
				break
			}
		}
	}
	return sealed, lost, nil
}

// Opens reports whether the ring opens what is sealed, by one value of each kind.
// It is true if nothing is sealed.
func Opens(ctx context.Context, db *store.DB, ring *keyring.Ring) (bool, error) {
	for _, place := range store.SealedColumns() {
		box := seal.New(ring.Derive(place.Purpose()))
		values, err := db.SealedValues(ctx, place, "", 1)
		if err != nil {
			return false, err
		}
		for _, v := range values {
			if _, err := box.Open(v.Box, string(v.Owner)); err != nil {
				return false, nil //nolint:nilerr // the answer to the question
			}
		}
	}
	return true, nil
}
