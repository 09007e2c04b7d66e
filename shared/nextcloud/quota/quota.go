// Package quota reads and writes storage quotas in the forms that Nextcloud
// understands. Begin with [Parse]. The package does no I/O, and imports only the
// standard library.
package quota

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
)

// A Quota is the number of bytes that a user may store, or one of the negative
// values.
type Quota int64

// Values other than a number of bytes. The numbers are Nextcloud's.
const (
	Unknown   Quota = -2 // the server returned no valid quota
	Unlimited Quota = -3
)

const (
	megabyte Quota = 1 << 20 // Nextcloud counts in powers of 1024
	gigabyte Quota = 1 << 30
	maxQuota       = 1 << 53 // bytes; beyond it JSON numbers lose digits
)

// ErrBad is what [Parse] returns.
var ErrBad = errors.New("takes `N MB`, `N GB` or `none`, N a whole number")

// Parse reads the forms "N MB", "N GB" and "none", which Nextcloud stores as they
// are meant. It rejects forms that Nextcloud accepts and misinterprets: it takes "5
// GiB" for 5 bytes.
func Parse(s string) (Quota, error) {
	if s == "none" {
		return Unlimited, nil
	}
	number, unit, _ := strings.Cut(s, " ")
	size := map[string]Quota{"MB": megabyte, "GB": gigabyte}[unit]
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil || size == 0 || n > uint64(maxQuota/size) {
		return Unknown, ErrBad
	}
	return Quota(n) * size, nil
}

// Format returns the form that [Parse] reads, rounded up to whole MB. An unknown
// quota is "".
func Format(q Quota) string {
	switch {
	case q == Unlimited:
		return "none"
	case q < 0:
		return ""
	case q != 0 && q%gigabyte == 0:
		return strconv.FormatInt(int64(q/gigabyte), 10) + " GB"
	default:
		return strconv.FormatInt(int64((q+megabyte-1)/megabyte), 10) + " MB"
	}
}

// String returns [Format].
func (q Quota) String() string { return Format(q) }

// Near reports whether got is what Nextcloud returns after q was set. It keeps one
// decimal of the largest unit: 1500 MB become 1.5 GB.
func (q Quota) Near(got Quota) bool {
	if q < 0 || got < 0 {
		return q == got && q == Unlimited
	}
	unit := Quota(1)
	for unit<<10 <= max(q, got) && unit < 1<<50 {
		unit <<= 10
	}
	diff := q - got
	if diff < 0 {
		diff = -diff
	}
	return diff <= unit/20+1 // half a decimal, and the cut-off fraction of a byte
}

// UnmarshalJSON reads what Nextcloud returns: "none", another word, a number of
// bytes, -3, or a number too large for an integer. It never fails: a quota that
// makes no sense is [Unknown] and must not hide the user.
func (q *Quota) UnmarshalJSON(b []byte) error {
	*q = Unknown
	var word string
	if json.Unmarshal(b, &word) == nil {
		switch parsed, err := Parse(word); {
		case err == nil:
			*q = parsed
		case word == "default": // a server without a default quota
			*q = Unlimited
		}
		return nil
	}
	n, err := strconv.ParseFloat(string(bytes.TrimSpace(b)), 64)
	switch {
	case err != nil || math.IsNaN(n):
	case n >= math.MaxInt64:
		*q = math.MaxInt64
	case n >= 0 || n == float64(Unlimited):
		*q = Quota(n)
	}
	return nil //nolint:nilerr // anything else is Unknown
}
