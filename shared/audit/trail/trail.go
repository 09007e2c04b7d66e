// Package trail maintains the audit trail: it chains events, so that the removal or
// change of one is detected, prunes old events, and verifies the chain.
//
// An event is first stored without a place in the chain, in the transaction of the
// change that it records: if requests extended the chain, they would all wait for
// each other. [Trail.Keep] assigns places later, in the background of every process
// and on a schedule on Lambda. The head of the chain is one row, which only one
// process can lock at a time.
//
// Begin with [Trail]. docs/adr/0015-the-audit-trail-is-chained.md lists the
// guarantees.
package trail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/background"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/store"
)

const (
	batch    = 200              // events that are chained in one transaction
	page     = 1000             // events that are verified or pruned at a time
	interval = 10 * time.Second // the longest pause of the loop, and so the age of an unchained event

	// staleAfter is the age of an unchained event that shows that no process chains
	// events.
	staleAfter = 10 * time.Minute
)

// A Trail is the audit trail in a database. It is safe for concurrent use, also by
// several processes.
type Trail struct {
	db   *store.DB
	keys keyring.Keys
	keep time.Duration // retention; 0: forever
	now  func() time.Time

	// Progress, if not nil, is called by Keep and Verify after each page, with the
	// number of events chained, pruned or verified so far. Set it before use.
	Progress func(what string, events int64)

	mu   sync.Mutex
	seen audit.Link // the last head that this process has seen
}

// New returns the trail in db, whose events are kept for so long; 0 is for ever.
func New(db *store.DB, ring *keyring.Ring, keep time.Duration, now func() time.Time) *Trail {
	return &Trail{db: db, keys: ring.Derive(audit.Purpose), keep: keep, now: now}
}

// Settings bound the audit trail.
type Settings struct {
	Keep time.Duration // how long events are kept; 0 keeps them forever
}

// Load loads AUDIT_RETENTION_DAYS.
func (s *Settings) Load(r setting.Reader) {
	const longest = 100 * 365
	s.Keep = time.Duration(r.Int("AUDIT_RETENTION_DAYS", 365, 0, longest)) * 24 * time.Hour
}

// A Broken is the error of a chain that somebody changed: where the change first
// shows, and how.
type Broken struct {
	Seq    int64  `json:"seq"`                // the place
	Event  string `json:"event_id,omitempty"` // what is there
	Reason string `json:"reason"`
}

func (b *Broken) Error() string {
	return fmt.Sprintf("the audit trail is broken at place %d: %s", b.Seq, b.Reason)
}

// Keep chains the events that have no place, and prunes old events. Concurrent calls
// are safe, and it may stop at any point. It does not extend a [Broken] chain.
func (t *Trail) Keep(ctx context.Context) (chained, pruned int64, err error) {
	for {
		n, err := t.chain(ctx)
		chained += n
		t.progress("chained", chained)
		if err != nil {
			return chained, 0, err
		}
		if n < batch {
			break
		}
	}
	for t.keep > 0 {
		n, err := t.prune(ctx)
		pruned += n
		t.progress("pruned", pruned)
		if err != nil || n < page {
			return chained, pruned, err
		}
	}
	return chained, 0, nil
}

func (t *Trail) progress(what string, events int64) {
	if t.Progress != nil {
		t.Progress(what, events)
	}
}

