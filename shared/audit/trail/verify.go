package trail

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/store"
)

// A Report is the result of a verification.
type Report struct {
	OK          bool       `json:"ok"`
	Events      int64      `json:"events"`             // verified
	Pruned      int64      `json:"pruned"`             // deleted because of their age
	Head        string     `json:"head"`               // PLACE:HASH of the last event
	Unchained   int64      `json:"unchained"`          // not in the chain yet, so not verified
	Oldest      *time.Time `json:"oldest_unchained"`   // of them
	Stale       bool       `json:"stale"`              // no process chains events; see [staleAfter]
	OlderSecret int64      `json:"with_older_secrets"` // sealed with a secret that was dropped; later events cover them
	Broken      *Broken    `json:"broken"`             // null if ok
}

// FormatLink returns the text for a place in the chain.
func FormatLink(l audit.Link) string { return fmt.Sprintf("%d:%x", l.Seq, l.Hash[:]) }

// ParseLink parses the text of FormatLink.
func ParseLink(text string) (audit.Link, error) {
	var l audit.Link
	place, hash, _ := strings.Cut(text, ":")
	seq, err1 := strconv.ParseInt(place, 10, 64)
	sum, err2 := hex.DecodeString(hash)
	if err1 != nil || err2 != nil || len(sum) != len(l.Hash) || seq < 1 {
		return l, errors.New("not a head as the log has it, PLACE:HASH")
	}
	l.Seq = seq
	copy(l.Hash[:], sum)
	return l, nil
}

// Verify checks all chained events: that none is missing, changed or moved, and that
// the last one is the head. A witness is a head that was noted earlier: the chain
// must contain it, which a chain that was cut or rebuilt does not. The zero Link is
// no witness. The error is one of the database.
func (t *Trail) Verify(ctx context.Context, witness audit.Link) (Report, error) {
	for {
		r, pruned, err := t.verify(ctx, witness)
		if err != nil || r.Broken == nil {
			return r, err
		}
		head, err := t.db.AuditHead(ctx)
		if err != nil || head.Pruned.Seq == pruned {
			return r, err
		}
		// Events were pruned meanwhile.
	}
}

func (t *Trail) verify(ctx context.Context, witness audit.Link) (r Report, pruned int64, err error) {
	head, err := t.db.AuditHead(ctx)
	if err != nil {
		return r, 0, err
	}
	r = Report{Pruned: head.Pruned.Seq, Head: FormatLink(head.Link)}
	if r.Unchained, r.Oldest, err = t.db.CountUnchained(ctx); err != nil {
		return r, 0, err
	}
	r.Stale = r.Oldest != nil && t.now().Sub(*r.Oldest) > staleAfter
	if r.Broken = t.checkHead(head); r.Broken == nil {
		r.Broken, err = t.walk(ctx, head, witness, &r)
	}
	r.OK = r.Broken == nil
	return r, head.Pruned.Seq, err
}

// walk verifies the events from the anchor to the head.
func (t *Trail) walk(ctx context.Context, head store.SealedHead, witness audit.Link, r *Report) (*Broken, error) {
	if witness.Seq > head.Seq {
		return &Broken{Seq: head.Seq + 1, Reason: fmt.Sprintf("the chain was cut: it reached place %d when the head was noted", witness.Seq)}, nil
	}
	if before, err := t.db.ChainedEvents(ctx, 0, 1); err != nil {
		return nil, err
	} else if len(before) > 0 && before[0].Seq <= head.Pruned.Seq {
		return &Broken{Seq: before[0].Seq, Event: before[0].ID, Reason: "the event stands before the first that was kept"}, nil
	}
	last := head.Pruned
	for {
		if b := passes(last, witness); b != nil {
			return b, nil
		}
		events, err := t.db.ChainedEvents(ctx, last.Seq, page)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			if e.Seq > head.Seq {
				return t.beyond(ctx, last, head, e)
			}
			if b := t.follows(last, e); b != nil {
				return b, nil
			}
			if e.MAC.Check(t.keys, e.Seal) == audit.UnknownKey {
				r.OlderSecret++
			}
			last = e.Link
			r.Events++
			if b := passes(last, witness); b != nil {
				return b, nil
			}
		}
		if len(events) == 0 {
			return ends(last, head), nil
		}
		t.progress("verified", r.Events)
	}
}

// beyond handles an event after the head: either the head moved since it was read,
// or somebody inserted the event.
func (t *Trail) beyond(ctx context.Context, last audit.Link, head store.SealedHead, e store.ChainedEvent) (*Broken, error) {
	now, err := t.db.AuditHead(ctx)
	if err == nil && now.Seq < e.Seq {
		return &Broken{Seq: e.Seq, Event: e.ID, Reason: "the event stands behind the last"}, nil
	}
	return ends(last, head), err
}

// ends returns what is wrong if the events end before the head.
func ends(last audit.Link, head store.SealedHead) *Broken {
	if last == head.Link {
		return nil
	}
	return &Broken{Seq: last.Seq + 1, Reason: fmt.Sprintf("the last %d events are missing", head.Seq-last.Seq)}
}

// passes compares the chain with the witness at its place.
func passes(at, witness audit.Link) *Broken {
	if at.Seq != witness.Seq || witness.Seq == 0 || at.Hash == witness.Hash {
		return nil
	}
	return &Broken{Seq: at.Seq, Reason: "the chain is not the one whose head was noted: it was made anew"}
}
