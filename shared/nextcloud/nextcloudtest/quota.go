package nextcloudtest

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Values of a quota that are not sizes.
const (
	quotaNone    = "none"
	quotaDefault = "default"
)

// storedQuota returns a quota as stored: sizes are rounded for display. A
// negative one becomes "?", which no server can store.
func storedQuota(value string) (stored string, valid bool) {
	if value == quotaNone || value == quotaDefault {
		return value, true
	}
	n, valid := sizeOf(value)
	if !valid {
		return "", false
	}
	return humanSize(n), true
}

// sizeOf parses a size as Nextcloud does: the number at the beginning and the
// unit at the very end. So "5GiB" is 5 bytes and "1,5 GB" is 1 GB.
func sizeOf(value string) (float64, bool) {
	s := strings.ToLower(value)
	if n, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil {
		return n, true
	}
	unit := sizeUnit.FindString(s)
	if unit == "" {
		return 0, false
	}
	n, _ := strconv.ParseFloat(sizeNumber.FindString(s), 64) // none is 0
	return math.Round(n * unitSize(unit[0])), true
}

var (
	sizeUnit   = regexp.MustCompile(`([kmgtp]b?|b)$`)
	sizeNumber = regexp.MustCompile(`^\s*[+-]?\d+(\.\d+)?`)
)

func unitSize(letter byte) float64 {
	return math.Pow(1024, float64(strings.IndexByte("bkmgtp", letter)))
}

// humanSize rounds at every step, to whole KB and then to one decimal.
func humanSize(n float64) string {
	if n < 0 {
		return "?"
	}
	if n < 1024 {
		return decimal(n) + " B"
	}
	if n = math.Round(n / 1024); n < 1024 {
		return decimal(n) + " KB"
	}
	for _, unit := range []string{"MB", "GB", "TB"} {
		if n = math.Round(n/1024*10) / 10; n < 1024 {
			return decimal(n) + " " + unit
		}
	}
	return decimal(math.Round(n/1024*10)/10) + " PB"
}

func decimal(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// quotaValue returns the quota in the data of an account: a word or a number.
func quotaValue(stored string) any {
	if stored == quotaNone {
		return quotaNone
	}
	n, _ := sizeOf(stored)
	if n >= 1<<53 {
		return n
	}
	return int64(n)
}

// quotaObject returns the "quota" of an account. Before the first login there is no
// folder to measure.
func (s *Server) quotaObject(a *account) object {
	stored := a.quota
	if stored == quotaDefault {
		stored = s.defaultQuota
	}
	if a.lastLogin.IsZero() {
		return object{{"quota", quotaValue(stored)}, {"used", 0}}
	}
	if stored == quotaNone {
		return object{
			{"free", freeDisk}, {"used", s.usedBy(a)}, {"total", freeDisk + s.usedBy(a)},
			{"relative", 0}, {"quota", -3},
		}
	}
	limit, _ := sizeOf(stored)
	total, relative := int64(limit), 100.0
	if total == 0 {
		total = s.usedBy(a)
	} else {
		relative = math.Round(float64(s.usedBy(a))/limit*100*100) / 100
	}
	return object{
		{"free", max(int64(limit)-s.usedBy(a), 0)}, {"used", s.usedBy(a)}, {"total", total},
		{"relative", relative}, {"quota", quotaValue(stored)},
	}
}

// freeDisk is the free space of a user without a quota, in bytes.
const freeDisk = int64(75 << 30)

// availableBytes is the quota-available-bytes property (RFC 4331 section 3),
// with Nextcloud's -3 for "unlimited".
func (s *Server) availableBytes(a *account) string {
	free := s.free(a)
	if free < 0 {
		return "-3"
	}
	return fmt.Sprint(free)
}

// limit returns the quota in bytes, and whether there is one.
func (s *Server) limit(a *account) (int64, bool) {
	stored := a.quota
	if stored == quotaDefault {
		stored = s.defaultQuota
	}
	if stored == quotaNone {
		return 0, false
	}
	limit, _ := sizeOf(stored)
	return int64(limit), true
}
