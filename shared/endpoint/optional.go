package endpoint

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/voiceassist/gateway/shared/fault"
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

// As returns the field with its name, for [OneOf].
func (o Optional[T]) As(name string) Named[T] { return Named[T]{Optional: o, Name: name} }

// A Named is a field with the name that it is sent under.
type Named[T any] struct {
	Optional[T]

	Name string
}

// OneOf returns the value that was sent under one or more of its names, and the
// name for errors about it: the first that was sent, or the first of all. A name
// that was sent with another value than the first goes to wrong.
func OneOf[T comparable](wrong *fault.Fields, names ...Named[T]) (value T, name string) {
	first := Named[T]{Name: names[0].Name}
	for _, n := range names {
		switch {
		case n.Set && !first.Set:
			first = n
		case n.Set:
			wrong.Check(n.Value == first.Value, n.Name, "not_allowed",
				fmt.Sprintf("Must be left out, or be the same, when %s is sent.", first.Name))
		}
	}
	return first.Value, first.Name
}
