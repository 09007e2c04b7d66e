package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
)

// Purpose is the purpose for which the keys of the chain are derived.
const Purpose = "audit chain v1"

// A Hash is the SHA-256 of an event and of the previous hash, so it covers the whole
// trail up to that event. The first event follows the zero hash.
type Hash [sha256.Size]byte

// A MAC authenticates a hash: the ID of a key that is not in the database (4 bytes),
// and the HMAC-SHA256 (RFC 2104) with that key.
type MAC [4 + sha256.Size]byte

// A Link is the place of an event in the chain. Places start at 1.
type Link struct {
	Seq  int64
	Hash Hash
}

// Next returns the link of e after l. The hash covers all stored fields of e, each
// preceded by its length.
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

// Seal returns the MAC of the link.
func (l Link) Seal(key keyring.Key) MAC { return seal(key, "link", l) }

// A Head describes the whole chain: its last link, and the last link that was
// pruned, which precedes the first stored event.
type Head struct {
	Link

	Pruned Link
}

// Seal returns the MAC of the head. The MAC of a link is not valid for a head, so
// nobody without a key can declare an earlier link to be the last.
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

// A Validity is the result of checking a MAC.
type Validity int

// The validities.
const (
	Forged     Validity = iota // not the MAC under the key that it names
	Valid                      // the MAC under the key that it names
	UnknownKey                 // it names a key that is not, or no longer, in the ring
)

// Check compares the MAC with the one that seal returns for the key that it names.
func (m MAC) Check(keys keyring.Keys, seal func(keyring.Key) MAC) Validity {
	key, known := keys.ByID([4]byte(m[:4]))
	if !known {
		return UnknownKey
	}
	want := seal(key)
	if !hmac.Equal(m[:], want[:]) {
		return Forged
	}
	return Valid
}
