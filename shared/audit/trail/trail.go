// Package trail looks after the audit trail: it chains events, so that the
// removal or change of one shows, prunes those that are older than they are kept,
// and verifies the whole.
//
// An event becomes a row in the transaction of what it tells, without a place in
// the chain: a chain that every request extends would be a queue for all of
// them. [Trail.Keep] gives places afterwards, in the background of every process
// and on schedule on Lambda; the head of the chain is one row, which one of them
// holds at a time.
//
// What is promised stands in docs/adr/0015-the-audit-trail-is-chained.md.
package trail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/background"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/store"
)

const (
	batch    = 200              // events that get a place in one transaction
	page     = 1000             // events that are verified or pruned at a time
	interval = 10 * time.Second // between two looks; so long may an event be without a place

	// Stale is how old an event without a place may get before it means that
	// nobody gives any.
	Stale = 10 * time.Minute
)

// A Trail is the audit trail in a database. It is safe for concurrent use, and
// several may work on one database.
type Trail struct {
	db   *store.DB
	keys keyring.Keys
	keep time.Duration // 0: for ever
	now  func() time.Time

	// Progress, unless nil, is called by Keep and Verify after each page with how
	// many events were chained, pruned or verified so far. Set it before use.
	Progress func(what string, events int64)

	mu   sync.Mutex
	seen audit.Link // the last head that this process knows
}

// New returns the trail in db, whose events are kept for so long; 0 is for ever.
func New(db *store.DB, ring *keyring.Ring, keep time.Duration, now func() time.Time) *Trail {
	return &Trail{db: db, keys: ring.Derive(audit.Purpose), keep: keep, now: now}
}

// Read returns the trail that AUDIT_RETENTION_DAYS asks for (365; 0 keeps events
// for ever).
func Read(env *config.Env, db *store.DB, ring *keyring.Ring) *Trail {
	const longest = 100 * 365
	days := env.Int("AUDIT_RETENTION_DAYS", 365, 0, longest)
	return New(db, ring, time.Duration(days)*24*time.Hour, time.Now)
}

// A Broken chain is one that somebody changed; where it shows first, and how.
type Broken struct {
	Seq    int64  `json:"seq"`                // the place
	Event  string `json:"event_id,omitempty"` // what is there
	Reason string `json:"reason"`
}

func (b *Broken) Error() string {
	return fmt.Sprintf("the audit trail is broken at place %d: %s", b.Seq, b.Reason)
}

// Keep gives places to the events that have none, and prunes what is old. It may
// run beside itself, and stop at any point. A [Broken] chain is not continued.
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

// chain gives places to one batch. With nothing to do it is two statements.
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

// lock takes the head for this transaction, and refuses one that is not as some
// process left it.
func (t *Trail) lock(ctx context.Context, tx *store.Tx) (store.SealedHead, error) {
	head, err := tx.LockAuditHead(ctx)
	if err != nil {
		return head, err
	}
	if b := t.judge(head); b != nil {
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

// judge returns what is wrong with the head as such.
func (t *Trail) judge(head store.SealedHead) *Broken {
	if head.MAC == (audit.MAC{}) && head.Head == (audit.Head{}) {
		return nil // it never began
	}
	switch head.MAC.Judge(t.keys, head.Seal) {
	case audit.Wrong:
		return &Broken{Seq: head.Seq, Reason: "the head of the chain is forged"}
	case audit.Unknown:
		return &Broken{Seq: head.Seq, Reason: "the head of the chain is sealed with a secret that is not among DATA_SECRET and DATA_PREVIOUS_SECRETS, or where the first is unset, JWT_SECRET and JWT_PREVIOUS_SECRETS"}
	default:
		return nil
	}
}

// continues compares the head with the last one that this process knows: an
// earlier one, put back with everything behind it, is sealed as well as any.
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

// move seals the head and keeps it.
func (t *Trail) move(ctx context.Context, tx *store.Tx, head audit.Head) error {
	return tx.MoveAuditHead(ctx, store.SealedHead{Head: head, MAC: head.Seal(t.keys.Current())})
}

// prune deletes old events from the front, a page at a time, and anchors the
// chain at the last of them. What it deletes it verifies first, so that nobody
// gets rid of an event by making it look old.
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

// follows returns what is wrong with e as the event behind before.
func (t *Trail) follows(before audit.Link, e store.ChainedEvent) *Broken {
	next := before.Next(e.Event)
	switch {
	case e.Seq > next.Seq:
		return &Broken{Seq: next.Seq, Reason: fmt.Sprintf("%d events are missing before event %s", e.Seq-next.Seq, e.ID)}
	case e.Hash != next.Hash:
		return &Broken{Seq: e.Seq, Event: e.ID, Reason: "the event was changed"}
	case e.MAC.Judge(t.keys, e.Seal) == audit.Wrong:
		return &Broken{Seq: e.Seq, Event: e.ID, Reason: "the event was changed, and the chain behind it forged"}
	}
	return nil
}

// ErrWhole is what Adopt returns for a trail that is not broken.
var ErrWhole = errors.New("the audit trail is not broken; there is nothing to adopt")

// Adopt takes a broken trail as it stands: what is there gets new places, and an
// event in the trail tells that, and what was wrong. Nothing before that event is
// vouched for any more but by whoever adopted it. Processes that knew the old
// chain go on after a restart.
func (t *Trail) Adopt(ctx context.Context, origin audit.Origin) (Report, error) {
	r, err := t.Verify(ctx, audit.Link{})
	if err == nil && r.OK {
		err = ErrWhole
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

// Loop keeps the trail until ctx ends, and logs each head: who has the log can
// tell later that the chain was not cut (gateway audit verify --head).
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

// Seen returns the last head that this process made, as verify takes it.
func (t *Trail) Seen() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return FormatLink(t.seen)
}
