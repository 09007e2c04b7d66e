package endpoint

import (
	"bytes"
	"encoding/json"
)

// An Optional is a field of a partial update (RFC 7396): absent leaves the
// value as it is, null resets it, anything else replaces it.
type Optional[T any] struct {
	Value T
	Set   bool // the field was sent
	Null  bool // it was null
}

// UnmarshalJSON notes that the field was sent.
func (o *Optional[T]) UnmarshalJSON(b []byte) error {
	o.Set = true
	o.Null = bytes.Equal(b, []byte("null"))
	if o.Null {
		return nil
	}
	return json.Unmarshal(b, &o.Value)
}

// ParseOptional returns what parse, the rule of a type, makes of the field; nil where it
// was not sent. null is parsed as the zero value.
func ParseOptional[In, Out any](o Optional[In], parse func(In) (Out, error)) (*Out, error) {
	if !o.Set {
		return nil, nil
	}
	out, err := parse(o.Value)
	return &out, err
}
