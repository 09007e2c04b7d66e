package store

import (
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// at returns t as the store keeps it: in UTC and whole microseconds.
func at(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// atOrNull is [at] for an optional time.
func atOrNull(t *time.Time) any {
	if t == nil {
		return nil
	}
	return at(*t)
}

// orNull returns nil for the empty string.
func orNull[S ~string](s S) any {
	if s == "" {
		return nil
	}
	return string(s)
}

// timeScanner scans a time: PostgreSQL returns a time, SQLite microseconds.
type timeScanner struct{ to *time.Time }

func (i timeScanner) Scan(value any) error {
	switch v := value.(type) {
	case time.Time:
		*i.to = v.UTC()
	case int64:
		*i.to = time.UnixMicro(v).UTC()
	default:
		return fmt.Errorf("scan %T as a time", value)
	}
	return nil
}

// nullTimeScanner scans an optional time.
type nullTimeScanner struct{ to **time.Time }

func (i nullTimeScanner) Scan(value any) error {
	if value == nil {
		*i.to = nil
		return nil
	}
	var t time.Time
	if err := (timeScanner{&t}).Scan(value); err != nil {
		return err
	}
	*i.to = &t
	return nil
}

// nullTextScanner scans an optional text; null is "".
type nullTextScanner[S ~string] struct{ to *S }

func (m nullTextScanner[S]) Scan(value any) error {
	var s sql.NullString
	if err := s.Scan(value); err != nil {
		return err
	}
	*m.to = S(s.String)
	return nil
}

// errNoMatch is returned by a compare-and-swap that matched no row.
var errNoMatch = errors.New("no row matched")
