package endpoint

import (
	"bytes"
	"encoding/json"
)

// An Optional is a member of a partial update (RFC 7396): if absent, the value
// stays; null resets it; any other value replaces it.
type Optional[T any] struct {
	Value T
	Set   bool // the member was sent
	Null  bool // it was null
}

// UnmarshalJSON records that the member was sent.
func (o *Optional[T]) UnmarshalJSON(b []byte) error {
	o.Set = true
	o.Null = bytes.Equal(b, []byte("null"))
	if o.Null {
		return nil
	}
	return json.Unmarshal(b, &o.Value)
}

// ParseOptional parses a member that was sent, or returns nil. It parses null
// as the zero value.
func ParseOptional[In, Out any](o Optional[In], parse func(In) (Out, error)) (*Out, error) {
	if !o.Set {
		return nil, nil
	}
	out, err := parse(o.Value)
	return &out, err
}
