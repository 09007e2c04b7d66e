package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
)

// A SealedHead is the stored head of the chain. Its MAC is zero before the
// first event.
type SealedHead struct {
	audit.Head

	MAC audit.MAC
}

const headColumns = `seq, hash, pruned_seq, pruned_hash, mac`

func headDest(h *SealedHead) []any {
	return []any{&h.Seq, bytesScanner(h.Hash[:]), &h.Pruned.Seq, bytesScanner(h.Pruned.Hash[:]), bytesScanner(h.MAC[:])}
}

// AuditHead returns the head of the chain, or the zero head if its row was
// deleted.
func (s *Statements) AuditHead(ctx context.Context) (SealedHead, error) {
	var h SealedHead
	err := s.queryRow(ctx, errNoMatch, headDest(&h), `SELECT `+headColumns+` FROM audit_chain WHERE id = 1`)
	if err != nil && !errors.Is(err, errNoMatch) {
		return SealedHead{}, fmt.Errorf("head of the audit chain: %w", err)
	}
	return h, nil
}

// LockAuditHead returns the head like AuditHead, and locks it until the
// transaction ends.
func (tx *Tx) LockAuditHead(ctx context.Context) (SealedHead, error) {
	var h SealedHead
	err := tx.queryRow(ctx, errNoMatch, headDest(&h), `UPDATE audit_chain SET id = 1 WHERE id = 1 RETURNING `+headColumns)
	if err != nil && !errors.Is(err, errNoMatch) {
		return SealedHead{}, fmt.Errorf("lock the audit chain: %w", err)
	}
	return h, nil
}

// MoveAuditHead stores a new head.
func (tx *Tx) MoveAuditHead(ctx context.Context, h SealedHead) error {
	n, err := tx.exec(ctx, `
		UPDATE audit_chain SET seq = $1, hash = $2, pruned_seq = $3, pruned_hash = $4, mac = $5 WHERE id = 1`,
		h.Seq, h.Hash[:], h.Pruned.Seq, h.Pruned.Hash[:], h.MAC[:])
	if err == nil && n == 0 {
		err = errors.New("its row is missing")
	}
	if err != nil {
		return fmt.Errorf("move the audit chain: %w", err)
	}
	return nil
}

// UnchainedEvents returns events that are not in the chain yet, oldest first.
func (s *Statements) UnchainedEvents(ctx context.Context, limit int) ([]audit.Event, error) {
	list, err := s.events(ctx, `
		SELECT `+eventColumns+` FROM audit_events WHERE seq IS NULL ORDER BY id LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("unchained audit events: %w", err)
	}
	return list, nil
}

// CountUnchained returns the number of events that are not in the chain yet,
// and the time of the oldest.
func (s *Statements) CountUnchained(ctx context.Context) (n int64, oldest *time.Time, err error) {
	err = s.queryRow(ctx, nil, []any{&n, nullTimeScanner{&oldest}}, `
		SELECT COUNT(*), MIN(at) FROM audit_events WHERE seq IS NULL`)
	if err != nil {
		return 0, nil, fmt.Errorf("count unchained audit events: %w", err)
	}
	return n, oldest, nil
}

// ChainEvent puts an event into its place in the chain.
func (tx *Tx) ChainEvent(ctx context.Context, id string, l audit.Link, mac audit.MAC) error {
	n, err := tx.exec(ctx, `
		UPDATE audit_events SET seq = $2, hash = $3, mac = $4 WHERE id = $1 AND seq IS NULL`,
		id, l.Seq, l.Hash[:], mac[:])
	if err != nil {
		return fmt.Errorf("chain audit event: %w", err)
	}
	if n == 0 {
		return ErrChanged
	}
	return nil
}

// UnchainEvents removes all events from the chain and starts a new one.
func (tx *Tx) UnchainEvents(ctx context.Context) error {
	_, err := tx.exec(ctx, `
		INSERT INTO audit_chain (id) VALUES (1)
		ON CONFLICT (id) DO UPDATE SET seq = 0, hash = NULL, pruned_seq = 0, pruned_hash = NULL, mac = NULL`)
	if err == nil {
		_, err = tx.exec(ctx, `UPDATE audit_events SET seq = NULL, hash = NULL, mac = NULL WHERE seq IS NOT NULL`)
	}
	if err != nil {
		return fmt.Errorf("begin the audit chain anew: %w", err)
	}
	return nil
}

// A ChainedEvent is an event in its place in the chain.
type ChainedEvent struct {
	audit.Event
	audit.Link

	MAC audit.MAC
}

// ChainedEvents returns the events after the place, in order.
func (s *Statements) ChainedEvents(ctx context.Context, after int64, limit int) ([]ChainedEvent, error) {
	list := make([]ChainedEvent, 0, limit)
	err := queryList(ctx, s, &list, func(row scanner) error {
		var e ChainedEvent
		err := row.Scan(append(eventDest(&e.Event), &e.Seq, bytesScanner(e.Hash[:]), bytesScanner(e.MAC[:]))...)
		list = append(list, e)
		return err
	}, `
		SELECT `+eventColumns+`, seq, hash, mac FROM audit_events
		WHERE seq > $1 ORDER BY seq LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("chained audit events: %w", err)
	}
	return list, nil
}

// ChainedAt returns the link at a place, and whether there is one.
func (s *Statements) ChainedAt(ctx context.Context, seq int64) (audit.Link, bool, error) {
	l := audit.Link{Seq: seq}
	err := s.queryRow(ctx, errNoMatch, []any{bytesScanner(l.Hash[:])}, `SELECT hash FROM audit_events WHERE seq = $1`, seq)
	switch {
	case err == nil:
		return l, true, nil
	case errors.Is(err, errNoMatch):
		return audit.Link{}, false, nil
	}
	return audit.Link{}, false, fmt.Errorf("audit chain at a place: %w", err)
}

// PruneEvents deletes the events up to the place and returns how many it
// deleted.
func (tx *Tx) PruneEvents(ctx context.Context, upTo int64) (int64, error) {
	n, err := tx.exec(ctx, `DELETE FROM audit_events WHERE seq <= $1`, upTo)
	if err != nil {
		return 0, fmt.Errorf("prune audit events: %w", err)
	}
	return n, nil
}

// bytesScanner scans bytes into an array. Null, or a value of another length,
// clears it: zero is the hash and the MAC of nothing.
func bytesScanner(into []byte) sql.Scanner { return fixedBytes(into) }

type fixedBytes []byte

func (f fixedBytes) Scan(value any) error {
	clear(f)
	if b, ok := value.([]byte); ok && len(b) == len(f) {
		copy(f, b)
	}
	return nil
}
