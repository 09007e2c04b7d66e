package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
)

// Purpose is what the keys of the chain are derived for.
const Purpose = "audit chain v1"

// A Hash is SHA-256 over an event and the hash before it, so that one of them
// stands for the whole trail up to it. The first follows the zero hash.
type Hash [sha256.Size]byte

// A MAC vouches for a hash: the id of a key that is not in the database (4
// bytes), and HMAC-SHA256 (RFC 2104) with it.
type MAC [4 + sha256.Size]byte

// A Link is the place of an event in the chain. Places are counted from 1.
type Link struct {
	Seq  int64
	Hash Hash
}

// Next returns the link of e behind l. What of e is hashed is what the store
// keeps, in one form: each part with its length before it.
func (l Link) Next(e Event) Link {
	next := Link{Seq: l.Seq + 1}
	b := append([]byte("voiceassist audit link v1\x00"), l.Hash[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(next.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(e.At.UnixMicro()))
	for _, part := range []string{
		e.ID, string(e.Name), string(e.User), string(e.Actor), string(e.Login), e.Detail,
		e.Origin.Address, e.Origin.Device, e.Origin.CorrelationID,
	} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	next.Hash = sha256.Sum256(b)
	return next
}

// Seal returns the MAC of the link alone.
func (l Link) Seal(key keyring.Key) MAC { return seal(key, "link", l) }

// A Head is the chain as a whole: its last link, and the last one that was
// pruned, on which the first event that is still there follows.
type Head struct {
	Link

	Pruned Link
}

// Seal returns the MAC of the head. That of a link is none of a head, so nobody
// without a key can declare an earlier link the last.
func (h Head) Seal(key keyring.Key) MAC { return seal(key, "head", h.Link, h.Pruned) }

func seal(key keyring.Key, what string, links ...Link) (m MAC) {
	h := hmac.New(sha256.New, key.Bytes[:])
	h.Write([]byte("voiceassist audit " + what + " v1\x00"))
	for _, l := range links {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(l.Seq)))
		h.Write(l.Hash[:])
	}
	copy(m[:4], key.ID[:])
	h.Sum(m[:4])
	return m
}

// A Verdict is what a MAC says.
type Verdict int

// The verdicts.
const (
	Wrong   Verdict = iota // it is not the MAC of this under the key that it names
	Genuine                // it is
	Unknown                // it names a key that the ring does not have, any more
)

// Judge compares the MAC with the one that sealed gives under the key that it
// names.
func (m MAC) Judge(keys keyring.Keys, sealed func(keyring.Key) MAC) Verdict {
	key, known := keys.ByID([4]byte(m[:4]))
	if !known {
		return Unknown
	}
	want := sealed(key)
	if !hmac.Equal(m[:], want[:]) {
		return Wrong
	}
	return Genuine
}