// chain chains one batch of events. With nothing to do it takes two statements.
func (t *Trail) chain(ctx context.Context) (n int64, err error) {
	head, err := t.db.AuditHead(ctx)
	if err != nil {
		return 0, err
	}
	waiting, err := t.db.UnchainedEvents(ctx, 1)
	if err != nil || len(waiting) == 0 && (head.Seq == 0 || [4]byte(head.MAC[:4]) == t.keys.Current().ID) {
		return 0, err
	}
	var last audit.Link
	err = t.db.Update(ctx, func(tx *store.Tx) error {
		head, err := t.lock(ctx, tx)
		if err != nil {
			return err
		}
		events, err := tx.UnchainedEvents(ctx, batch)
		if err != nil {
			return err
		}
		key, link := t.keys.Current(), head.Link
		for _, e := range events {
			link = link.Next(e)
			if err := tx.ChainEvent(ctx, e.ID, link, link.Seal(key)); err != nil {
				return err
			}
		}
		n, last = int64(len(events)), link
		return t.move(ctx, tx, audit.Head{Link: link, Pruned: head.Pruned})
	})
	if err != nil {
		return 0, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if last.Seq > t.seen.Seq {
		t.seen = last
	}
	return n, nil
}

// lock locks the head for this transaction, and returns an error unless it is as a
// process left it.
func (t *Trail) lock(ctx context.Context, tx *store.Tx) (store.SealedHead, error) {
	head, err := tx.LockAuditHead(ctx)
	if err != nil {
		return head, err
	}
	if b := t.checkHead(head); b != nil {
		return head, b
	}
	if head.MAC == (audit.MAC{}) {
		there, err := tx.ChainedEvents(ctx, 0, 1)
		if err == nil && len(there) > 0 {
			err = &Broken{Seq: there[0].Seq, Event: there[0].ID, Reason: "there are events and no head: it was taken away"}
		}
		if err != nil {
			return head, err
		}
	}
	return head, t.continues(ctx, tx, head)
}

// checkHead returns what is wrong with the head itself.
func (t *Trail) checkHead(head store.SealedHead) *Broken {
	if head.MAC == (audit.MAC{}) && head.Head == (audit.Head{}) {
		return nil // there was no event yet
	}
	switch head.MAC.Check(t.keys, head.Seal) {
	case audit.Forged:
		return &Broken{Seq: head.Seq, Reason: "the head of the chain is forged"}
	case audit.UnknownKey:
		return &Broken{Seq: head.Seq, Reason: "the head of the chain is sealed with a secret that is not among DATA_SECRET and DATA_PREVIOUS_SECRETS, or where the first is unset, JWT_SECRET and JWT_PREVIOUS_SECRETS"}
	default:
		return nil
	}
}

// continues compares the head with the last one that this process has seen. An
// attacker may have restored an earlier state of the tables, with a valid MAC.
func (t *Trail) continues(ctx context.Context, tx *store.Tx, head store.SealedHead) error {
	t.mu.Lock()
	seen := t.seen
	t.mu.Unlock()
	if seen.Seq == 0 || head.Link == seen || head.Pruned.Seq > seen.Seq || head.Pruned == seen {
		return nil
	}
	if head.Seq < seen.Seq {
		return &Broken{Seq: head.Seq + 1, Reason: fmt.Sprintf("the chain went back: it reached place %d before", seen.Seq)}
	}
	was, there, err := tx.ChainedAt(ctx, seen.Seq)
	if err == nil && (!there || was != seen) {
		err = &Broken{Seq: seen.Seq, Reason: "the chain is not the one that was there before"}
	}
	return err
}

// move seals the head and stores it.
func (t *Trail) move(ctx context.Context, tx *store.Tx, head audit.Head) error {
	return tx.MoveAuditHead(ctx, store.SealedHead{Head: head, MAC: head.Seal(t.keys.Current())})
}

// prune deletes one page of old events from the front, and anchors the chain at the
// last of them. It verifies events before it deletes them, so that nobody removes
// an event by changing its date.
func (t *Trail) prune(ctx context.Context) (n int64, err error) {
	until := t.now().Add(-t.keep)
	head, err := t.db.AuditHead(ctx)
	if err != nil {
		return 0, err
	}
	front, err := t.db.ChainedEvents(ctx, head.Pruned.Seq, 1)
	if err != nil || len(front) == 0 || !front[0].At.Before(until) {
		return 0, err
	}
	err = t.db.Update(ctx, func(tx *store.Tx) error {
		head, err := t.lock(ctx, tx)
		if err != nil {
			return err
		}
		old, err := tx.ChainedEvents(ctx, head.Pruned.Seq, page)
		if err != nil {
			return err
		}
		for _, e := range old {
			if !e.At.Before(until) || e.Seq > head.Seq {
				break
			}
			if b := t.follows(head.Pruned, e); b != nil {
				return b
			}
			head.Pruned = e.Link
		}
		if n, err = tx.PruneEvents(ctx, head.Pruned.Seq); err != nil {
			return err
		}
		return t.move(ctx, tx, head.Head)
	})
	return n, err
}

// follows returns what is wrong with e as the successor of before.
func (t *Trail) follows(before audit.Link, e store.ChainedEvent) *Broken {
	next := before.Next(e.Event)
	switch {
	case e.Seq > next.Seq:
		return &Broken{Seq: next.Seq, Reason: fmt.Sprintf("%d events are missing before event %s", e.Seq-next.Seq, e.ID)}
	case e.Hash != next.Hash:
		return &Broken{Seq: e.Seq, Event: e.ID, Reason: "the event was changed"}
	case e.MAC.Check(t.keys, e.Seal) == audit.Forged:
		return &Broken{Seq: e.Seq, Event: e.ID, Reason: "the event was changed, and the chain behind it forged"}
	}
	return nil
}

// ErrNotBroken is the error of Adopt for a trail that is not broken.
var ErrNotBroken = errors.New("the audit trail is not broken; there is nothing to adopt")

// Adopt accepts a broken trail as it is: all events get new places, and a new event
// records this and what was wrong. Only the word of whoever adopted the trail now
// supports the events before that one. Processes that have seen the old chain must
// be restarted.
func (t *Trail) Adopt(ctx context.Context, origin audit.Origin) (Report, error) {
	r, err := t.Verify(ctx, audit.Link{})
	if err == nil && r.OK {
		err = ErrNotBroken
	}
	if err != nil {
		return r, err
	}
	e := audit.New(audit.TrailAdopted, "", origin, t.now())
	e.Detail = r.Broken.Error()
	err = t.db.Update(ctx, func(tx *store.Tx) error {
		if err := tx.UnchainEvents(ctx); err != nil {
			return err
		}
		return tx.Audit(ctx, e)
	})
	return r, err
}

// Loop keeps the trail until ctx ends, and logs each head. With a logged head,
// "gateway audit verify --head" can detect later that the chain was cut.
func (t *Trail) Loop(ctx context.Context) {
	background.Loop{Failed: "audit trail", Level: level, Interval: interval / 2, Jitter: interval / 2}.Run(ctx, t.round)
}

func (t *Trail) round(ctx context.Context) error {
	chained, pruned, err := t.Keep(ctx)
	if err == nil && chained+pruned > 0 {
		slog.LogAttrs(ctx, slog.LevelInfo, "audit trail", slog.String("head", t.Seen()),
			slog.Int64("chained", chained), slog.Int64("pruned", pruned))
	}
	return err
}

// level returns the log level of an error of Keep. An unavailable database says
// nothing about the trail; every other error needs attention.
func level(err error) slog.Level {
	if fault.Of(err).Kind == fault.Unavailable {
		return slog.LevelWarn
	}
	return slog.LevelError
}

// Seen returns the last head that this process made, in the form of [FormatLink].
func (t *Trail) Seen() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return FormatLink(t.seen)
}
